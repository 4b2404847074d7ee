"""Who rated which training case, as each unit stores it: one bit a case and rater."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...datasets.base import Dataset
from ...errors import RaterbenchError


def pack_assignment(train: Dataset) -> npt.NDArray[np.uint8]:
    """Bits [cases, raters], row by row, of who rated what in the training part; from the index, without reading a case."""
    rated = np.zeros((len(train), len(train.raters)), bool)
    place = {rater: i for i, rater in enumerate(train.raters)}
    for row, raters in enumerate(train.index["raters"]):
        rated[row, [place[rater] for rater in raters]] = True
    return np.packbits(rated)


def unpack_assignment(packed: npt.NDArray[np.uint8], cases: Sequence[str], raters: Sequence[str]) -> pd.DataFrame:
    """Who rated what, cases x raters, bool.

    Raises:
        RaterbenchError: the bits are not of so many cases and raters.
    """
    n = len(cases) * len(raters)
    if len(packed) != -(-n // 8):
        raise RaterbenchError(f"who rated what was stored of other cases than these {len(cases)}: is splits.json of this run?")
    rated = np.unpackbits(packed, count=n).astype(bool).reshape(len(cases), len(raters))
    return pd.DataFrame(rated, index=pd.Index(cases, name="case"), columns=list(raters))
