"""Uncertainty of an area under the curve for these trained models and other subjects: DeLong's test, and a bootstrap.

Neither sees the luck of training, so both find differences that another training would not show: they are exploratory.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy import special

from ..arithmetic import Floats
from ..significance import expanded_quantiles
from .network_scores import FoldScores, NetworkScores, shared_scores

ROUNDING = 1e-12
"""A difference or a standard error below this is rounding error."""


def delong_p(ours: NetworkScores, theirs: NetworkScores) -> float:
    """Two-sided p of the difference of two pooled areas by DeLong et al. (1988), with the ranks of Sun and Xu (2014).

    In one fold with one case a subject it is their test. What the placements of a subject add is summed over its cases and
    over all folds that test it, so that neither further cases nor further repeats pass for further subjects. NaN where a fold
    has fewer than two cases of a class, or where nothing is shared.
    """
    one, other = shared_scores(ours, theirs)
    sides = [side for fold in one.folds for side in (fold.positive, ~fold.positive)]
    if not one.folds or min(int(side.sum()) for side in sides) < 2:
        return np.nan
    subjects = np.unique(np.concatenate([fold.subject for fold in one.folds]))
    added = np.zeros(len(subjects))
    for fold, match, weight in zip(one.folds, other.folds, one.weights, strict=True):
        if not np.array_equal(fold.positive, match.positive):
            return np.nan  # Diagnoses that were permuted apart: not two scores of the same positives.
        for side, mine, theirs_ in zip((fold.positive, ~fold.positive), fold.placements, match.placements, strict=True):
            n, apart = side.sum(), mine - theirs_
            part = weight * (apart - apart.mean()) / np.sqrt(n * (n - 1))
            np.add.at(added, np.searchsorted(subjects, fold.subject[side]), part)
    gap, error = one.area - other.area, float(np.sqrt(np.square(added).sum()))
    if error < ROUNDING:
        return 1.0 if abs(gap) < ROUNDING else np.nan
    return float(2 * special.ndtr(-abs(gap) / error))


def bootstrap_interval(
    scores: Sequence[NetworkScores], *, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Interval of a pooled area, or of the first minus the second of two that share models and cases, over drawn subjects.

    Percentiles, expanded for few subjects as in ``significance.bootstrap_interval``. NaN below two subjects. The same
    subjects are drawn for all scores of the same subjects.
    """
    if not scores[0].folds:
        return np.nan, np.nan
    subjects = np.unique(np.concatenate([fold.subject for fold in scores[0].folds]))
    if len(subjects) < 2:
        return np.nan, np.nan
    times = _times_drawn(len(subjects), resamples, seed)
    areas = [_drawn_areas(one.folds, times, subjects) for one in scores]
    drawn = areas[0] if len(areas) == 1 else areas[0] - areas[1]
    drawn = drawn[np.isfinite(drawn)]
    if not drawn.size:
        return np.nan, np.nan
    low, high = np.quantile(drawn, expanded_quantiles(len(subjects), confidence))
    return float(low), float(high)


def _drawn_areas(folds: Sequence[FoldScores], times: Floats, subjects: np.ndarray) -> Floats:
    """The pooled area [resamples] where each subject counts as often as it was drawn [resamples, subjects]."""
    right, pairs = np.zeros(len(times)), np.zeros(len(times))
    for fold in folds:
        drawn = times[:, np.searchsorted(subjects, fold.subject)]
        of_positives, of_negatives = drawn[:, fold.positive], drawn[:, ~fold.positive]
        high, low = fold.score[fold.positive][:, None], fold.score[~fold.positive]
        in_order = (high > low) + 0.5 * (high == low)
        right += ((of_positives @ in_order) * of_negatives).sum(axis=1)
        pairs += of_positives.sum(axis=1) * of_negatives.sum(axis=1)
    found: Floats = np.where(pairs > 0, right / np.maximum(pairs, 1), np.nan)
    return found


@lru_cache(maxsize=2)
def _times_drawn(n: int, resamples: int, seed: int) -> Floats:
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples).astype(float)
