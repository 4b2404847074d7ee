"""Overlap of hard labels: Dice, precision, recall."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...voxel_counts import Counts, Doubles, dice_from_counts, ratio
from .base import Metric, Segmentation, needed, pair_counts


class Hits(NamedTuple):
    """Counts of each foreground class, [K-1], and the number of voxels that both judged."""

    both: Counts
    predicted: Counts
    referred: Counts
    total: int


def hits(metric: Metric, prediction: Segmentation, reference: Segmentation | None) -> Hits:
    """The counts that overlap and volume metrics are made of."""
    counts = pair_counts(prediction, needed(metric, reference))
    both, predicted, referred = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    return Hits(both[1:], predicted[1:], referred[1:], int(counts.sum()))


class Dice(Metric):
    """Twice the common voxels over the voxels of both (Dice, 1945)."""

    name, label = "dice", "Dice"
    better, range, per_class = "higher", (0.0, 1.0), True
    empty = "Dice is 1 where reference and prediction are both empty, and 0 where only one is."

    def measure(self, prediction: Segmentation, reference: Segmentation | None, *, spacing: Sequence[float]) -> Doubles:
        del spacing
        found = hits(self, prediction, reference)
        dice = dice_from_counts(found.both, found.predicted, found.referred)
        return dice if found.total else np.full_like(dice, np.nan)


class Precision(Metric):
    """The share of the predicted voxels that are right."""

    name, label = "precision", "Precision"
    better, range, per_class = "higher", (0.0, 1.0), True
    empty = "Precision is left out where the prediction is empty."

    def measure(self, prediction: Segmentation, reference: Segmentation | None, *, spacing: Sequence[float]) -> Doubles:
        del spacing
        found = hits(self, prediction, reference)
        return ratio(found.both, found.predicted)


class Recall(Metric):
    """The share of the reference's voxels that are found."""

    name, label = "recall", "Recall"
    better, range, per_class = "higher", (0.0, 1.0), True
    empty = "Recall is left out where the reference is empty."

    def measure(self, prediction: Segmentation, reference: Segmentation | None, *, spacing: Sequence[float]) -> Doubles:
        del spacing
        found = hits(self, prediction, reference)
        return ratio(found.both, found.referred)
