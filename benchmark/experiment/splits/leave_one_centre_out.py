"""Each centre is tested once, by what was learned from all others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ....errors import RaterbenchError
from .base import Parts, SplitCases, SplitPolicy


class LeaveOneCentreOut(SplitPolicy):
    """Each centre is tested in one fold, by what was learned from all other centres."""

    def least_folds(self) -> int:
        return 2

    def outer(self, cases: SplitCases, seeds: np.random.SeedSequence) -> Iterator[Parts]:
        del seeds
        names = np.unique(cases.centres)
        if len(names) < 2:
            raise RaterbenchError(f'data set {cases.dataset!r} has one centre only: use split.policy = "folds"')
        for name in names:
            yield Parts(np.flatnonzero(cases.centres != name), np.flatnonzero(cases.centres == name))
