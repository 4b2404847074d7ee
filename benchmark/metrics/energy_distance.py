"""How well sampled segmentations match the variety of the raters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...datasets.base import IGNORE
from ...errors import RaterbenchError
from ...voxel_counts import Doubles, ratio
from .base import Mask, SampleMetric, Segmentation


class GeneralisedEnergyDistance(SampleMetric):
    """2 E[d(S, Y)] - E[d(S, S')] - E[d(Y, Y')], d = 1 - IoU, S and S' samples, Y and Y' raters (Kohl et al., 2018).

    The squared distance between two distributions of Székely and Rizzo (2013), with the Jaccard distance. It is 0 where
    samples and raters have the same variety. Means are over all pairs, those of a segmentation with itself included, so that it
    is never negative. Only voxels that every rater and every sample judged are compared.
    """

    name, label = "generalised energy distance", "Generalised energy distance"
    better, range, per_class = "lower", (0.0, 2.0), True
    empty = "In the generalised energy distance, two empty masks have the distance 0, and an empty and another one 1."

    def measure_samples(
        self, samples: Sequence[Segmentation], raters: Sequence[Segmentation], *, spacing: Sequence[float]
    ) -> Doubles:
        del spacing
        if not samples or not raters:
            raise RaterbenchError(f"metric {self.name!r} needs a sample and a rater at least")
        n_classes, shape = samples[0].n_classes, samples[0].labels.shape
        for one in (*samples, *raters):
            if (one.n_classes, one.labels.shape) != (n_classes, shape):
                raise RaterbenchError(f"samples and raters have different shapes: {shape} and {one.labels.shape}")
        judged = np.all([one.labels != IGNORE for one in (*samples, *raters)], axis=0)
        if not judged.any():
            return np.full(n_classes - 1, np.nan)
        sampled, rated = (np.stack([one.labels[judged] for one in group]) for group in (samples, raters))
        distances = [
            2 * _distances(sampled == k, rated == k).mean()
            - _distances(sampled == k, sampled == k).mean()
            - _distances(rated == k, rated == k).mean()
            for k in range(1, n_classes)
        ]
        return np.maximum(distances, 0.0)  # Rounding may give -1e-17.


def _distances(first: Mask, second: Mask) -> Doubles:
    """1 - IoU [n, m] of masks [n, V] and [m, V]; 0 for two empty ones."""
    # Numbers of voxels are below 2^53, so sums in float64 are exact.
    one, other = first.astype(np.float64), second.astype(np.float64)
    both = one @ other.T
    either = one.sum(axis=1)[:, None] + other.sum(axis=1) - both
    return 1 - ratio(both, either, otherwise=1.0)
