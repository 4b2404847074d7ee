"""Lesion-wise rates: which connected parts of the reference are found, and which of the prediction are false."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

import numpy as np

from ...datasets.base import Unit
from ...parameters import Range
from ...voxel_counts import Counts, Doubles, ratio
from .base import Mask, Metric, Segmentation, judged, needed, remember
from .surface import bounding_box

Overlap = Annotated[int, Range(1, 1_000_000)]
Smallest = Annotated[int, Range(1, 1_000_000)]
Connectivity = Annotated[int, Range(1, 3)]


class LesionCounts(NamedTuple):
    """Numbers of lesions of each foreground class, [K-1] each.

    ``referred`` and ``predicted`` count the lesions of the reference and of the prediction. ``found`` are those of the
    reference that the prediction overlaps enough, ``false`` those of the prediction that the reference does not.
    """

    referred: Counts
    found: Counts
    predicted: Counts
    false: Counts


def overlapped_lesions(mask: Mask, other: Mask, overlap: int, smallest: int, connectivity: int) -> tuple[int, int]:
    """The number of lesions of ``mask`` [*S], and of those that ``other`` [*S] overlaps enough.

    The parameters are those of :class:`LesionMetric`.
    """
    from scipy.ndimage import (
        generate_binary_structure,
        label,
    )  # Here, as in ``surface``.

    if not mask.any():
        return 0, 0
    box = bounding_box(mask)
    lesions, n = label(mask[box], generate_binary_structure(mask.ndim, min(connectivity, mask.ndim)))
    size = np.bincount(lesions.ravel(), minlength=n + 1)[1:]
    shared = np.bincount(lesions[other[box]], minlength=n + 1)[1:]
    counted = size >= smallest
    return int(counted.sum()), int((counted & (shared >= np.minimum(overlap, size))).sum())


class LesionMetric(Metric):
    """Base class of lesion-wise rates. A lesion is a connected component of a class.

    Args:
        overlap: voxels that must overlap: 3 as in ivadomed, 1 as in the WMH challenge. Where a lesion has fewer, all must.
        smallest: lesions of fewer voxels are left out of prediction and reference alike; ivadomed's settings for multiple
            sclerosis have 3.
        connectivity: neighbours differ by one voxel along at most this many axes. With 2 a voxel has 18 neighbours in 3-D and
            8 in 2-D.
    """

    range, per_class = (0.0, 1.0), True
    shown_parameters = ("overlap",)

    def __init__(self, *, overlap: Overlap = 3, smallest: Smallest = 1, connectivity: Connectivity = 2) -> None:
        self.overlap, self.smallest, self.connectivity = overlap, smallest, connectivity

    def lesions(self, prediction: Segmentation, reference: Segmentation | None) -> LesionCounts:
        """The lesions of a pair in voxels that both judged, counted once for both rates."""
        reference = needed(self, reference)
        settings = self.overlap, self.smallest, self.connectivity
        known = judged(prediction, reference)

        def compute() -> LesionCounts:
            counts = []
            for k in range(1, prediction.n_classes):
                predicted, referred = (
                    (labels == k) if known is None else (labels == k) & known
                    for labels in (prediction.labels, reference.labels)
                )
                there, found = overlapped_lesions(referred, predicted, *settings)
                made, right = overlapped_lesions(predicted, referred, *settings)
                counts.append((there, found, made, made - right))
            return LesionCounts(*np.array(counts, np.int64).reshape(-1, 4).T)

        return remember(prediction, reference, ("lesions", *settings), compute)


class LesionTruePositiveRate(LesionMetric):
    """The share of the reference's lesions that are found (LTPR)."""

    name, label, better = "lesion true-positive rate", "Lesion-wise true-positive rate", "higher"
    empty = "The lesion-wise true-positive rate is left out where the reference has no lesion."

    def measure(self, prediction: Segmentation, reference: Segmentation | None, *, spacing: Sequence[float]) -> Doubles:
        del spacing
        counts = self.lesions(prediction, reference)
        return ratio(counts.found, counts.referred)


class LesionFalseDetectionRate(LesionMetric):
    """The share of the predicted lesions that are false (LFDR).

    Args:
        definition: "predicted" divides the false lesions of the prediction by all its lesions. "ivadomed" divides them by
            themselves and the reference's lesions that were found, as the ivadomed toolbox does: one prediction that covers
            two lesions beside a false one then gives 1/3 and not 1/2.
        overlap, smallest, connectivity: as in :class:`LesionMetric`.
    """

    name, label, better = "lesion false-detection rate", "Lesion-wise false-detection rate", "lower"

    def __init__(
        self,
        *,
        overlap: Overlap = 3,
        smallest: Smallest = 1,
        connectivity: Connectivity = 2,
        definition: Literal["predicted", "ivadomed"] = "predicted",
    ) -> None:
        super().__init__(overlap=overlap, smallest=smallest, connectivity=connectivity)
        self.definition = definition

    @property
    def empty(self) -> str:  # type: ignore[override]
        nothing = "nothing is predicted" if self.definition == "predicted" else "no lesion is false and none is found"
        return f"The lesion-wise false-detection rate is left out where {nothing}."

    def label_in(self, unit: Unit, ndim: int) -> str:
        del unit, ndim
        return self.label if self.definition == "predicted" else f"{self.label}, as in ivadomed"

    def measure(self, prediction: Segmentation, reference: Segmentation | None, *, spacing: Sequence[float]) -> Doubles:
        del spacing
        counts = self.lesions(prediction, reference)
        among = counts.predicted if self.definition == "predicted" else counts.found + counts.false
        return ratio(counts.false, among)
