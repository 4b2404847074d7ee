"""The papers' own way: trained models as if they were independent, and scipy's normal approximation."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..arithmetic import largest, mean_and_std, round_to_scale, scaled


class AsPublished(NamedTuple):
    """Mean and standard deviation over trained models, their mean difference to the baseline, and its p."""

    mean: float
    std: float
    difference: float
    p: float
    n_models: int


def as_published(values: npt.ArrayLike, baseline: npt.ArrayLike) -> AsPublished:
    """Wilcoxon's signed-rank test over trained models [M] by the normal approximation, without any correction.

    Models of one data set share subjects, so p is too small; published tables were made in this way. Only models of which both
    have a value count. Only zeros give p = 1, no pair NaN.
    """
    ours, theirs = np.asarray(values, dtype=float), np.asarray(baseline, dtype=float)
    both = np.isfinite(ours) & np.isfinite(theirs)
    ours, theirs = ours[both], theirs[both]
    gaps = round_to_scale(ours - theirs, largest(ours, theirs))
    p = np.nan if not gaps.size else 1.0
    if gaps.any():
        from scipy import stats  # Here, because it takes a second to load, and only this protocol needs it.

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scipy warns of samples that are too small for the approximation
            p = float(stats.wilcoxon(scaled(gaps)[0], zero_method="wilcox", correction=False, method="asymptotic").pvalue)
    return AsPublished(*mean_and_std(ours), mean_and_std(gaps)[0], p, int(gaps.size))
