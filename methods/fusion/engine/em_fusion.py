"""What all fusions by expectation maximisation have in common: they differ in what counts as evidence and what a rater is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Any, Literal, Self

import numpy as np
import numpy.typing as npt

from ....datasets.base import Case, Geometry
from ....errors import RaterbenchError
from ....parameters import Range
from ...base import Consensus, Fusion, Ratings
from .em import IMPOSSIBLE, Estimate, Prior, Votes, expect, expectation_maximisation, maximise
from .em import pool as pool_votes
from .patterns import Float64s, Patterns, find_patterns
from .rater_models import FullConfusion, RaterModel
from .region import FieldOfView, Region, field_of_view
from .ties import Ties, consensus

Pool = Literal["case", "dataset"]
Iterations = Annotated[int, Range(1)]
Tolerance = Annotated[float, Range(0)]
Margin = Annotated[int, Range(0)]


class EMFusion(Fusion):
    """A fusion that estimates the truth and the raters together. Subclasses say what is special about them in a hook or two.

    Args:
        max_iterations: where to stop at the latest; the status is then "not converged".
        tolerance: it stops when no parameter moves by more than this.
        ties: which class wins among equal posteriors.
        pool: ``"case"`` estimates the raters anew in every case. ``"dataset"`` learns them over all cases in ``fit``, and
            ``fuse`` then applies them; a rater not met in ``fit`` counts only where nobody else judged.
        region: ``"image"``, or ``"union"``: the estimate sees only the union of all masks and ``margin`` voxels around it
            along every axis, and everything beyond is what it is unanimously, background.
        margin: voxels; 2 as in Anima's mask, though that is a ball and this a box.
        prior: of the classes, ``"fixed"`` to the frequency of the raters' labels as in ITK, or ``"estimated"``. A fixed prior
            biases the estimated raters where classes are unequally common, because errors make the rare ones seem less rare.
    """

    listed = False

    def __init__(
        self,
        *,
        max_iterations: Iterations = 10_000,
        tolerance: Tolerance = 1e-7,
        ties: Ties = "lowest",
        pool: Pool = "case",
        region: Region = "image",
        margin: Margin = 2,
        prior: Prior = "fixed",
    ) -> None:
        self.max_iterations = max_iterations
        self.tolerance = tolerance
        self.ties = ties
        self.pool = pool
        self.region = region
        self.margin = margin
        self.prior = prior

    @property
    def needs_rater_identity(self) -> bool:
        return self.pool == "dataset"

    def check_evidence(self, data: Votes) -> None:
        """Raise a ``RaterbenchError`` where votes are too few to learn the raters from; a hook."""

    def read(self, ratings: Ratings, n_classes: int) -> Patterns:
        """The votes of a case; a hook for fusions that change them first."""
        return find_patterns(ratings, n_classes)

    def rater_weights(self, raters: tuple[str, ...]) -> Float64s | None:
        """How many votes each rater has [R]; None for one each."""
        del raters
        return None

    def non_evidence_patterns(self, patterns: Patterns) -> npt.NDArray[np.bool_]:
        """Patterns [P] that keep their mean vote and are no evidence; none by default."""
        return np.zeros(len(patterns.counts), dtype=bool)

    def rater_model(self) -> RaterModel:
        """What is assumed about a rater."""
        return FullConfusion()

    def fit(self, cases: Iterable[Case], n_classes: int) -> Self:
        """Learn every rater's confusion over all cases, where the pool is the data set; else there is nothing to learn."""
        self.check_parameters()
        if self.pool == "dataset":
            found = [self.read(case.ratings, n_classes) for case in cases]
            if not found:
                raise RaterbenchError(f'{self._name()}(pool="dataset") cannot be fitted on no case: give at least one')
            self.raters_ = tuple(sorted({rater for patterns in found for rater in patterns.raters}))
            data = [(patterns.raters, self._data(patterns, self._view(patterns))) for patterns in found]
            self.estimate_ = self._estimate(pool_votes(data, self.raters_))
            self.confusion_ = self.estimate_.performance
        return self

    def fuse(self, ratings: Ratings, n_classes: int, *, geometry: Geometry | None = None) -> Consensus:
        """Estimate the truth of one case; errors as in ``Fusion.fuse``, and one if ``fit`` is missing."""
        self.check_parameters()
        patterns = self.read(ratings, n_classes)
        pooled = self._fitted(n_classes) if self.pool == "dataset" else None
        view = self._view(patterns)
        data = self._data(patterns, view)
        # One rating agrees with nobody; if raters are known from other cases, it is worth what that rater is worth.
        alone = pooled is not None and len(patterns.raters) == 1 < len(self.raters_)
        if patterns.unanimous and not alone:
            return self._agreed(patterns, data, view)
        estimate = self._estimate(data) if pooled is None else self._apply(patterns, data, pooled)
        return self._finish(patterns, view, estimate, geometry)

    def _finish(self, patterns: Patterns, view: FieldOfView, estimate: Estimate, geometry: Geometry | None) -> Consensus:
        del geometry
        unused = self.non_evidence_patterns(patterns)
        fused = consensus(
            patterns,
            np.where(unused, patterns.mean, estimate.posterior) if unused.any() else estimate.posterior,
            self.ties,
            confusion=estimate.performance,
            log_likelihood=estimate.log_likelihood,
            iterations=len(estimate.log_likelihood),
            status=estimate.status,
            region=view.words,
            weights=self.rater_weights(patterns.raters),
        )
        return view.clear(fused, patterns)

    def _name(self) -> str:
        return type(self).__name__

    def _view(self, patterns: Patterns) -> FieldOfView:
        return field_of_view(patterns, self.region, self.margin)

    def _data(self, patterns: Patterns, view: FieldOfView) -> Votes:
        unused, weights = self.non_evidence_patterns(patterns), self.rater_weights(patterns.raters)
        votes = patterns.votes if weights is None else patterns.votes * weights[:, None, None]
        return Votes(votes, np.where(unused, 0, view.counts) if unused.any() else view.counts)

    def _fitted(self, n_classes: int) -> Estimate:
        if not hasattr(self, "estimate_"):
            raise RaterbenchError(f'{self._name()}(pool="dataset") knows no rater yet: call fit with the cases first')
        if len(self.estimate_.prior) != n_classes:
            known = len(self.estimate_.prior)
            raise RaterbenchError(f"{self._name()} was fitted on {known} classes and cannot fuse {n_classes}")
        return self.estimate_

    def _estimate(self, data: Votes) -> Estimate:
        self.check_evidence(data)
        return expectation_maximisation(
            data, max_iterations=self.max_iterations, tolerance=self.tolerance, prior=self.prior, model=self.rater_model()
        )

    def _agreed(self, patterns: Patterns, data: Votes, view: FieldOfView) -> Consensus:
        judged = patterns.mean * (patterns.judges > 0)
        confusion = maximise(Votes(data.votes, view.counts), judged, self.rater_model())
        more: dict[str, Any] = {"status": "degenerate", "region": view.words, "weights": self.rater_weights(patterns.raters)}
        return consensus(patterns, patterns.mean, self.ties, confusion=confusion, **more)

    def _apply(self, patterns: Patterns, data: Votes, pooled: Estimate) -> Estimate:
        """What the raters as they are known from all cases say about this case; strangers are unknown in every column."""
        place = {rater: r for r, rater in enumerate(self.raters_)}
        met = np.array([rater in place for rater in patterns.raters])
        rows = [place[rater] for rater in patterns.raters if rater in place]
        posterior, evidence = expect(data.votes[met], pooled.confusion[rows], pooled.prior)
        # A combination of votes that no class could have caused, or that only unknown raters gave, falls back on the mean.
        unheard = (evidence < IMPOSSIBLE / 2) | (patterns.votes[met].sum(axis=(0, 1)) == 0)
        confusion = np.full((len(patterns.raters), *pooled.confusion.shape[1:]), 1 / len(pooled.prior))
        known = np.zeros(confusion.shape[:2], dtype=bool)
        confusion[met], known[met] = pooled.confusion[rows], pooled.known[rows]
        return replace(pooled, posterior=np.where(unheard, patterns.mean, posterior), confusion=confusion, known=known)
