"""STAPLE: truth and raters estimated together, for each case or over a whole data set."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Self, get_args

import numpy as np

from ..datasets.base import Case, Geometry
from ..datasets.errors import RaterbenchError, nearest
from .base import Consensus, Fusion, Ratings
from .em import IMPOSSIBLE, Estimate, Votes, expect, expectation_maximisation, maximise
from .patterns import Float64s, Patterns, find_patterns
from .ties import Ties, consensus

Pool = Literal["case", "dataset"]


class STAPLE(Fusion):
    """Simultaneous truth and performance level estimation: voxels weigh raters by how well they do.

    Warfield, Zou and Wells (2004), IEEE TMI 23(7):903, for two classes; for more, one confusion matrix a rater, which is
    Dawid and Skene (1979) with a fixed prior. ``pool="case"`` estimates the raters anew in every case. ``pool="dataset"``
    learns them over all cases in ``fit``, and ``fuse`` then applies them; a rater not met in ``fit`` counts only where
    nobody else judged. Prior, start and stop are ITK's (``em.expectation_maximisation``); ``tolerance`` 1e-7 is
    ITK's 1e-14, which it compares with squares. Soft ratings split their vote (Kats, Goldberger and Greenspan, 2019).

    The probability is the posterior; it is close to 0 or 1 by construction, so do not read it as calibrated. The labels are
    its largest class, ``ties`` between equals; ``ties="foreground"`` is the customary threshold "at least 0.5" of two
    classes. Raters who agree everywhere, or a single one, get exactly their own labels and the status "degenerate".

    >>> import numpy as np
    >>> from raterbench.methods.staple import STAPLE
    >>> a, b, c = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0], [1, 1, 1, 0, 1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 1, 1, 0, 0, 0]
    >>> fused = STAPLE().fuse({"a": np.array(a), "b": np.array(b), "c": np.array(c)}, n_classes=2)
    >>> fused.labels.tolist(), fused.status, fused.iterations
    ([1, 1, 1, 0, 0, 0, 0, 0, 0, 0], 'ok', 65)
    >>> fused.confusion[:, 1, 1].round(3).tolist()  # sensitivity
    [1.0, 1.0, 0.68]
    """

    def __init__(
        self, *, max_iterations: int = 10_000, tolerance: float = 1e-7, ties: Ties = "lowest", pool: Pool = "case"
    ) -> None:
        self.max_iterations = max_iterations
        self.tolerance = tolerance
        self.ties = ties
        self.pool = pool

    def fit(self, cases: Iterable[Case], n_classes: int) -> Self:
        """Learn every rater's confusion over all cases, where the pool is the data set; else there is nothing to learn."""
        if self._pool() == "dataset":
            found = [find_patterns(case.ratings, n_classes) for case in cases]
            self.raters_ = tuple(sorted({rater for patterns in found for rater in patterns.raters}))
            self.estimate_ = self._estimate(_merge(found, self.raters_))
            self.confusion_ = self.estimate_.performance
        return self

    def fuse(self, ratings: Ratings, n_classes: int, *, geometry: Geometry | None = None) -> Consensus:
        """Estimate the truth of one case; errors as in ``Fusion.fuse``, and one if ``fit`` is missing."""
        del geometry
        patterns = find_patterns(ratings, n_classes)
        pooled = self._fitted(n_classes) if self._pool() == "dataset" else None
        if patterns.unanimous:
            return self._agreed(patterns)
        if pooled is None:
            estimate = self._estimate(Votes(patterns.votes, patterns.counts))
            posterior, confusion = estimate.posterior, estimate.performance
        else:
            estimate = pooled
            posterior, confusion = self._apply(patterns, pooled)
        return consensus(
            patterns,
            posterior,
            self.ties,
            confusion=confusion,
            log_likelihood=estimate.log_likelihood,
            iterations=len(estimate.log_likelihood),
            status="ok" if estimate.converged else "not converged",
        )

    def _pool(self) -> Pool:
        if self.pool not in get_args(Pool):
            raise RaterbenchError(f"STAPLE cannot pool over {self.pool!r}{nearest(str(self.pool), get_args(Pool))}")
        return self.pool

    def _fitted(self, n_classes: int) -> Estimate:
        if not hasattr(self, "estimate_"):
            raise RaterbenchError('STAPLE(pool="dataset") knows no rater yet: call fit with the cases first')
        if len(self.estimate_.prior) != n_classes:
            raise RaterbenchError(f"STAPLE was fitted on {len(self.estimate_.prior)} classes and cannot fuse {n_classes}")
        return self.estimate_

    def _estimate(self, data: Votes) -> Estimate:
        if self.max_iterations < 1:
            raise RaterbenchError(f"STAPLE needs at least one iteration, not {self.max_iterations}")
        return expectation_maximisation(data, max_iterations=self.max_iterations, tolerance=self.tolerance)

    def _agreed(self, patterns: Patterns) -> Consensus:
        data = Votes(patterns.votes, patterns.counts)
        judged = patterns.mean * (patterns.judges > 0)
        nothing = np.full((len(data.votes), len(judged), len(judged)), np.nan)
        confusion, _ = maximise(data, judged, nothing)
        return consensus(patterns, patterns.mean, self.ties, confusion=confusion, status="degenerate")

    def _apply(self, patterns: Patterns, pooled: Estimate) -> tuple[Float64s, Float64s]:
        place = {rater: r for r, rater in enumerate(self.raters_)}
        met = np.array([rater in place for rater in patterns.raters])
        rows = [place[rater] for rater in patterns.raters if rater in place]
        posterior, evidence = expect(patterns.votes[met], pooled.confusion[rows], pooled.prior)
        # A combination of votes that no class could have caused, or that only unknown raters gave, falls back on the mean.
        unheard = (evidence < IMPOSSIBLE / 2) | (patterns.votes[met].sum(axis=(0, 1)) == 0)
        confusion = np.full((len(patterns.raters), len(pooled.prior), len(pooled.prior)), np.nan)
        confusion[met] = pooled.performance[rows]
        return np.where(unheard, patterns.mean, posterior), confusion


def _merge(found: list[Patterns], raters: tuple[str, ...]) -> Votes:
    """The patterns of many cases as one set, with absent raters as "not judged"."""
    if not found:
        raise RaterbenchError('STAPLE(pool="dataset") cannot be fitted on no case: give at least one')
    widened = []
    for patterns in found:
        votes = np.zeros((len(raters), *patterns.votes.shape[1:]))
        votes[[raters.index(rater) for rater in patterns.raters]] = patterns.votes
        widened.append(votes)
    votes = np.concatenate(widened, axis=2)
    unique, code = np.unique(votes.reshape(-1, votes.shape[2]), axis=1, return_inverse=True)
    counts = np.bincount(code.ravel(), weights=np.concatenate([p.counts for p in found])).astype(np.int64)
    return Votes(unique.reshape(*votes.shape[:2], -1), counts)
