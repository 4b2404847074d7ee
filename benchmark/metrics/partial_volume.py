"""Partial volume: soft volumes and the fractions of voxels, against the fractions of a truth that knows them."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import ClassVar, Literal

import numpy as np

from ...voxel_counts import Doubles, ratio
from .base import Mask, Metric, Segmentation, judged, needed
from .probabilistic import mean_over


class PartialVolumeMetric(Metric):
    """Base class of metrics against the true fraction of each class in each voxel; a hard truth has none and gives NaN."""

    per_class = True
    uses: ClassVar[Literal["labels", "probability"]] = "probability"
    references = "truth"


class SoftVolumeError(PartialVolumeMetric):
    """(V_truth - V_predicted) / V_truth with soft volumes, the sum of a class's probability or true fraction over voxels.

    Positive is under-segmentation, as in the relative volume difference. It needs no threshold: a prediction that keeps
    partial volumes has the right volume also where no voxel is pure.
    """

    name, label = "soft volume error", "Relative error of the soft volume"
    better, range = "zero", (-inf, 1.0)
    empty = "The relative error of the soft volume is left out where the true volume is 0 or the truth is hard."

    def measure(self, prediction: Segmentation, reference: Segmentation | None, *, spacing: Sequence[float]) -> Doubles:
        del spacing
        truth = needed(self, reference)
        mask = judged(prediction, truth)
        if not _is_soft(truth, mask):
            return np.full(prediction.n_classes - 1, np.nan)
        predicted, true = (_volumes(segmentation, mask) for segmentation in (prediction, truth))
        return ratio(true - predicted, true)


class FractionError(PartialVolumeMetric):
    """Mean |probability - true fraction| of each class over the voxels near what any rater marked; NaN without a region."""

    name, label = "fraction error", "Error of voxel fractions near the foreground"
    better, range = "lower", (0.0, 1.0)
    empty = "The error of voxel fractions is left out where no rater marked anything or the truth is hard."

    def measure(self, prediction: Segmentation, reference: Segmentation | None, *, spacing: Sequence[float]) -> Doubles:
        del spacing
        truth = needed(self, reference)
        mask = judged(prediction, truth)
        if truth.region is None or not _is_soft(truth, mask):
            return np.full(prediction.n_classes - 1, np.nan)
        region = truth.region if mask is None else truth.region & mask
        pairs = zip(prediction.probability[1:], truth.probability[1:], strict=True)
        return np.array([mean_over(np.abs(predicted - true), region) for predicted, true in pairs])


def _is_soft(truth: Segmentation, mask: Mask | None) -> bool:
    """Whether any judged voxel holds more than one class."""
    mixed = truth.probability.max(axis=0) < 1
    return bool(mixed.any() if mask is None else (mixed & mask).any())


def _volumes(segmentation: Segmentation, mask: Mask | None) -> Doubles:
    """The sum of each foreground class's probability over the judged voxels, in voxels, [K-1]."""
    foreground = segmentation.probability[1:]
    chosen = foreground.reshape(len(foreground), -1) if mask is None else foreground[:, mask]
    return np.asarray(chosen.sum(axis=1, dtype=np.float64))
