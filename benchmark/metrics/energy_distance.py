"""How well sampled segmentations match the variety of the raters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...voxel_counts import Doubles
from .base import SampleMetric, Segmentation
from .sample_sets import sample_sets


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
        sets = sample_sets(self, samples, raters)
        if not sets.judged.any():
            return np.full(len(sets.common), np.nan)
        distance, n = 1 - sets.iou, sets.n_samples
        across, sampled, rated = (
            part.mean(axis=(1, 2)) for part in (distance[:, :n, n:], distance[:, :n, :n], distance[:, n:, n:])
        )
        return np.asarray(np.maximum(2 * across - sampled - rated, 0.0))  # Rounding may give -1e-17.
