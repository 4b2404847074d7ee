"""Tests, corrections, effects and intervals over independent paired values (one a subject)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]
Zeros = Literal["pratt", "wilcox"]

EXACT_UP_TO = 50


@dataclass(frozen=True)
class SignedRank:
    """Two-sided p; ``statistic`` min(W+, W-); ``effect`` matched-pairs rank-biserial in -1..1; ``smallest_p`` that n allows."""

    statistic: float
    p: float
    effect: float
    n: int
    smallest_p: float


def paired_differences(values: npt.ArrayLike, baseline: npt.ArrayLike) -> Floats:
    """``values - baseline`` without missing pairs, rounded to about 12 significant digits of the larger of the two.

    The same number computed in another order differs in its last bits: such dust must neither be a difference nor break a tie.
    """
    a, b = np.asarray(values, dtype=float), np.asarray(baseline, dtype=float)
    both = np.isfinite(a) & np.isfinite(b)
    a, b = a[both], b[both]
    scale = max(float(np.abs(a).max(initial=0)), float(np.abs(b).max(initial=0)), 1e-300)
    difference: Floats = np.round(a - b, 12 - int(np.ceil(np.log10(scale))))
    return difference


def wilcoxon(differences: npt.ArrayLike, zeros: Zeros = "pratt") -> SignedRank:
    """Two-sided Wilcoxon signed-rank test (Wilcoxon, 1945) of paired differences ``[n]``, with the rank-biserial effect.

    Zeros are ranked and then left out of both sums (Pratt, 1959), or dropped first (``wilcox``, what papers use). Up to 50
    differences p is exact, conditional on ties and zeros: all sign flips of the ranks at hand; scipy's ``exact`` would take the
    ranks of an untied sample. Above 50 it is the normal approximation with tie correction. With n non-zero differences p
    cannot be below 2^(1 - n): 5 subjects cannot reach .05, 6 reach .03125. Only zeros give p = 1, no differences NaN.

    The effect is the share of the rank sum that is positive minus the share that is negative (Kerby, 2014).
    """
    d = np.asarray(differences, dtype=float)
    if zeros == "wilcox":
        d = d[d != 0]
    if d.size == 0:
        empty = np.asarray(differences).size == 0
        return SignedRank(np.nan if empty else 0.0, np.nan if empty else 1.0, np.nan if empty else 0.0, 0, 1.0)
    ranks = stats.rankdata(np.abs(d))
    plus, minus = float(ranks[d > 0].sum()), float(ranks[d < 0].sum())
    nonzero = int(np.count_nonzero(d))
    if nonzero == 0:
        p = 1.0
    elif d.size <= EXACT_UP_TO:
        p = _exact_p(ranks[d != 0], min(plus, minus))
    else:
        p = float(stats.wilcoxon(d, zero_method=zeros, method="approx").pvalue)
    return SignedRank(min(plus, minus), p, (plus - minus) / float(ranks.sum()), d.size, 0.5 ** max(nonzero - 1, 0))


def _exact_p(ranks: Floats, smaller: float) -> float:
    # Midranks are whole numbers when doubled, so the sums of all sign flips can be counted rank by rank.
    doubled = np.rint(2 * ranks).astype(int)
    ways = np.zeros(int(doubled.sum()) + 1)
    ways[0] = 1
    for rank in doubled:
        ways[rank:] += ways[:-rank].copy()
    return min(1.0, 2 * float(ways[: round(2 * smaller) + 1].sum()) / 2.0 ** len(doubled))


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
    quantiles further out mend both. (NaN, NaN) below two values.
    """
    x = np.asarray(values, dtype=float)
    x = x[np.isfinite(x)]
    if x.size < 2:
        return np.nan, np.nan
    drawn = np.random.default_rng(seed).integers(0, x.size, (resamples, x.size))
    low, high = np.quantile(x[drawn].mean(axis=1), expanded_quantiles(x.size, confidence))
    return float(low), float(high)


def expanded_quantiles(n: int, confidence: float) -> tuple[float, float]:
    """The quantiles of the bootstrap distribution to read off for n subjects (Hesterberg, 2015, 3.1); n >= 2."""
    t = stats.t.ppf((1 - confidence) / 2, n - 1)
    tail = float(stats.norm.cdf(np.sqrt(n / (n - 1)) * t))
    return tail, 1 - tail


def corrected_resampled_t(differences: Sequence[float] | Floats, test_to_train: float) -> float:
    """Two-sided p of the corrected resampled t-test (Nadeau and Bengio, 2003) over J mean differences, one a (repeat, fold).

    t = mean / sqrt((1/J + n_test/n_train) var), J - 1 degrees of freedom: training parts overlap, so the naive 1/J is too
    small. NaN below two differences; a variance of 0 gives 1 if the mean is 0, else 0.
    """
    d = np.asarray(differences, dtype=float)
    d = np.round(d[np.isfinite(d)], 12)
    if d.size < 2:
        return np.nan
    mean, variance = float(d.mean()), float(d.var(ddof=1))
    if np.ptp(d) == 0:
        return 1.0 if mean == 0 else 0.0
    t = mean / np.sqrt((1 / d.size + test_to_train) * variance)
    return float(2 * stats.t.sf(abs(t), d.size - 1))


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
    half = float(stats.t.ppf(0.5 + confidence / 2, v.size - 1) * np.sqrt((1 / v.size + overlap) * v.var(ddof=1)))
    return float(v.mean()) - half, float(v.mean()) + half
