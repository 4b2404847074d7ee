"""What is believed of each rater, held against what that rater really did: on every case, and pooled over a fold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ...datasets.base import IGNORE, Case, Floats, Labels
from ...errors import RaterbenchError
from ...voxel_counts import Counts, Doubles, argmax_with_confidence, ratio
from ..metrics.base import MetricBase, RaterMetric
from ..metrics.confusion import confusion_counts, confusion_from_counts, sums_over_truth
from ..store.units import Estimates, RaterErrors
from .references import NO_REFERENCE, RATERS

TRUTH, OTHERS = "truth", "others"
MOST_BY_CASE = 4_000_000
"""Numbers that are kept of single cases, 16 MB; beyond, the matrices over all cases are kept alone."""
ROUNDING = 1e-3
"""How far outside 0 to 1 a reliability may be: maps are interpolated and multiplied in float32."""

Confusions = Mapping[str, Doubles]
"""A rater's name to a confusion [K, K], or of every voxel [K, K, *S]."""


@dataclass(frozen=True, eq=False)
class ObservedConfusions:
    """What each rater of a case did: ``true`` [*S] is what the labels are held against, ``counts`` [K, K] what came out.

    ``reference`` is ``truth``, or ``others`` where nobody knows it: the majority of the other raters of the case, which a
    single rater does not have. Voxels that the rater did not judge are ``IGNORE`` in ``true``.
    """

    reference: str
    raters: tuple[str, ...]
    true: Mapping[str, Labels]
    counts: Mapping[str, Counts]


def observed_confusions(case: Case, n_classes: int) -> ObservedConfusions:
    """What the raters of a case did, against the truth where it is known."""
    if case.truth is not None:
        against = dict.fromkeys(case.ratings, case.truth.labels)
    else:
        against = dict(_others(case.ratings, n_classes)) if len(case.ratings) > 1 else {}
    true = {rater: _judged(labels, case.ratings[rater]) for rater, labels in against.items()}
    counts = {rater: confusion_counts(case.ratings[rater], labels, n_classes) for rater, labels in true.items()}
    return ObservedConfusions(OTHERS if case.truth is None else TRUTH, tuple(case.ratings), true, counts)


def _judged(true: Labels, labels: Labels) -> Labels:
    unjudged = labels == IGNORE
    return np.where(unjudged, np.uint8(IGNORE), true) if unjudged.any() else true


def _others(ratings: Mapping[str, Labels], n_classes: int) -> Iterator[tuple[str, Labels]]:
    """The majority of the others for each rater: all votes are counted once, and a rater's own are taken away."""
    classes = np.arange(n_classes, dtype=np.uint8)
    shape = (-1, *[1] * next(iter(ratings.values())).ndim)
    own = {rater: labels == classes.reshape(shape) for rater, labels in ratings.items()}
    votes = sum(own.values(), np.zeros(next(iter(own.values())).shape, np.float32))
    for rater, mine in own.items():
        labels, most = argmax_with_confidence(votes - mine)
        labels[most == 0] = IGNORE
        yield rater, labels


@dataclass(eq=False)
class _Pool:
    """Sums over the cases of a fold, [K, K] each: an estimate, the voxels behind it, and what the rater did."""

    sums: Doubles
    voxels: Doubles
    counts: Counts


@dataclass(eq=False)
class RaterEstimates:
    """What one candidate believes of the raters, gathered over the test cases of a unit.

    ``images`` has, for each case that was added, the estimated and the true matrix of each of its raters.
    """

    classes: Sequence[str]
    metrics: Sequence[MetricBase]
    images: list[dict[str, tuple[Doubles, Doubles]]] = field(default_factory=list)
    _pools: dict[tuple[str, str], _Pool] = field(default_factory=dict)

    def add(self, estimates: Confusions, case: Case, done: ObservedConfusions) -> dict[tuple[RaterMetric, str], float]:
        """Add a case, and give the mean over its raters of each metric of raters, by metric and reference.

        The reference ``raters`` says that nobody knows the truth, and the other raters are taken for it. A case whose single
        rater can be compared with nothing gives no value.

        Raises:
            RaterbenchError: an estimate has the wrong shape.
        """
        pairs: dict[str, tuple[Doubles, Doubles]] = {}
        for rater in done.raters:
            if rater not in estimates:
                continue
            estimate = np.asarray(estimates[rater])
            check_confusion(estimate, rater, case, len(self.classes))
            if rater not in done.true:
                self._pool(NO_REFERENCE, rater, *_plain(estimate), np.zeros(estimate.shape[:2], np.int64))
                continue
            sums, voxels = _weighed(estimate, done.true[rater], done.counts[rater])
            self._pool(done.reference, rater, sums, voxels, done.counts[rater])
            pairs[rater] = (ratio(sums, voxels), confusion_from_counts(done.counts[rater]))
        self.images.append(pairs)
        if not pairs:
            return {}
        reference = TRUTH if done.reference == TRUTH else RATERS
        chosen = [metric for metric in self.metrics if isinstance(metric, RaterMetric)]
        return {(m, reference): _mean([m.measure_rater(*pair) for pair in pairs.values()]) for m in chosen}

    def errors(self, raters: Sequence[str]) -> RaterErrors:
        """Each rater over all cases that were added, as pooled, and case by case; without raters if nothing was estimated.

        Column j is the mean over all voxels of class j, of the estimate as of the truth. Cases with a known truth are not
        mixed with others. A rater who can be held against nothing has the plain mean, and NaN for the truth.
        """
        chosen = {
            rater: next(name for name in (TRUTH, OTHERS, NO_REFERENCE) if (name, rater) in self._pools)
            for rater in raters
            if any(rater == pooled for _, pooled in self._pools)
        }
        pools = [self._pools[reference, rater] for rater, reference in chosen.items()]
        shape = (len(pools), len(self.classes), len(self.classes))
        estimate = np.array([ratio(pool.sums, pool.voxels) for pool in pools]).reshape(shape)
        truth = np.array([confusion_from_counts(pool.counts) for pool in pools]).reshape(shape)
        return RaterErrors(tuple(chosen), tuple(chosen.values()), estimate, truth, self._by_case(list(chosen)))

    def _by_case(self, raters: Sequence[str]) -> npt.NDArray[np.float32] | None:
        shape = (len(self.images), len(raters), 2, len(self.classes), len(self.classes))
        if np.prod(shape) > MOST_BY_CASE or not any(self.images):
            return None
        packed = np.full(shape, np.nan, np.float32)
        for row, pairs in enumerate(self.images):
            for rater, pair in pairs.items():
                packed[row, raters.index(rater)] = pair
        return packed

    def _pool(self, reference: str, rater: str, sums: Doubles, voxels: Doubles, counts: Counts) -> None:
        pool = self._pools.setdefault(
            (reference, rater), _Pool(np.zeros_like(sums), np.zeros_like(voxels), np.zeros_like(counts))
        )
        pool.sums += sums
        pool.voxels += voxels
        pool.counts += counts


def check_confusion(estimate: Doubles, rater: str, case: Case, n_classes: int) -> None:
    """Raise a RaterbenchError if the confusion of a rater has neither the shape [K, K] nor [K, K, *S]."""
    square = (n_classes, n_classes)
    if estimate.shape not in (square, (*square, *case.shape)):
        expected = f"{square} or {(*square, *case.shape)}"
        got = f"the confusion of {rater!r} has the shape {estimate.shape}"
        raise RaterbenchError(f"case {case.id!r}: {got}, not {expected}")


def mean_confusions(estimates: Confusions, case: Case, done: ObservedConfusions, n_classes: int) -> Estimates:
    """One matrix [K, K] for each rater of the case: that of every voxel as its mean over the voxels of each true class.

    Raises:
        RaterbenchError: a matrix has the wrong shape.
    """
    found = {}
    for rater in done.raters:
        if rater in estimates:
            estimate = np.asarray(estimates[rater], np.float64)
            check_confusion(estimate, rater, case, n_classes)
            if estimate.ndim > 2 and rater in done.true:
                estimate = ratio(*_weighed(estimate, done.true[rater], done.counts[rater]))
            elif estimate.ndim > 2:
                estimate, _ = _plain(estimate)
            found[rater] = estimate
    return Estimates(tuple(found), np.stack(list(found.values())) if found else np.zeros((0, 0, 0)))


def reliability_maps(
    given: Mapping[str, Floats] | None, estimates: Confusions | None, probability: Floats, case: Case
) -> dict[str, Floats]:
    """How far each rater is believed at each voxel, [*S] in 0..1: what a method gives, else what its confusions say.

    From a confusion A of every voxel and the prediction p that is ``sum_j p_j A[j, j]``, the probability that the rater says
    the truth. Raters who were never seen (all NaN) are left out.

    Raises:
        RaterbenchError: a map has the wrong shape, or values outside 0 to 1.
    """
    if given is None:
        fields = {rater: estimate for rater, estimate in (estimates or {}).items() if np.ndim(estimate) > 2}
        given = {rater: np.einsum("jj...,j...->...", field, probability) for rater, field in fields.items()}
    found = {rater: np.asarray(map_, np.float32) for rater, map_ in given.items() if not np.isnan(map_).all()}
    for rater, map_ in found.items():
        if map_.shape != case.shape:
            raise RaterbenchError(
                f"case {case.id!r}: the reliability of {rater!r} has the shape {map_.shape}, not {case.shape}"
            )
        if not ((map_ > -ROUNDING) & (map_ < 1 + ROUNDING)).all():
            raise RaterbenchError(f"case {case.id!r}: the reliability of {rater!r} has values outside 0 to 1")
    return {rater: np.clip(map_, 0, 1) for rater, map_ in found.items()}


def _weighed(estimate: Doubles, true: Labels, counts: Counts) -> tuple[Doubles, Doubles]:
    """Sums over the voxels of each true class, and how many they are, [K, K] each; without what is NaN."""
    if estimate.ndim > 2:
        sums, voxels = sums_over_truth(estimate, true)
        return sums, voxels.astype(np.float64)
    known = ~np.isnan(estimate)
    weights: Doubles = np.where(known, counts.sum(axis=0), 0).astype(np.float64)
    return np.where(known, estimate, 0.0) * weights, weights


def _plain(estimate: Doubles) -> tuple[Doubles, Doubles]:
    """The mean over all voxels with a weight of 1, for a rater of whom no true class is known."""
    flat = estimate.reshape(*estimate.shape[:2], -1)
    known = ~np.isnan(flat)
    mean = ratio(np.where(known, flat, 0.0).sum(axis=2), known.sum(axis=2), otherwise=0.0)
    weights: Doubles = np.asarray(known.any(axis=2), np.float64)
    return mean, weights


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
