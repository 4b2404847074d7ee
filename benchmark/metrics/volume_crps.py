"""How far the volume of samples is from what the raters believe of it."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, prod
from typing import Literal

import numpy as np
import numpy.typing as npt

from ...datasets.base import Unit
from ...voxel_counts import Doubles
from .base import SampleMetric, Segmentation
from .sample_sets import sample_sets


class VolumeCrps(SampleMetric):
    """Continuous ranked probability score of the raters' volumes at the mean volume of the samples (Riera-Marín et al., 2025).

    CRPS(F, v) = integral of (F(x) - 1[x >= v])^2 over all x (Matheson and Winkler, 1976), where F is the distribution of the
    raters' volumes and v is one number: it says whether the expected volume lies among the raters', not whether the variety is
    right. The unit is that of the volume. Where raters agree it is the absolute error of the volume. Equal sets of samples and
    raters do not reach 0, because raters who disagree leave no certain volume. Only voxels that every rater and every sample
    judged are counted.

    Args:
        distribution: "gaussian" is the normal distribution with the raters' mean and their standard deviation (divided by their
            number), in closed form without a cut of its tails; "empirical" gives each rater the same weight.
    """

    name, label, quantity = "volume crps", "CRPS of the volume", "size"
    better, range, per_class, best_if_equal = "lower", (0.0, inf), True, False
    empty = "In the CRPS of the volume, an empty mask has the volume 0."

    def __init__(self, *, distribution: Literal["gaussian", "empirical"] = "gaussian") -> None:
        self.distribution = distribution

    def label_in(self, unit: Unit, ndim: int) -> str:
        what = "area" if ndim == 2 else "volume"
        return f"CRPS of the {what} [{self.unit_in(unit, ndim)}]"

    def measure_samples(
        self, samples: Sequence[Segmentation], raters: Sequence[Segmentation], *, spacing: Sequence[float]
    ) -> Doubles:
        sets = sample_sets(self, samples, raters)
        if not sets.judged.any():
            return np.full(len(sets.common), np.nan)
        expected, rated = sets.sizes[:, : sets.n_samples].mean(axis=1), sets.sizes[:, sets.n_samples :]
        if self.distribution == "empirical":
            crps = empirical_crps(rated, expected)
        else:
            crps = gaussian_crps(rated.mean(axis=1), rated.std(axis=1), expected)
        return np.asarray(crps * prod(float(s) for s in spacing), np.float64)


def gaussian_crps(mean: npt.ArrayLike, deviation: npt.ArrayLike, value: npt.ArrayLike) -> Doubles:
    """CRPS of a normal distribution at ``value``, elementwise (Gneiting and Raftery, 2007, section 4.2).

    sd [z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi)], z = (value - mean) / sd; |value - mean| where sd is 0.
    """
    from scipy.special import ndtr

    sd, error = np.asarray(deviation, np.float64), np.asarray(value, np.float64) - np.asarray(mean, np.float64)
    z = np.divide(error, sd, out=np.zeros(np.broadcast_shapes(error.shape, sd.shape)), where=sd > 0)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    closed = error * (2 * ndtr(z) - 1) + sd * (2 * density - 1 / np.sqrt(np.pi))
    return np.where(sd > 0, closed, np.abs(error))


def empirical_crps(drawn: Doubles, value: npt.ArrayLike) -> Doubles:
    """CRPS at ``value`` [...] of the distribution in which each of ``drawn`` [..., n] has the same weight.

    E|X - value| - E|X - X'| / 2, X and X' independent (Gneiting and Raftery, 2007, section 4.2).
    """
    spread = np.abs(drawn[..., :, None] - drawn[..., None, :]).mean(axis=(-1, -2))
    return np.asarray(np.abs(drawn - np.asarray(value)[..., None]).mean(axis=-1) - spread / 2)
