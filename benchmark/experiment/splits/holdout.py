"""The data set's own test part."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ....errors import RaterbenchError
from .base import Parts, SplitCases, SplitPolicy


class Holdout(SplitPolicy):
    """The data set's own test part is tested; repeats differ in validation subjects and in initial weights."""

    def outer(self, cases: SplitCases, seeds: np.random.SeedSequence) -> Iterator[Parts]:
        del seeds
        if not len(cases.official_test):
            raise RaterbenchError(f'data set {cases.dataset!r} has no test part of its own: use split.policy = "folds"')
        yield Parts(np.setdiff1d(np.arange(len(cases)), cases.official_test), cases.official_test)
