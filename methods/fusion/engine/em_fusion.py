"""Base class of all fusions by expectation maximisation; subclasses choose the voxels used and the rater model."""

# Annotations are evaluated here, unlike elsewhere: subclasses in other modules inherit them as parameters of their __init__.

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Literal, Self

import numpy as np

from ....datasets.base import Case, Geometry
from ....errors import RaterbenchError
from ....parameters import Range
from ...base import Consensus, Fusion, Ratings
from .consensus import make_consensus
from .em import IMPOSSIBLE, EMEstimate, Prior, Votes, expect, expectation_maximisation, maximise, pool_votes
from .patterns import Bools, Float64s, Patterns, find_patterns
from .rater_models import FullConfusion, RaterModel
from .region import FieldOfView, Region, field_of_view
from .ties import Ties

Pool = Literal["case", "dataset"]


@dataclass(kw_only=True, eq=False, repr=False)
class EMFusion(Fusion):
    """Estimates the truth and the raters' performance together.

    The parameters are fields of a dataclass, so a subclass that is one, too, lists only those that it adds or changes.
    Subclasses override one or more of the hooks ``check_evidence``, ``read``, ``rater_weights``, ``non_evidence_patterns`` and
    ``rater_model``.

    Args:
        max_iterations: the last iteration; if it is reached, the status is "not converged".
        tolerance: iteration stops when no parameter changes by more than this.
        ties: the class that wins among equal posteriors.
        pool: ``"case"`` estimates the raters anew in each case. ``"dataset"`` estimates them over all cases in ``fit``, and
            ``fuse`` applies them; raters who were not in ``fit`` count only where nobody else judged.
        region: ``"image"``, or ``"union"``: only the union of all masks and ``margin`` voxels around it along every axis are
            evidence, and all voxels outside, where the raters say background unanimously, are background.
        margin: in voxels; 2 as in Anima's mask, which is a ball where this is a box.
        prior: of the classes; ``"fixed"`` is the frequency of the raters' labels as in ITK. It biases the estimated raters
            where some classes are rare, because errors make rare classes seem less rare; ``"estimated"`` does not.
    """

    max_iterations: Annotated[int, Range(1)] = 10_000
    tolerance: Annotated[float, Range(0)] = 1e-7
    ties: Ties = "lowest"
    pool: Pool = "case"
    region: Region = "image"
    margin: Annotated[int, Range(0)] = 2
    prior: Prior = "fixed"

    listed = False

    @property
    def needs_rater_identity(self) -> bool:
        return self.pool == "dataset"

    def check_evidence(self, data: Votes) -> None:
        """Raise a ``RaterbenchError`` if there are too few votes to estimate the raters; a hook."""

    def read(self, ratings: Ratings, n_classes: int) -> Patterns:
        """Read the votes of a case; a hook for fusions that change them first."""
        return find_patterns(ratings, n_classes)

    def rater_weights(self, raters: tuple[str, ...]) -> Float64s | None:
        """Number of votes of each rater [R]; None for one each. A hook."""
        del raters
        return None

    def non_evidence_patterns(self, patterns: Patterns) -> Bools:
        """Patterns [P] that are no evidence and keep their mean vote; none by default. A hook."""
        return np.zeros(len(patterns.counts), dtype=bool)

    def rater_model(self) -> RaterModel:
        """The model of a rater; a hook."""
        return FullConfusion()

    def fit(self, cases: Iterable[Case], n_classes: int) -> Self:
        """Estimate each rater's confusion matrix over all cases if ``pool`` is "dataset"; else there is nothing to fit."""
        self.check_parameters()
        if self.pool == "dataset":
            found = [self.read(case.ratings, n_classes) for case in cases]
            if not found:
                raise RaterbenchError(f'{type(self).__name__}(pool="dataset") got no case to fit: give at least one')
            self.raters_ = tuple(sorted({rater for patterns in found for rater in patterns.raters}))
            views = [field_of_view(patterns, self.region, self.margin) for patterns in found]
            data = [(patterns.raters, self._evidence(patterns, view)) for patterns, view in zip(found, views, strict=True)]
            self.estimate_ = self.estimate(pool_votes(data, self.raters_))
            self.confusion_ = self.estimate_.performance
        return self

    def fuse(self, ratings: Ratings, n_classes: int, *, geometry: Geometry | None = None) -> Consensus:
        """Estimate the truth of one case; errors as in ``Fusion.fuse``, and one if ``fit`` is missing."""
        self.check_parameters()
        patterns = self.read(ratings, n_classes)
        pooled = self._pooled_estimate(n_classes) if self.pool == "dataset" else None
        view = field_of_view(patterns, self.region, self.margin)
        data = self._evidence(patterns, view)
        # A single rating is unanimous; but where the rater is known from other cases, it is only as good as that rater.
        known_and_alone = pooled is not None and len(patterns.raters) == 1 < len(self.raters_)
        if patterns.unanimous and not known_and_alone:
            judged = patterns.mean * (patterns.judges > 0)
            return make_consensus(
                patterns,
                patterns.mean,
                self.ties,
                confusion=maximise(Votes(data.votes, view.counts), judged, self.rater_model()),
                status="degenerate",
                region=view.words,
                weights=self.rater_weights(patterns.raters),
            )
        estimate = self.estimate(data) if pooled is None else self._apply_pooled(patterns, data, pooled)
        return self.to_consensus(patterns, view, estimate, geometry)

    def estimate(self, data: Votes) -> EMEstimate:
        """Run the expectation maximisation on the evidence of a case, or of all cases."""
        self.check_evidence(data)
        return expectation_maximisation(
            data, max_iterations=self.max_iterations, tolerance=self.tolerance, prior=self.prior, model=self.rater_model()
        )

    def to_consensus(self, patterns: Patterns, view: FieldOfView, estimate: EMEstimate, geometry: Geometry | None) -> Consensus:
        """Make the consensus of a case from the estimate."""
        del geometry
        unused = self.non_evidence_patterns(patterns)
        fused = make_consensus(
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
        return view.set_background(fused, patterns)

    def _evidence(self, patterns: Patterns, view: FieldOfView) -> Votes:
        """The weighted votes of a case; patterns that are no evidence count 0 voxels."""
        unused, weights = self.non_evidence_patterns(patterns), self.rater_weights(patterns.raters)
        votes = patterns.votes if weights is None else patterns.votes * weights[:, None, None]
        return Votes(votes, np.where(unused, 0, view.counts) if unused.any() else view.counts)

    def _pooled_estimate(self, n_classes: int) -> EMEstimate:
        name = type(self).__name__
        if not hasattr(self, "estimate_"):
            raise RaterbenchError(f'{name}(pool="dataset") has not been fitted: call fit with the cases first')
        fitted = len(self.estimate_.prior)
        if fitted != n_classes:
            raise RaterbenchError(f"{name} was fitted on {fitted} classes and cannot fuse {n_classes}: fit it again")
        return self.estimate_

    def _apply_pooled(self, patterns: Patterns, data: Votes, pooled: EMEstimate) -> EMEstimate:
        """Apply the raters estimated over all cases to one case; raters not in ``fit`` are estimable in no column."""
        row_of = {rater: r for r, rater in enumerate(self.raters_)}
        met = np.array([rater in row_of for rater in patterns.raters])
        rows = [row_of[rater] for rater in patterns.raters if rater in row_of]
        posterior, evidence = expect(data.votes[met], pooled.confusion[rows], pooled.prior)
        # Votes that are impossible for every class, and votes of raters not in fit alone, fall back on their mean.
        fall_back = (evidence < IMPOSSIBLE / 2) | (patterns.votes[met].sum(axis=(0, 1)) == 0)
        confusion = np.full((len(patterns.raters), *pooled.confusion.shape[1:]), 1 / len(pooled.prior))
        estimable = np.zeros(confusion.shape[:2], dtype=bool)
        confusion[met], estimable[met] = pooled.confusion[rows], pooled.estimable[rows]
        posterior = np.where(fall_back, patterns.mean, posterior)
        return replace(pooled, posterior=posterior, confusion=confusion, estimable=estimable)
