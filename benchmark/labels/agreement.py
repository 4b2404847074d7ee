"""Measures of agreement between raters: chance-corrected coefficients, Dice of pairs, volume bias, and outliers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...methods.base import Ratings
from ...methods.fusion.engine.patterns import Bools, Float64s, Patterns, find_patterns
from ...voxel_counts import dice_from_counts, ratio

OUTLIER_DEVIATIONS = 3.5
"""Robust standard deviations beyond which a value is an outlier (Iglewicz and Hoaglin, 1993)."""
MIN_OUTLIER_DISTANCE = 0.05
"""Smallest distance from the median Dice of an outlier, however similar all other values are."""
MAX_VOLUME_RATIO = 8.0
"""Ratios of two raters' volumes are cut off here, so that one mistake in one case does not determine a rater's bias."""
MAD_TO_SD = 1.4826
"""Factor from the median absolute deviation to the standard deviation of a normal distribution."""


@dataclass(frozen=True, eq=False)
class Tally:
    """Sums over the voxels that at least two raters judged, from which both coefficients are computed; cases can be added.

    Args:
        items: number of voxels.
        agreeing: sum over voxels of the share of pairs of raters that agree.
        shares: [K], sum over voxels of the share of raters who chose each class.
        coincidence: [K, K], Krippendorff's coincidence matrix.
    """

    items: float
    agreeing: float
    shares: Float64s
    coincidence: Float64s

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.items + other.items,
            self.agreeing + other.agreeing,
            self.shares + other.shares,
            self.coincidence + other.coincidence,
        )


def tally(votes: Float64s, counts: npt.NDArray[np.int64]) -> Tally:
    """Tally patterns of votes: ``votes`` [P, K], how many raters chose each class, in ``counts`` [P] voxels each."""
    judges = votes.sum(axis=1)
    enough = judges > 1
    votes, judges, weight = votes[enough], judges[enough], counts[enough].astype(np.float64)
    agreeing = (votes * (votes - 1)).sum(axis=1) / (judges * (judges - 1))
    weighted = votes * (weight / (judges - 1))[:, None]
    coincidence = weighted.T @ votes - np.diag(weighted.sum(axis=0))
    shares = (votes * (weight / judges)[:, None]).sum(axis=0)
    return Tally(float(weight.sum()), float(agreeing @ weight), shares, coincidence)


def tally_patterns(patterns: Patterns) -> Tally:
    """Tally one case."""
    return tally(patterns.votes.sum(axis=0).T, patterns.counts)


def fleiss_kappa(found: Tally) -> float:
    """Fleiss' kappa, the agreement of pairs of raters beyond chance: 1 for perfect agreement, 0 for chance.

    Fleiss (1971), eqs. 4 to 7. Where voxels have different numbers of raters, the agreement by chance is computed from the
    mean of each voxel's shares (Gwet, 2014). NaN if only one class was used.
    """
    if not found.items:
        return float("nan")
    by_chance = float(((found.shares / found.items) ** 2).sum())
    return (found.agreeing / found.items - by_chance) / (1 - by_chance) if by_chance < 1 else float("nan")


def krippendorff_alpha(found: Tally) -> float:
    """Krippendorff's alpha, one minus observed over expected disagreement, for nominal classes and missing ratings.

    Krippendorff (2011), "Computing Krippendorff's alpha-reliability", section D. NaN if only one class was used.
    """
    totals = found.coincidence.sum(axis=0)
    n = float(totals.sum())
    observed = n - float(np.trace(found.coincidence))
    expected = n * n - float((totals**2).sum())
    return 1 - (n - 1) * observed / expected if expected > 0 else float("nan")


@dataclass(frozen=True, eq=False)
class PairCounts:
    """Numbers of voxels for all pairs of raters of a case, counted where both judged.

    Args:
        both: [K - 1, R, R], voxels of each foreground class that both marked.
        size: [K - 1, R, R], voxels of each foreground class that the first marked.
        common: [R, R], voxels that both judged.
    """

    both: Float64s
    size: Float64s
    common: Float64s


def pair_counts(patterns: Patterns) -> PairCounts:
    """Count the voxels of all pairs of raters."""
    judged, marked = patterns.votes.sum(axis=1), patterns.votes.transpose(1, 0, 2)[1:]
    weighted = marked * patterns.counts
    return PairCounts(weighted @ marked.transpose(0, 2, 1), weighted @ judged.T, judged @ (judged * patterns.counts).T)


def pair_dice(counts: PairCounts, *, empty: float = np.nan) -> Float64s:
    """Dice [K - 1, R, R] of each foreground class between raters, where both judged; ``empty`` if neither marked the class.

    NaN for raters without a voxel that both judged. ``empty`` is NaN by default, because a Dice of 1 would make raters seem
    the better, the more cases lack a class.
    """
    dice = dice_from_counts(counts.both, counts.size, counts.size.transpose(0, 2, 1), empty)
    dice[:, counts.common == 0] = np.nan
    return dice


def volume_bias(counts: PairCounts) -> Float64s:
    """Relative difference [K - 1, R] of each rater's volume from those of the others: 0.2 is 20 % more, NaN if nobody marked.

    The geometric mean over the other raters of the ratio of both volumes on the voxels that both judged, minus 1; a rater's
    bias over cases is the mean of its ``log1p``. Ratios above 8, such as with an empty mask, count as 8. Two empty masks have
    the ratio 1 if another rater marked the class.

    The expected bias is 0 for raters who differ by chance only, whatever their number and the spread of their volumes, because
    exchanging two raters changes the sign of the logarithm of their ratio. A ratio to the mean of the others (1 / x is convex)
    or to a consensus (of two raters, their intersection or union) does not have this property.
    """
    size, other = counts.size, counts.size.transpose(0, 2, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.clip(np.log(size / other), -np.log(MAX_VOLUME_RATIO), np.log(MAX_VOLUME_RATIO))
    logs[(size == 0) & (other == 0)] = 0.0
    pairs = (counts.common > 0) & ~np.eye(len(counts.common), dtype=bool)
    marked = size.max(axis=(1, 2), initial=0.0) > 0
    n = np.where(marked[:, None], pairs.sum(axis=1), 0)
    bias: Float64s = np.expm1(ratio(np.where(pairs, logs, 0.0).sum(axis=2), n))
    return bias


@dataclass(frozen=True)
class Suspect:
    """A rating that may be wrong: ``what`` is "identical" (to that of ``other``), "empty", or "touches nobody"."""

    rater: str
    what: str
    other: str = ""


def suspects(patterns: Patterns) -> list[Suspect]:
    """Find ratings that are identical to another's, are empty where others are not, or overlap with no other rating.

    Ratings without foreground do not count as identical.
    """
    votes, raters = patterns.votes, patterns.raters
    marked = votes[:, 1:].sum(axis=1) > 0
    found = []
    for r, rater in enumerate(raters):
        others = np.delete(marked, r, axis=0).any(axis=0)
        if not marked[r].any():
            found += [Suspect(rater, "empty")] if others.any() else []
            continue
        if others.any() and not (marked[r] & others).any():
            found.append(Suspect(rater, "touches nobody"))
        same = [s for s in range(r + 1, len(raters)) if np.array_equal(votes[r], votes[s])]
        found += [Suspect(rater, "identical", raters[s]) for s in same]
    return found


@dataclass(frozen=True, eq=False)
class OutlierResult:
    """Distances of values from their median: ``below`` [n], positive for low values; outliers are beyond ``limit``."""

    below: Float64s
    limit: float

    @property
    def outlying(self) -> Bools:
        """Which values are outliers [n]; NaN never is."""
        found: Bools = np.nan_to_num(self.below, nan=-np.inf) > self.limit
        return found


def low_cases(mean_pairwise_dice: Float64s) -> OutlierResult:
    """Cases [N] whose mean Dice of pairs is below the median by more than 3.5 robust standard deviations and 0.05."""
    below = _median(mean_pairwise_dice, axis=0) - mean_pairwise_dice
    return OutlierResult(below, _outlier_limit(below))


def low_raters(dice: Float64s) -> tuple[OutlierResult, Float64s]:
    """Find outlying raters [R] by the Dice [N, R] of each against the consensus of the others; NaN where not rated.

    In each case with at least three raters, ratings are compared with the median. A rater's value is the median over the
    cases; it is an outlier beyond 3.5 robust standard deviations (over all raters and cases) and 0.05. The second result
    [N, R] is the distance of each rating below the median of its case.
    """
    enough = (~np.isnan(dice)).sum(axis=1) >= 3
    below = np.where(enough[:, None], _median(dice, axis=1)[:, None] - dice, np.nan)
    return OutlierResult(_median(below, axis=0), _outlier_limit(below)), below


def _median(values: Float64s, axis: int) -> Float64s:
    """The median without NaN; NaN where there is nothing else, without NumPy's warning."""
    present = ~np.isnan(values)
    filled = np.where(present.any(axis=axis, keepdims=True), values, 0.0)
    median: Float64s = np.where(present.any(axis=axis), np.nanmedian(filled, axis=axis), np.nan)
    return median


def _outlier_limit(below: Float64s) -> float:
    values = below[~np.isnan(below)]
    spread = MAD_TO_SD * float(np.median(np.abs(values - np.median(values)))) if values.size else 0.0
    return max(MIN_OUTLIER_DISTANCE, OUTLIER_DEVIATIONS * spread)


def disagreement(ratings: Ratings, n_classes: int) -> npt.NDArray[np.float32]:
    """The share of raters [*S] who did not choose the most frequent class of the voxel; NaN where nobody judged."""
    patterns = find_patterns(ratings, n_classes)
    share = np.where(patterns.judges > 0, 1 - patterns.mean.max(axis=0), np.nan)
    spread: npt.NDArray[np.float32] = patterns.spread(share.astype(np.float32))
    return spread


def intervals(
    tallies: Sequence[Tally], means: Mapping[str, Float64s], *, resamples: int = 2000, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """95 % bootstrap intervals over subjects of "kappa", "alpha" and each mean of ``means``; NaN for fewer than 5 subjects.

    ``tallies`` and the values [N] of ``means`` have one entry for each subject; NaN values are left out.
    """
    if len(tallies) < 5:
        return dict.fromkeys(("kappa", "alpha", *means), (float("nan"), float("nan")))
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(tallies), np.full(len(tallies), 1 / len(tallies)), size=resamples).astype(np.float64)
    items, agreeing = (weights @ np.array([getattr(t, f) for t in tallies]) for f in ("items", "agreeing"))
    shares = weights @ np.stack([t.shares for t in tallies])
    matrices = np.einsum("bt,tij->bij", weights, np.stack([t.coincidence for t in tallies]))
    drawn = [Tally(*parts) for parts in zip(items, agreeing, shares, matrices, strict=True)]
    found = {"kappa": [fleiss_kappa(t) for t in drawn], "alpha": [krippendorff_alpha(t) for t in drawn]}
    found_intervals = {name: _percentile_interval(np.asarray(values)) for name, values in found.items()}
    for name, values in means.items():
        present = ~np.isnan(values)
        drawn_means = ratio(weights[:, present] @ values[present], weights[:, present].sum(axis=1))
        found_intervals[name] = _percentile_interval(drawn_means)
    return found_intervals


def _percentile_interval(values: Float64s) -> tuple[float, float]:
    values = values[~np.isnan(values)]
    low, high = np.percentile(values, (2.5, 97.5)) if values.size else (np.nan, np.nan)
    return float(low), float(high)
