"""What networks that learn careful and cheap annotations differently share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ...datasets.base import Case, Dataset
from ...errors import RaterbenchError
from ..learning.batches.slices import Slices
from ..learning.budget import Budget
from ..learning.network import NetworkMethod
from ..learning.recipes import Recipe
from .views import HQ, LQ, best_raters, check_two_qualities, missing_raters, places_rated_by


class TwoQualityNetwork(NetworkMethod):
    """Learns a case from its careful ratings, or from its cheap ones where it has no careful one.

    Args:
        hq, lq: the careful and the cheap raters. Cases that none of them rated are left out.
        recipe, budget: as in ``NetworkMethod``.
    """

    listed = False
    needs_rater_identity = True

    def __init__(
        self,
        *,
        hq: tuple[str, ...] = HQ,
        lq: tuple[str, ...] = LQ,
        recipe: Recipe | None = None,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(budget=budget, recipe=recipe)
        self.hq = hq
        self.lq = lq

    def check_parameters(self) -> None:
        super().check_parameters()
        check_two_qualities(self.hq, self.lq, type(self).__name__)

    def skip_reason(self, dataset: Dataset) -> str | None:
        return missing_raters(dataset, [*self.hq, *self.lq]) or super().skip_reason(dataset)

    def target_names(self, train: Dataset) -> tuple[str, ...]:
        del train
        return (*self.hq, *self.lq)

    def targets(self, case: Case) -> Mapping[str, npt.NDArray[Any]]:
        return {rater: case.ratings[rater] for rater in best_raters(case.ratings, self.hq, self.lq)}

    def slices(self, part: Dataset) -> Slices:
        places = places_rated_by(self.target_names(part), part)
        if not places:
            names = " or ".join(map(repr, self.target_names(part)))
            raise RaterbenchError(f"no case of a part of {len(part)} cases is rated by {names}")
        return super().slices(part.subset([place.position for place in places]))

    def _careful(self) -> npt.NDArray[np.bool_]:
        """Which of the target names are careful raters [R]."""
        return np.arange(len(self.target_names_)) < len(self.hq)
