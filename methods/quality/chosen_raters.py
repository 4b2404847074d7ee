"""Learn from some of the raters alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, Self

import torch

from ...datasets.base import Case, Dataset
from ...errors import RaterbenchError
from ..base import Method
from ..learning.budget import Budget
from ..learning.recipes import Recipe
from ..networks.segmenter_holder import SegmenterHolder
from .views import HQ, ONE_CASE, CaseView, missing_raters, places_rated_by, split_places


class ChosenRaters(SegmenterHolder):
    """Fits a method to the ratings of some raters; cases that none of them rated are left out.

    With annotations of two qualities: ``raters = ["hq"]`` learns from the careful annotations alone, ``["lq"]`` from the cheap
    ones alone, and ``["hq", "lq"]`` with ``each_case = "first"`` from both, where a careful one takes the place of a cheap one.

    Args:
        segmenter: the method, which may itself hold methods; None is ``FusedLabels()`` with ``recipe`` and ``budget``.
        raters: the names of the raters, the first the most trusted.
        each_case: ``all`` of these raters of a case are learned from, or only the ``first`` of them who rated it.
        pooled: pool the cases that are left in the training and in the validation part, and draw anew a fifth of them, by case
            and not by subject, to validate: for few cases. Without it they are pooled where a part would have none.
        recipe, budget: of the segmenter where none is given; one that is given has its own.

    After ``fit``: ``segmenter_``.

    >>> from raterbench.methods import ChosenRaters
    >>> ChosenRaters(raters=("hq", "lq"), each_case="first").check_parameters()
    """

    def __init__(
        self,
        *,
        segmenter: Method | None = None,
        raters: tuple[str, ...] = HQ,
        each_case: Literal["all", "first"] = "all",
        pooled: bool = False,
        recipe: Recipe | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.segmenter = segmenter
        self.raters = raters
        self.each_case = each_case
        self.pooled = pooled
        self.recipe = recipe
        self.budget = budget

    @property
    def needs_rater_identity(self) -> bool:
        return True

    def skip_reason(self, dataset: Dataset) -> str | None:
        return missing_raters(dataset, self.raters) or super().skip_reason(dataset)

    def n_networks(self, n_raters: int) -> int:
        return super().n_networks(min(n_raters, len(self.raters)))

    def check_parameters(self) -> None:
        """Check the parameters, and those of the segmenter.

        Raises:
            RaterbenchError: one is wrong, or no rater is named.
        """
        super().check_parameters()
        if not self.raters:
            raise RaterbenchError("ChosenRaters: raters names nobody: write raters = [...]")

    def fit(self, train: Dataset, validation: Dataset, *, seed: int, device: str | torch.device = "cpu") -> Self:
        """Fit the segmenter; errors as there.

        Raises:
            RaterbenchError: none of the raters rated a training or validation case.
        """
        self.check_parameters()
        parts = [places_rated_by(self.raters, part) for part in (train, validation)]
        everything, names = [*parts[0], *parts[1]], " or ".join(map(repr, self.raters))
        if not everything:
            raise RaterbenchError(
                f"none of the {len(train) + len(validation)} training and validation cases is rated by {names}"
            )
        warnings = []
        if self.pooled or not all(parts):
            parts = list(split_places([everything], seed))
            if not self.pooled:
                warnings.append(
                    f"all {len(everything)} cases rated by {names} were in one part: a fifth of them, drawn by case, validates"
                )
            if len(everything) == 1:
                warnings.append(ONE_CASE)
        views = [CaseView(places, [self._chosen(place.raters) for place in places], self._relabelled) for places in parts]
        self.fit_segmenter(*views, seed=seed, device=device)
        self.warnings_ = warnings
        return self

    def _chosen(self, there: tuple[str, ...]) -> tuple[str, ...]:
        chosen = tuple(rater for rater in self.raters if rater in there)
        return chosen if self.each_case == "all" else chosen[:1]

    def _relabelled(self, case: Case) -> Case:
        chosen = self._chosen(tuple(case.ratings))
        return replace(case, ratings={rater: case.ratings[rater] for rater in chosen}).blind(self.needs)
