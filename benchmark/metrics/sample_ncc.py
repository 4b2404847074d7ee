"""Whether samples are uncertain where they contradict the raters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from ...parameters import Range
from ...voxel_counts import Doubles
from .base import SampleMetric, Segmentation
from .sample_sets import sample_sets

CONSTANT = 1e-9
"""A map whose values differ by less is constant, up to rounding."""


class SampleNcc(SampleMetric):
    """Mean over raters j of ncc(E_s[CE(mean s, s)], E_s[CE(y_j, s)]), s samples, y_j ratings (Baumgartner et al., 2019).

    CE(y, s) = -sum_k y_k ln s_k at each voxel, over all classes; ncc is the correlation of two maps over voxels. The first map
    is how much the samples differ from their mean, the second how much they differ from the rater. Only voxels that every
    rater and every sample judged are compared. Samples that equal the raters do not reach 1 where raters disagree.

    Args:
        floor: the least probability in a logarithm; half of the smallest step with which samples are stored.
    """

    name, label = "sample ncc", "NCC of sample variety and error"
    better, range, per_class, best_if_equal = "higher", (-1.0, 1.0), False, False
    empty = (
        "The NCC is 1 where neither map varies over the image, as for one sample that equals the rater, and 0 where only one "
        "does; empty masks are treated as others."
    )

    def __init__(self, *, floor: Annotated[float, Range(0, 0.1, without="low")] = 1 / 510) -> None:
        self.floor = floor

    def measure_samples(
        self, samples: Sequence[Segmentation], raters: Sequence[Segmentation], *, spacing: Sequence[float]
    ) -> Doubles:
        del spacing
        judged = sample_sets(self, samples, raters).judged
        if not judged.any():
            return np.array(np.nan)
        drawn = [sample.probability[:, judged].astype(np.float64) for sample in samples]
        mean = np.mean(drawn, axis=0)
        # CE(y, s) is linear in ln s, so the mean over samples is that of the logarithm.
        log_mean = np.mean([np.log(np.maximum(one, self.floor)) for one in drawn], axis=0)
        variety = -(mean * log_mean).sum(axis=0)
        errors = [-np.take_along_axis(log_mean, rater.labels[judged][None], axis=0)[0] for rater in raters]
        return np.array(np.mean([ncc(variety, error) for error in errors]))


def ncc(first: Doubles, second: Doubles) -> float:
    """The correlation of two maps [V] over voxels; 1 where both are constant, 0 where one is."""
    one, other = first - first.mean(), second - second.mean()
    constant = np.ptp(first) < CONSTANT, np.ptp(second) < CONSTANT
    if any(constant):
        return float(all(constant))
    return float(np.clip(one @ other / np.sqrt((one @ one) * (other @ other)), -1, 1))
