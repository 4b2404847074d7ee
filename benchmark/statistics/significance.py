"""Tests, corrections, effects and intervals over independent paired values (one a subject)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from .arithmetic import Floats, largest, mean_and_std, round_to_scale, scaled

Zeros = Literal["pratt", "wilcox"]

EXACT_UP_TO = 50
"""Non-zero differences up to which the signed-rank test counts all sign flips."""


@dataclass(frozen=True)
class SignedRank:
    """Two-sided p of n differences, of which ``n_nonzero`` are not 0.

    ``statistic`` is min(W+, W-), ``effect`` the matched-pairs rank-biserial in -1..1.
    """

    statistic: float
    p: float
    effect: float
    n: int
    n_nonzero: int


def wilcoxon(differences: npt.ArrayLike, zeros: Zeros = "pratt") -> SignedRank:
    """Two-sided Wilcoxon signed-rank test (Wilcoxon, 1945) of paired differences ``[n]``, with the rank-biserial effect.

    Zeros are ranked and then left out of both sums (Pratt, 1959), or dropped first (``wilcox``, what papers use); NaN is left
    out. Only differences that are not 0 can have another sign, so their number decides what p can be: up to 50 of them p is
    exact, conditional on ties and zeros, from all sign flips of their ranks; scipy's ``exact`` would take the ranks of an
    untied sample without zeros. Above, it is the normal approximation with the variance of the same sign flips. With k of
    them p cannot be below 2^(1 - k): 5 cannot reach .05, 6 reach .03125. Only zeros give p = 1, no differences NaN.

    The effect is the share of the rank sum that is positive minus the share that is negative (Kerby, 2014).
    """
    d = np.asarray(differences, dtype=float)
    d = d[~np.isnan(d)]
    if d.size == 0:
        return SignedRank(np.nan, np.nan, np.nan, 0, 0)
    if zeros == "wilcox":
        d = d[d != 0]
    if not d.any():
        return SignedRank(0.0, 1.0, 0.0, d.size, 0)
    ranks = pd.Series(np.abs(d)).rank().to_numpy()
    plus, minus = float(ranks[d > 0].sum()), float(ranks[d < 0].sum())
    flipped = ranks[d != 0]
    p = (_exact_p if flipped.size <= EXACT_UP_TO else _normal_p)(flipped, min(plus, minus))
    return SignedRank(min(plus, minus), p, (plus - minus) / float(ranks.sum()), d.size, flipped.size)


def signed_rank_p(differences: npt.ArrayLike) -> Floats:
    """The p of :func:`wilcoxon` for each row of differences [runs, n] without ties or zeros, as simulations need it."""
    d = np.asarray(differences, dtype=float)
    n = d.shape[1]
    ranks = np.abs(d).argsort(axis=1).argsort(axis=1) + 1
    plus = np.where(d > 0, ranks, 0).sum(axis=1)
    smaller = np.minimum(plus, n * (n + 1) // 2 - plus)
    if n > EXACT_UP_TO:
        sums, place = np.unique(smaller, return_inverse=True)
        return np.array([_normal_p(np.arange(1.0, n + 1), float(each)) for each in sums])[place]
    ways = np.zeros(n * (n + 1) // 2 + 1)
    ways[0] = 1
    for rank in range(1, n + 1):
        ways[rank:] += ways[:-rank].copy()
    p: Floats = np.minimum(1.0, 2 * ways.cumsum()[smaller] / 2.0**n)
    return p


def _exact_p(ranks: Floats, smaller: float) -> float:
    """Twice the share of sign flips whose sum of positive ranks is at most ``smaller``, at most 1."""
    # Midranks are whole numbers when doubled, so the sums of all sign flips can be counted rank by rank.
    doubled = np.rint(2 * ranks).astype(np.int64)
    # Many ties or zeros leave large common factors, and no sum above the observed one is asked for: both keep this small.
    factor = int(np.gcd.reduce(doubled))
    ways = np.zeros(round(2 * smaller) // factor + 1)
    ways[0] = 1
    for rank in doubled // factor:
        if rank < len(ways):
            ways[rank:] += ways[:-rank].copy()
    return min(1.0, 2 * float(ways.sum()) / 2.0 ** len(doubled))


def _normal_p(ranks: Floats, smaller: float) -> float:
    """The same from a normal distribution with the mean and the variance that the sum has over all sign flips."""
    z = (smaller - float(ranks.sum()) / 2) / math.sqrt(float(np.square(ranks).sum()) / 4)
    return min(1.0, 2 * float(special.ndtr(z)))


def holm(p: npt.ArrayLike) -> Floats:
    """Holm's (1979) step-down p-values ``[m]`` for the family-wise error.

    A missing p (NaN) stays NaN and counts in m: the family was declared before anything ran.
    """
    raw = np.asarray(p, dtype=float)
    order = np.argsort(raw, kind="stable")  # NaN last
    steps = np.minimum(1.0, raw[order] * np.arange(raw.size, 0, -1))
    adjusted = np.full(raw.size, np.nan)
    adjusted[order] = np.where(np.isnan(steps), np.nan, np.maximum.accumulate(np.nan_to_num(steps)))
    return adjusted


def bootstrap_interval(
    values: npt.ArrayLike, *, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Bootstrap interval of the mean of independent values ``[n]``: percentile, expanded for small n (Hesterberg, 2015, 3.1).

    The plain percentile interval is too short by the factor sqrt((n - 1) / n) and by the normal in place of Student's t;
    quantiles further out mend both. (NaN, NaN) below two values; of equal values it is exactly that value, twice.
    """
    x = np.asarray(values, dtype=float)
    x = x[np.isfinite(x)]
    if x.size < 2:
        return np.nan, np.nan
    if (x == x[0]).all():
        return float(x[0]), float(x[0])
    x, power = scaled(x)
    drawn = np.random.default_rng(seed).integers(0, x.size, (resamples, x.size))
    low, high = np.ldexp(np.quantile(x[drawn].mean(axis=1), expanded_quantiles(x.size, confidence)), power)
    return float(low), float(high)


def expanded_quantiles(n: int, confidence: float) -> tuple[float, float]:
    """The quantiles of the bootstrap distribution to read off for n subjects (Hesterberg, 2015, 3.1); n >= 2."""
    t = special.stdtrit(n - 1, (1 - confidence) / 2)
    tail = float(special.ndtr(np.sqrt(n / (n - 1)) * t))
    return tail, 1 - tail


def corrected_resampled_t(differences: Sequence[float] | Floats, test_to_train: float) -> float:
    """Two-sided p of the corrected resampled t-test (Nadeau and Bengio, 2003) over J mean differences, one a (repeat, fold).

    t = mean / sqrt((1/J + n_test/n_train) var), J - 1 degrees of freedom: training parts overlap, so the naive 1/J is too
    small. Only zeros give 1. NaN below two differences, without a known ratio, and where all differ alike: without variation
    nothing says how far chance could move the mean.
    """
    d = np.asarray(differences, dtype=float)
    d = d[np.isfinite(d)]
    d = round_to_scale(d, largest(d))
    if d.size >= 2 and not d.any():
        return 1.0
    d, _ = scaled(d)
    if d.size < 2 or not np.isfinite(test_to_train) or np.ptp(d) == 0:
        return np.nan
    t = d.mean() / np.sqrt((1 / d.size + test_to_train) * d.var(ddof=1))
    return float(2 * special.stdtr(d.size - 1, -abs(t)))


def corrected_t_interval(
    values: Sequence[float] | Floats, test_to_train: float, confidence: float = 0.95
) -> tuple[float, float]:
    """Interval of the mean over J values, one a (repeat, fold), with the variance of the test above; NaN below two values.

    Without a known ratio it is the plain t interval, which is too narrow where training parts overlap.
    """
    v = np.asarray(values, dtype=float)
    v = v[np.isfinite(v)]
    if v.size < 2:
        return np.nan, np.nan
    overlap = test_to_train if np.isfinite(test_to_train) else 0.0
    mean, std = mean_and_std(v)
    half = float(special.stdtrit(v.size - 1, 0.5 + confidence / 2) * np.sqrt(1 / v.size + overlap)) * std
    return mean - half, mean + half
