"""Samples and raters as two sets of masks: what their metrics share, and how well single samples match single raters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import lcm
from weakref import ref

import numpy as np

from ...datasets.base import IGNORE
from ...errors import RaterbenchError
from ...voxel_counts import Doubles, ratio
from .base import Mask, SampleMetric, Segmentation, remember

_CHUNK = 1 << 20
"""Voxels that are counted at a time: sums of so many ones are exact in float32."""


@dataclass(frozen=True, eq=False)
class SampleSets:
    """How n samples and m raters of one case overlap; samples come first, then raters.

    ``judged`` [*S]: voxels that every sample and every rater judged; no other counts. ``common`` [K-1, n+m, n+m]: voxels that
    two segmentations both give the class; the diagonal is the size of each.
    """

    n_samples: int
    judged: Mask
    common: Doubles

    @property
    def sizes(self) -> Doubles:
        """Number of voxels of each segmentation, [K-1, n+m]."""
        return np.diagonal(self.common, axis1=1, axis2=2)

    @property
    def iou(self) -> Doubles:
        """Intersection over union of all pairs, [K-1, n+m, n+m]; 1 for two empty masks."""
        return ratio(self.common, self._sums - self.common, otherwise=1.0)

    @property
    def dice(self) -> Doubles:
        """Dice of all pairs, [K-1, n+m, n+m]; 1 for two empty masks."""
        return ratio(2 * self.common, self._sums, otherwise=1.0)

    @property
    def _sums(self) -> Doubles:
        return self.sizes[:, :, None] + self.sizes[:, None, :]


def sample_sets(metric: SampleMetric, samples: Sequence[Segmentation], raters: Sequence[Segmentation]) -> SampleSets:
    """The overlaps of samples and raters, counted once for a case and shared by all metrics of samples.

    Raises:
        RaterbenchError: there is no sample or no rater, or their shapes differ.
    """
    if not samples or not raters:
        raise RaterbenchError(f"metric {metric.name!r} needs a sample and a rater at least")
    n_classes, shape = samples[0].n_classes, samples[0].labels.shape
    for one in (*samples, *raters):
        if (one.n_classes, one.labels.shape) != (n_classes, shape):
            raise RaterbenchError(f"samples and raters have different shapes: {shape} and {one.labels.shape}")
    # Weak references are equal where their segmentations are the same, and do not keep them alive.
    key = "sample sets", tuple(map(ref, samples)), tuple(map(ref, raters))
    return remember(samples[0], raters[0], key, lambda: _count(samples, raters))


def _count(samples: Sequence[Segmentation], raters: Sequence[Segmentation]) -> SampleSets:
    everyone = [*samples, *raters]
    judged = np.all([one.labels != IGNORE for one in everyone], axis=0)
    labels = np.stack([one.labels[judged] for one in everyone])
    common = np.zeros((samples[0].n_classes - 1, len(everyone), len(everyone)))
    for start in range(0, labels.shape[1], _CHUNK):
        part = labels[:, start : start + _CHUNK]
        for k in range(len(common)):
            masks = (part == k + 1).astype(np.float32)
            common[k] += masks @ masks.T
    return SampleSets(len(samples), judged, common)


class DiceMax(SampleMetric):
    """Mean over raters of the Dice of the sample that is most like the rater (Rahman et al., 2023, maximum Dice matching).

    More samples can only raise it, so that only sets of one size can be compared. Only voxels that every rater and every
    sample judged are compared.
    """

    name, label = "dice max", "Dice of the best sample"
    better, range, per_class = "higher", (0.0, 1.0), True
    empty = (
        "The Dice of the best sample is 1 for a rater with an empty mask where some sample is empty, too, and 0 where none is."
    )

    def measure_samples(
        self, samples: Sequence[Segmentation], raters: Sequence[Segmentation], *, spacing: Sequence[float]
    ) -> Doubles:
        del spacing
        sets = sample_sets(self, samples, raters)
        best = sets.dice[:, : sets.n_samples, sets.n_samples :].max(axis=1).mean(axis=1)
        return best if sets.judged.any() else np.full_like(best, np.nan)


class MatchedIou(SampleMetric):
    """Mean IoU of samples and raters that are matched one to one so that it is largest (Kohl et al., 2019, Hungarian matching).

    Where their numbers differ, both sets are repeated until they have the least common multiple of the two. So each sample has
    the same weight, and one that is like no rater costs as much as a rater whom no sample is like. Only voxels that every
    rater and every sample judged are compared.
    """

    name, label = "matched iou", "IoU of matched samples"
    better, range, per_class = "higher", (0.0, 1.0), True
    empty = "In the IoU of matched samples, two empty masks have the IoU 1, and an empty and another one 0."

    def measure_samples(
        self, samples: Sequence[Segmentation], raters: Sequence[Segmentation], *, spacing: Sequence[float]
    ) -> Doubles:
        del spacing
        from scipy.optimize import linear_sum_assignment  # Here, so that a report does not load what only measuring needs.

        sets = sample_sets(self, samples, raters)
        if not sets.judged.any():
            return np.full(len(sets.common), np.nan)
        iou = sets.iou[:, : sets.n_samples, sets.n_samples :]
        length = lcm(*iou.shape[1:])
        repeated = iou.repeat(length // iou.shape[1], axis=1).repeat(length // iou.shape[2], axis=2)
        return np.array([one[linear_sum_assignment(one, maximize=True)].mean() for one in repeated])
