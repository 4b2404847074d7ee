"""Overlap of probabilities with soft labels, at several thresholds of both."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Annotated, ClassVar, Literal

import numpy as np

from ...parameters import Range
from ...voxel_counts import Doubles, dice_from_counts
from .base import Metric, Segmentation, judged, needed, remember

Thresholds = tuple[Annotated[float, Range(0, 1, without="high")], ...]
FIVE = (0.1, 0.3, 0.5, 0.7, 0.9)


def _masks_at(prediction: Segmentation, reference: Segmentation, thresholds: Sequence[float]) -> Doubles:
    """Voxels of both masks, of the prediction's and of the reference's, [3, T, K-1]; computed once for a pair."""
    mask = judged(prediction, reference)

    def count() -> Doubles:
        counts = np.zeros((3, len(thresholds), prediction.n_classes - 1))
        for k, maps in enumerate(zip(prediction.probability[1:], reference.probability[1:], strict=True)):
            p, g = (one if mask is None else one[mask] for one in maps)
            # In float32, as probabilities are: a share of 0.3 is not above the threshold 0.3.
            for t, threshold in enumerate(np.asarray(thresholds, np.float32)):
                predicted, referred = p > threshold, g > threshold
                counts[:, t, k] = (predicted & referred).sum(), predicted.sum(), referred.sum()
        return counts if mask is None or mask.any() else np.full_like(counts, np.nan)

    return remember(prediction, reference, ("masks at", tuple(thresholds)), count)


class SoftDice(Metric):
    """Mean over thresholds t of Dice(1[p > t], 1[g > t]), p the probability and g the soft label (QUBIQ; Wu et al., 2022).

    Both are compared with a strict ">". Against the average of R raters g is k / R. Thresholds should lie between these shares;
    a share that equals a threshold is not above it. With the default this happens at 0.5 for an even number of raters, and at
    each threshold for ten. A hard reference is the same mask at all thresholds. :class:`EmptyThresholds` counts the thresholds
    at which both masks are empty, whose Dice is 1: small objects have many.

    Args:
        thresholds: from 0 to less than 1; 0.1, 0.2, ..., 0.9 are those of QUBIQ.
    """

    name, label = "soft dice over thresholds", "Soft Dice over thresholds"
    better, range, per_class = "higher", (0.0, 1.0), True
    uses: ClassVar[Literal["labels", "probability"]] = "probability"
    empty = "The soft Dice is 1 at a threshold that neither reference nor prediction exceeds, and 0 where only one does."

    def __init__(self, *, thresholds: Thresholds = FIVE) -> None:
        self.thresholds = thresholds

    def measure(self, prediction: Segmentation, reference: Segmentation | None, *, spacing: Sequence[float]) -> Doubles:
        del spacing
        both, predicted, referred = _masks_at(prediction, needed(self, reference), self.thresholds)
        return np.asarray(dice_from_counts(both, predicted, referred).mean(axis=0))


class EmptyThresholds(Metric):
    """How many thresholds neither prediction nor reference exceeds anywhere: there the soft Dice is 1 without any overlap.

    Args:
        thresholds: those of :class:`SoftDice`.
    """

    name, label = "empty thresholds", "Thresholds at which both masks are empty"
    better, range, per_class = "none", (0.0, inf), True
    uses: ClassVar[Literal["labels", "probability"]] = "probability"
    empty = "The number of empty thresholds counts all thresholds where reference and prediction are both empty."

    def __init__(self, *, thresholds: Thresholds = FIVE) -> None:
        self.thresholds = thresholds

    def measure(self, prediction: Segmentation, reference: Segmentation | None, *, spacing: Sequence[float]) -> Doubles:
        del spacing
        _, predicted, referred = _masks_at(prediction, needed(self, reference), self.thresholds)
        nobody = np.isnan(predicted).any(axis=0)
        return np.where(nobody, np.nan, ((predicted == 0) & (referred == 0)).sum(axis=0))
