"""How much raters agree, from counted patterns of votes: chance-corrected coefficients, pairs, and who stands apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...methods.base import Ratings
from ...methods.fusion.engine.patterns import Patterns, find_patterns

Float64s = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

SPREADS = 3.5
"""Robust standard deviations beyond which a value is outlying (Iglewicz and Hoaglin, 1993)."""
LEAST = 0.05
"""A Dice that is not at least this far off is never outlying, however alike all others are."""
MOST_TIMES = 8.0
"""Ratios of two raters' volumes beyond this count as this: one slip of the pen must not decide about a rater."""
TO_SD = 1.4826
"""From the median absolute deviation to the standard deviation of a normal distribution."""


@dataclass(frozen=True, eq=False)
class Tally:
    """Everything both coefficients need, summed over voxels that at least two raters judged; tallies add up over cases.

    ``items`` voxels; ``agreeing``, the sum over them of the share of pairs of raters that agree; ``shares`` [K], the sum of
    the shares of each class; ``coincidence`` [K, K], Krippendorff's matrix.
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
    """The tally of ``counts`` [P] items of each pattern ``votes`` [P, K], how many raters chose each class."""
    judges = votes.sum(axis=1)
    enough = judges > 1
    votes, judges, weight = votes[enough], judges[enough], counts[enough].astype(np.float64)
    agreeing = (votes * (votes - 1)).sum(axis=1) / (judges * (judges - 1))
    weighed = votes * (weight / (judges - 1))[:, None]
    coincidence = weighed.T @ votes - np.diag(weighed.sum(axis=0))
    shares = (votes * (weight / judges)[:, None]).sum(axis=0)
    return Tally(float(weight.sum()), float(agreeing @ weight), shares, coincidence)


def tally_patterns(patterns: Patterns) -> Tally:
    """The tally of one case."""
    return tally(patterns.votes.sum(axis=0).T, patterns.counts)


def fleiss_kappa(found: Tally) -> float:
    """Agreement of pairs of raters beyond chance, 1 at best and 0 by chance.

    Fleiss (1971), eqs. 4 to 7. Where items have different numbers of raters, chance is the mean of each item's shares
    (Gwet, 2014). NaN where only one class was ever used: nothing then tells agreement from chance.
    """
    if not found.items:
        return float("nan")
    by_chance = float(((found.shares / found.items) ** 2).sum())
    return (found.agreeing / found.items - by_chance) / (1 - by_chance) if by_chance < 1 else float("nan")


def krippendorff_alpha(found: Tally) -> float:
    """One minus observed over expected disagreement, for nominal classes and any missing ratings.

    Krippendorff (2011), "Computing Krippendorff's alpha-reliability", section D. NaN where only one class was ever used.
    """
    totals = found.coincidence.sum(axis=0)
    n = float(totals.sum())
    observed = n - float(np.trace(found.coincidence))
    expected = n * n - float((totals**2).sum())
    return 1 - (n - 1) * observed / expected if expected > 0 else float("nan")


@dataclass(frozen=True, eq=False)
class PairCounts:
    """Voxels of each foreground class in the pairs of a case's raters, counted where both judged.

    ``both`` [K - 1, R, R] that both marked; ``size`` [K - 1, R, R] that the first marked; ``common`` [R, R] that both judged.
    """

    both: Float64s
    size: Float64s
    common: Float64s


def pair_counts(patterns: Patterns) -> PairCounts:
    """Count the voxels of all pairs of raters."""
    judged, marked = patterns.votes.sum(axis=1), patterns.votes.transpose(1, 0, 2)[1:]
    weighed = marked * patterns.counts
    return PairCounts(weighed @ marked.transpose(0, 2, 1), weighed @ judged.T, judged @ (judged * patterns.counts).T)


def pair_dice(counts: PairCounts, *, empty: float = np.nan) -> Float64s:
    """Dice [K - 1, R, R] of each foreground class between raters, where both judged; ``empty`` if neither marked the class.

    NaN says that there is nothing to compare. A Dice of 1 for it would make raters look the better the more cases lack a
    class. NaN, too, for raters without a voxel that both judged.
    """
    total = counts.size + counts.size.transpose(0, 2, 1)
    dice: Float64s = np.divide(2 * counts.both, total, out=np.full_like(total, empty), where=total > 0)
    dice[:, counts.common == 0] = np.nan
    return dice


def volume_bias(counts: PairCounts) -> Float64s:
    """How much larger [K - 1, R] each rater's mask is than those of the others: .2 is 20 % more, NaN where nobody marked.

    The geometric mean, over the other raters, of the ratio of both volumes on the voxels that both judged; a rater's bias is
    the mean of its ``log1p`` over cases. Ratios beyond 8 times, such as with an empty mask, count as 8, and two empty masks
    are alike where somebody else marked the class.

    Raters who do not differ but by chance have the bias 0, whatever their number and the spread of their volumes: exchanging
    two of them turns the sign of the (cut) logarithm of their ratio, so its expectation is 0, and so is that of its mean over
    raters, cases and classes. Neither a ratio to the mean of the others (1 / x is convex) nor one to a consensus has this
    property: a consensus of two is their intersection or their union, and its size is nobody's.
    """
    size, other = counts.size, counts.size.transpose(0, 2, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.clip(np.log(size / other), -np.log(MOST_TIMES), np.log(MOST_TIMES))
    logs[(size == 0) & (other == 0)] = 0.0
    pairs = (counts.common > 0) & ~np.eye(len(counts.common), dtype=bool)
    marked = size.max(axis=(1, 2), initial=0.0) > 0
    n = np.where(marked[:, None], pairs.sum(axis=1), 0)
    total = np.where(pairs, logs, 0.0).sum(axis=2)
    mean: Float64s = np.divide(total, n, out=np.full_like(total, np.nan), where=n > 0)
    return np.expm1(mean)


@dataclass(frozen=True)
class Suspect:
    """A rating to look at again: ``what`` is "identical" (to that of ``other``), "empty", or "touches nobody"."""

    rater: str
    what: str
    other: str = ""


def suspects(patterns: Patterns) -> list[Suspect]:
    """Ratings that are the same as another's, mark nothing where others do, or mark only what nobody else does.

    Ratings without any foreground are no copies of each other.
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
class Apart:
    """Values [n] against the middle of their kind: ``below`` [n] how far under it, ``limit`` from where that is outlying."""

    below: Float64s
    limit: float

    @property
    def outlying(self) -> Bools:
        """Which are outlying [n]; NaN never is."""
        found: Bools = np.nan_to_num(self.below, nan=-np.inf) > self.limit
        return found


def low_cases(agreement: Float64s) -> Apart:
    """Cases [N] whose agreement is far under the middle case: more than 3.5 robust standard deviations and 0.05."""
    below = _middle(agreement, axis=0) - agreement
    return Apart(below, _limit(below))


def low_raters(dice: Float64s) -> tuple[Apart, Float64s]:
    """Raters [R] who stand apart, from each one's Dice [N, R] against the consensus of the others; NaN where not rated.

    In every case with at least three raters each is held to the middle one. A rater's value is the median over the cases;
    it is outlying beyond 3.5 robust standard deviations (of all raters in all cases) and 0.05. The second result is how
    far each rating [N, R] is below the middle rater of its case.
    """
    enough = (~np.isnan(dice)).sum(axis=1) >= 3
    below = np.where(enough[:, None], _middle(dice, axis=1)[:, None] - dice, np.nan)
    return Apart(_middle(below, axis=0), _limit(below)), below


def _middle(values: Float64s, axis: int) -> Float64s:
    """The median of what is known, NaN where nothing is."""
    known = ~np.isnan(values)
    filled = np.where(known.any(axis=axis, keepdims=True), values, 0.0)
    middle: Float64s = np.where(known.any(axis=axis), np.nanmedian(filled, axis=axis), np.nan)
    return middle


def _limit(below: Float64s) -> float:
    known = below[~np.isnan(below)]
    spread = TO_SD * float(np.median(np.abs(known - np.median(known)))) if known.size else 0.0
    return max(LEAST, SPREADS * spread)


def disagreement(ratings: Ratings, n_classes: int) -> npt.NDArray[np.float32]:
    """The share of raters [*S] who do not say what most say; NaN where nobody judged."""
    patterns = find_patterns(ratings, n_classes)
    share = np.where(patterns.judges > 0, 1 - patterns.mean.max(axis=0), np.nan)
    spread: npt.NDArray[np.float32] = patterns.spread(share.astype(np.float32))
    return spread


def intervals(
    tallies: Sequence[Tally], means: Mapping[str, Float64s], *, resamples: int = 2000, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """95 % bootstrap intervals over subjects of "kappa", "alpha" and the mean of each of ``means``; NaN for fewer than 5.

    ``tallies`` and the values [N] of ``means`` have one entry a subject; NaN values are left out.
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
    between = {name: _between(np.asarray(values)) for name, values in found.items()}
    for name, values in means.items():
        known = ~np.isnan(values)
        total = weights[:, known].sum(axis=1)
        drawn_means = np.divide(weights[:, known] @ values[known], total, out=np.full(resamples, np.nan), where=total > 0)
        between[name] = _between(drawn_means)
    return between


def _between(values: Float64s) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    low, high = np.percentile(known, (2.5, 97.5)) if known.size else (np.nan, np.nan)
    return float(low), float(high)
