"""How well a rater's confusion is estimated: root mean square error to the true confusion.

Everywhere ``[i, j]`` is "the rater says i where the truth is j": rows observed, columns true, columns sum to 1.
"""

from __future__ import annotations

import numpy as np

from ...datasets.base import Labels
from ...voxel_counts import Counts, Doubles, label_counts, ratio
from .base import RaterMetric


class ConfusionRMSE(RaterMetric):
    """Root mean square error of the confusion that is estimated for a rater, mean over the raters of a case."""

    name, label = "confusion rmse", "Confusion RMSE"
    better, range = "lower", (0.0, 1.0)
    empty = "The confusion RMSE leaves out classes that a case lacks, and raters whom training never saw."

    def measure_rater(self, estimate: Doubles, truth: Doubles) -> float:
        return confusion_rmse(estimate, truth)


def confusion_counts(observed: Labels, true: Labels, n_classes: int) -> Counts:
    """Voxels [K, K] int64 that a rater called i where the truth is j; voxels that either did not judge are left out."""
    return label_counts(observed, true, n_classes)


def confusion_from_counts(counts: Counts) -> Doubles:
    """Confusion [K, K] whose columns sum to 1; NaN columns for true classes that never occur."""
    return ratio(counts, counts.sum(axis=-2, keepdims=True))


def sums_over_truth(confusion: Doubles, true: Labels) -> tuple[Doubles, Counts]:
    """Sums [K, K] of a confusion of each voxel [K, K, *S], column j over the voxels whose truth is j, and how many they are.

    Sums and numbers can be added over cases before they are divided (the plain mean over all voxels would be dominated by the
    background). NaN voxels are left out of both, and so is a truth that is no class.
    """
    n_classes = len(confusion)
    flat = confusion.reshape(n_classes, n_classes, -1)
    here = true.reshape(-1) == np.arange(n_classes, dtype=np.uint8)[:, None]
    unknown = np.isnan(flat)
    if not unknown.any():
        n = np.broadcast_to(here.sum(axis=1), (n_classes, n_classes)).astype(np.int64)
        return np.einsum("ijn,jn->ij", flat, here, dtype=np.float64), n
    n = (here & ~unknown).sum(axis=2)
    return np.einsum("ijn,jn->ij", np.where(unknown, 0.0, flat), here, dtype=np.float64), n


def confusion_rmse(estimate: Doubles, truth: Doubles) -> float:
    """sqrt(mean over valid entries of (estimate - truth)^2) of one rater (after Zhang et al., 2020).

    ``estimate`` and ``truth`` [K, K]. Entries that are NaN in either (a class that never occurs, a rater that was never
    seen) are left out; NaN if none is left. For several raters take the mean of their values.
    """
    square = np.square(np.asarray(estimate, np.float64) - np.asarray(truth, np.float64))
    valid = square[~np.isnan(square)]
    return float(np.sqrt(valid.mean())) if valid.size else np.nan
