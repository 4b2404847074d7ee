"""Each rater's matrix on every single test image, as estimated and as it was: stored with the unit, read when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..metrics.counts import Doubles
from .units import Record

MOST = 4_000_000
"""Numbers that a unit keeps of them, 16 MB; beyond, errors of images and matrices over all images are kept alone."""
COLUMNS = ["candidate", "repeat", "fold", "case", "rater", "observed", "true", "estimate", "truth"]

Pairs = Mapping[str, tuple[Doubles, Doubles]]
"""A rater's name to the estimated and the true matrix [K, K] on one image."""


def pack_case_confusions(images: Sequence[Pairs], raters: Sequence[str], n_classes: int) -> dict[str, npt.NDArray[np.float32]]:
    """One array [images, R, 2, K, K], estimate before truth, NaN for raters not on an image; nothing if it is too large."""
    shape = (len(images), len(raters), 2, n_classes, n_classes)
    if np.prod(shape) > MOST or not any(images):
        return {}
    packed = np.full(shape, np.nan, np.float32)
    for row, pairs in enumerate(images):
        for rater, pair in pairs.items():
            packed[row, raters.index(rater)] = pair
    return {"case_confusions": packed}


def unpack_case_confusions(records: Sequence[Record], raters: Sequence[str], classes: Sequence[str]) -> pd.DataFrame:
    """``candidate repeat fold case rater observed true estimate truth``, a row for each entry that was estimated."""
    frames = [frame for record in records for frame in _frames(record, raters, classes)]
    return pd.concat(frames, ignore_index=True)[COLUMNS] if frames else pd.DataFrame(columns=COLUMNS)


def _frames(record: Record, raters: Sequence[str], classes: Sequence[str]) -> Iterator[pd.DataFrame]:
    packed = record.arrays.get("case_confusions")
    if packed is None:
        return
    cases = [case for case, *_ in record.meta["calibration"]["cases"]]
    index = pd.MultiIndex.from_product([cases, raters, classes, classes], names=["case", "rater", "observed", "true"])
    flat = np.moveaxis(packed, 2, -1).reshape(-1, 2)
    frame = pd.DataFrame(flat, index=index, columns=["estimate", "truth"]).dropna(subset="estimate").reset_index()
    yield frame.assign(candidate=record.candidate, repeat=record.repeat, fold=record.fold)
