"""Subjects are drawn anew for each repeat."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated

import numpy as np

from ....errors import RaterbenchError
from ....parameters import Range
from .base import Parts, SplitCases, SplitPolicy
from .draw import draw_by_subject


class RandomShares(SplitPolicy):
    """A share of the subjects of each centre is drawn for testing, anew in each repeat.

    60 % for training, 20 % for validation and 20 % for testing is ``test = 0.2`` with ``validation = 0.25``, a quarter of what
    is not tested. Test parts of different repeats overlap.

    Args:
        test: the share of the subjects that is tested.
    """

    name = "random"

    def __init__(self, *, test: Annotated[float, Range(0, 1, without="both")] = 0.2) -> None:
        self.test = test

    def outer(self, cases: SplitCases, seeds: np.random.SeedSequence) -> Iterator[Parts]:
        n = len(np.unique(cases.subjects))
        tested = min(math.ceil(round(self.test * n, 9)), n - 2)
        if tested < 1:
            what = f"data set {cases.dataset!r} has {n} subjects, too few for training, validation and test"
            raise RaterbenchError(f"{what}: one each is needed")
        yield Parts(*draw_by_subject(np.arange(len(cases)), cases, tested, np.random.default_rng(seeds)))
