"""Learn from so many careful and so many cheap annotations, as if no others had been made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Self

import torch

from ...datasets.base import Case, Dataset
from ...datasets.instances.two_qualities import equidistant_cases
from ...errors import RaterbenchError
from ...parameters import Range
from ..base import Method
from ..learning.budget import Budget
from ..learning.recipes import Recipe
from ..networks.segmenter_holder import SegmenterHolder
from .views import HQ, LQ, ONE_CASE, CaseView, Place, check_two_qualities, missing_raters, places_rated_by, split_places

Count = Annotated[int, Range(0, 1_000_000)]


class AnnotationBudget(SegmenterHolder):
    """Fits a method to a given number of careful and of cheap annotations of training and validation cases.

    The cases are far from one another, in turn from each subject (``equidistant_cases``), and no image decides about them:
    first those with a careful annotation, then those with a cheap one among the cases that are left. The chosen cases of the
    training and the validation part are pooled, and a fifth of the careful and of the cheap ones, drawn by case, validates. So
    candidates with other numbers ask what annotations are worth, and where data have all annotations of all cases, most of them
    stay unseen.

    Args:
        segmenter: the method, which may itself hold methods; None is ``FusedLabels()`` with ``recipe`` and ``budget``.
        careful: cases with the annotations of the careful raters.
        cheap: cases with those of the cheap raters alone; None is all others that they rated.
        shared: the cheap raters annotate the careful cases, too, so that their errors can be estimated.
        subjects: from how many subjects the careful cases come; None is all.
        hq, lq: the careful and the cheap raters.
        recipe, budget: of the segmenter where none is given; one that is given has its own.

    After ``fit``: ``segmenter_``, and ``careful_cases_``, the names of the careful cases.

    >>> from raterbench.methods import AnnotationBudget
    >>> AnnotationBudget(careful=5, cheap=45).check_parameters()
    """

    def __init__(
        self,
        *,
        segmenter: Method | None = None,
        careful: Count = 5,
        cheap: Count | None = None,
        shared: bool = False,
        subjects: Annotated[int, Range(1, 1_000_000)] | None = None,
        hq: tuple[str, ...] = HQ,
        lq: tuple[str, ...] = LQ,
        recipe: Recipe | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.segmenter = segmenter
        self.careful, self.cheap, self.shared, self.subjects = careful, cheap, shared, subjects
        self.hq, self.lq = hq, lq
        self.recipe = recipe
        self.budget = budget

    @property
    def needs_rater_identity(self) -> bool:
        return True

    def skip_reason(self, dataset: Dataset) -> str | None:
        return missing_raters(dataset, [*self.hq, *self.lq]) or super().skip_reason(dataset)

    def check_parameters(self) -> None:
        """Check the parameters, and those of the segmenter.

        Raises:
            RaterbenchError: one is wrong; a rater is in ``hq`` and in ``lq``; or no annotation is asked for.
        """
        super().check_parameters()
        check_two_qualities(self.hq, self.lq, type(self).__name__)
        if not self.careful and self.cheap == 0:
            raise RaterbenchError("AnnotationBudget: careful = 0 and cheap = 0 leave nothing to learn from: raise one of them")

    def fit(self, train: Dataset, validation: Dataset, *, seed: int, device: str | torch.device = "cpu") -> Self:
        """Fit the segmenter; errors as there.

        Raises:
            RaterbenchError: more careful or cheap cases are asked for than there are, or none is left to learn from.
        """
        self.check_parameters()
        careful = _chosen(places_rated_by(self.hq, train, validation), self.careful, self.subjects, "careful")
        self.careful_cases_ = {place.case for place in careful}
        left = [place for place in places_rated_by(self.lq, train, validation) if place.case not in self.careful_cases_]
        cheap = _chosen(left, len(left) if self.cheap is None else self.cheap, None, "cheap")
        if not careful and not cheap:
            raise RaterbenchError(
                f"AnnotationBudget: careful = 0, and no training or validation case is annotated by "
                f"{' or '.join(map(repr, self.lq))}: raise careful, or name others in lq"
            )
        learned, held_out = split_places([careful, cheap], seed)
        views = [self._view(places) for places in (learned, held_out)]
        self.fit_segmenter(*views, seed=seed, device=device)
        self.warnings_ = [ONE_CASE] if len(careful) + len(cheap) == 1 else []
        return self

    def _view(self, places: Sequence[Place]) -> CaseView:
        there = [tuple(rater for rater in self._asked(place.case) if rater in place.raters) for place in places]
        return CaseView(places, there, self._annotated)

    def _annotated(self, case: Case) -> Case:
        ratings = {rater: case.ratings[rater] for rater in self._asked(case.id) if rater in case.ratings}
        return replace(case, ratings=ratings).blind(self.needs)

    def _asked(self, case: str) -> tuple[str, ...]:
        """Whose annotations of a chosen case are learned from, if they are there."""
        if case not in self.careful_cases_:
            return self.lq
        return (*self.hq, *self.lq) if self.shared else self.hq


def _chosen(places: Sequence[Place], count: int, subjects: int | None, where: str) -> list[Place]:
    """So many of the places, far from one another."""
    if not count:
        return []
    named = [place.subject for place in places]
    most = len(set(named)) if subjects is None else subjects
    return [places[i] for i in equidistant_cases(named, count, most, f"AnnotationBudget: {where}")]
