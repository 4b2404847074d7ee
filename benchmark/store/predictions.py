"""Predictions as results keep them: compact, and close enough to what the method gave that nothing is computed twice.

A probability is a 16-bit fixed-point number p = q / 65520. Of K classes K - 1 are stored, and the first one is the rest. Only a
probability of exactly 1 is stored as 1, and the others are 0 there; only one of exactly 0 is stored as 0 elsewhere. So
"impossible" and "certain" keep their meaning. The error is at most (K - 1) / 65520. Maps of raters and samples have 8 bits.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ...datasets.base import Floats, Labels, Preparation

if TYPE_CHECKING:
    from ...methods.base import Prediction

FULL = 65520
"""The fixed-point number of probability 1. It is divisible by 1 to 10 and by 20, so that the shares of up to ten raters and the
thresholds that are searched are exact."""
BYTE = 255
LARGE = 1 << 20
"""Bytes from which an array of a prediction waits in a file and not in memory."""
VALUE_BINS = 20
"""Bins of equal width in which probabilities between 0 and 1 are counted."""


@dataclass(frozen=True, eq=False)
class StoredPrediction:
    """The prediction of one case.

    Args:
        case: the case's name.
        shape: the shape of the case.
        foreground: classes 1 to K - 1 in fixed point: [K-1, *S], or for methods that work on slices [n, K-1, h, w], the n
            slices before they were resampled to the case.
        on_slices: whether it is of slices.
        reliability_raters: the raters of ``reliability``.
        reliability: the probability that each of these raters is right at each voxel, [R, *S] of 0..255; None for methods
            that estimate none.
        samples: plausible segmentations, [n, K-1, *S] of 0..255; None where none were asked for.
        repaired_raters: the raters of ``repaired``.
        repaired: the labels [R, *S] that a method that repairs annotations has in place of those of these raters; None for
            others.
    """

    case: str
    shape: tuple[int, ...]
    foreground: npt.NDArray[np.uint16]
    on_slices: bool = False
    reliability_raters: tuple[str, ...] = ()
    reliability: npt.NDArray[np.uint8] | None = None
    samples: npt.NDArray[np.uint8] | None = None
    repaired_raters: tuple[str, ...] = ()
    repaired: npt.NDArray[np.uint8] | None = None

    def probability(self, preparation: Preparation) -> Floats:
        """The probability map [K, *S] float32 in the case's geometry; ``preparation`` is that of the experiment.

        Slices need torch where they were resampled.
        """
        if not self.on_slices:
            return from_fixed_point(self.foreground, axis=0)
        from ...methods.learning.preparation import restore_prepared

        return restore_prepared(from_fixed_point(self.foreground, axis=1), self.shape, preparation)

    def value_counts(self) -> npt.NDArray[np.int64]:
        """How many voxels have which probability of each foreground class, [K - 1, 22], as the method gave it.

        Bin 0 counts exactly 0, bin 21 exactly 1, and bin b between them ``[(b - 1) / 20, b / 20)`` without 0. Slices are
        counted before they are resampled to the case.
        """
        classes = np.moveaxis(self.foreground, 1 if self.on_slices else 0, 0)
        bins = classes // (FULL // VALUE_BINS) + 1
        bins[classes == 0] = 0
        return np.stack([np.bincount(one.ravel(), minlength=VALUE_BINS + 2) for one in bins])

    def sampled(self) -> Floats:
        """The samples [n, K, *S] float32 in the case's geometry; none where none were drawn."""
        if self.samples is None:
            return np.zeros((0, 2, *self.shape), np.float32)
        others = self.samples.astype(np.float32) / BYTE
        # Rounded, the probabilities of several classes may be more than 1 together.
        others /= np.maximum(others.sum(axis=1, keepdims=True), 1)
        return np.concatenate([np.maximum(1 - others.sum(axis=1, keepdims=True), 0), others], axis=1)


class Spool:
    """A file without a name for large arrays of predictions until they are stored: a fold of volumes does not fit into memory.

    It lies where Python puts temporary files: the environment variable ``TMPDIR``, else ``/tmp``.
    """

    def __init__(self) -> None:
        self._file: BinaryIO | None = None

    def moved(self, prediction: StoredPrediction) -> StoredPrediction:
        """The prediction with its large arrays mapped from the file; with its own where the file cannot be written."""
        values: dict[str, Any] = {field.name: getattr(prediction, field.name) for field in fields(prediction)}
        large = {name: a for name, a in values.items() if isinstance(a, np.ndarray) and a.nbytes >= LARGE}
        try:
            return replace(prediction, **values | {name: self._mapped(array) for name, array in large.items()})
        except OSError:
            return prediction  # That costs nothing but memory.

    def _mapped(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        self._file = self._file or tempfile.TemporaryFile(prefix="raterbench-")  # noqa: SIM115 - it lives as long as its maps
        start = self._file.seek(0, os.SEEK_END)
        self._file.write(np.ascontiguousarray(array).data)
        self._file.flush()
        return np.memmap(self._file, array.dtype, "r", start, array.shape)


def store_prediction(
    case: str, prediction: Prediction, reliability: Mapping[str, Floats], repaired: Mapping[str, Labels] | None = None
) -> StoredPrediction:
    """The compact form of what a method predicted for the case called ``case``, without diagnoses, which units hold together.

    ``reliability`` has a map [*S] of each rater, and ``repaired`` the labels [*S] in place of those of each rater.
    """
    on_slices = prediction.prepared is not None
    given = prediction.prepared if prediction.prepared is not None else prediction.probability
    return StoredPrediction(
        case,
        tuple(prediction.probability.shape[1:]),
        to_fixed_point(given, axis=1 if on_slices else 0),
        on_slices,
        tuple(reliability),
        np.stack([_to_byte(map_) for map_ in reliability.values()]) if reliability else None,
        None if prediction.samples is None else _to_byte(prediction.samples[:, 1:]),
        tuple(repaired or ()),
        np.stack([np.asarray(labels, np.uint8) for labels in repaired.values()]) if repaired else None,
    )


def to_fixed_point(probability: Floats, axis: int = 0) -> npt.NDArray[np.uint16]:
    """Probabilities that sum to 1 over ``axis`` (K classes) as K - 1 fixed-point numbers, without the first class."""
    classes = np.moveaxis(probability, axis, 0)
    stored = np.clip(np.rint(classes[1:].astype(np.float64) * FULL), 1, FULL - 1)
    stored[classes[1:] <= 0] = 0
    # The first class is the rest: it must be 0 exactly where its probability is 0, and positive elsewhere.
    total, largest = stored.sum(axis=0), stored.argmax(axis=0)
    none = classes[0] <= 0
    wrong = np.where(none, total != FULL, total >= FULL)
    if wrong.any():
        change = np.where(wrong, np.where(none, FULL, FULL - 1) - total, 0)
        np.put_along_axis(stored, largest[None], np.take_along_axis(stored, largest[None], 0) + change, 0)
    certain = (classes >= 1).any(axis=0)
    stored[:, certain] = np.where(classes[1:, certain] >= 1, FULL, 0)
    return np.moveaxis(stored.astype(np.uint16), 0, axis)


def from_fixed_point(stored: npt.NDArray[np.uint16], axis: int = 0) -> Floats:
    """Probabilities of all K classes, float32, which sum to 1 over ``axis``, from K - 1 fixed-point numbers."""
    rest = FULL - stored.sum(axis=axis, dtype=np.int64, keepdims=True)
    probability: Floats = np.concatenate([rest, stored], axis=axis).astype(np.float32)
    probability /= FULL
    return probability


def _to_byte(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    stored: npt.NDArray[np.uint8] = np.rint(np.clip(np.nan_to_num(values), 0, 1) * BYTE).astype(np.uint8)
    return stored
