"""Cross-validation by subject."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated

import numpy as np

from ....errors import RaterbenchError
from ....parameters import Range
from .base import Parts, SplitCases, SplitPolicy
from .draw import centre_of_each_subject


class Folds(SplitPolicy):
    """Cross-validation by subject: each subject is tested in one fold of each repeat.

    Folds have as many subjects each, give or take one, and each centre's subjects are spread over them.

    Args:
        folds: how many.
    """

    def __init__(self, *, folds: Annotated[int, Range(2, 1000)] = 5) -> None:
        self.folds = folds

    def least_folds(self) -> int:
        return self.folds

    def outer(self, cases: SplitCases, seeds: np.random.SeedSequence) -> Iterator[Parts]:
        from sklearn.model_selection import StratifiedKFold

        subjects, centres = centre_of_each_subject(cases.subjects, cases.centres)
        found = f"data set {cases.dataset!r} has {len(subjects)} subjects, too few for {self.folds} folds"
        if len(subjects) - math.ceil(len(subjects) / self.folds) < 2:
            raise RaterbenchError(f"{found}: training and validation need one each, beside those tested")
        if len(subjects) < self.folds:
            raise RaterbenchError(f"{found}: lower split.folds")
        # Centres with fewer subjects than folds cannot be spread evenly, so they go with the largest.
        names, sizes = np.unique(centres, return_counts=True)
        strata = np.where(np.isin(centres, names[sizes < self.folds]), names[sizes.argmax()], centres)
        random = np.random.RandomState(np.random.MT19937(seeds))
        for _, tested in StratifiedKFold(self.folds, shuffle=True, random_state=random).split(subjects, strata):
            test = np.isin(cases.subjects, subjects[tested])
            yield Parts(np.flatnonzero(~test), np.flatnonzero(test))
