"""Some centres train, one validates, one is tested."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ....errors import RaterbenchError, nearest
from .base import Parts, SplitCases, SplitPolicy


class Centres(SplitPolicy):
    """Some centres train, another one validates, another one is tested.

    What is not named is rotated: without ``test_centre`` each centre is tested in one fold, and without ``validation_centre``
    the validating centre is the next one in an order that is drawn anew for each repeat. The experiment's ``validation`` share
    is not used.

    Args:
        train_centres: the centres that train; by default all that neither validate nor are tested.
        validation_centre: the centre that validates.
        test_centre: the centre that is tested.
    """

    def __init__(self, *, train_centres: tuple[str, ...] = (), validation_centre: str = "", test_centre: str = "") -> None:
        self.train_centres, self.validation_centre, self.test_centre = train_centres, validation_centre, test_centre

    def outer(self, cases: SplitCases, seeds: np.random.SeedSequence) -> Iterator[Parts]:
        names: list[str] = np.unique(cases.centres).tolist()
        self._check_named(names, cases.dataset)
        drawn: list[str] = np.random.default_rng(seeds).permutation(names).tolist()
        apart = {*self.train_centres, self.validation_centre}
        for tested in [self.test_centre] if self.test_centre else [name for name in names if name not in apart]:
            # In the order drawn, the next one after the tested centre validates.
            after = [*drawn[drawn.index(tested) + 1 :], *drawn]
            may = (name for name in after if name != tested and name not in self.train_centres)
            validating = self.validation_centre or next(may)
            training = self.train_centres or [name for name in names if name not in (tested, validating)]
            validation = np.flatnonzero(cases.centres == validating)
            rest = np.flatnonzero(np.isin(cases.centres, [*training, validating]))
            yield Parts(rest, np.flatnonzero(cases.centres == tested), validation)

    def _check_named(self, names: Sequence[str], dataset: str) -> None:
        if len(names) < 3:
            raise RaterbenchError(
                f"data set {dataset!r} has {len(names)} centres, and training, validation and test need one each: "
                'use split.policy = "leave-one-centre-out" or "folds"'
            )
        named = [*self.train_centres, *filter(None, (self.validation_centre, self.test_centre))]
        for name in named:
            if name not in names:
                raise RaterbenchError(f"split: {name!r} is no centre of data set {dataset!r}{nearest(name, names)}")
            if named.count(name) > 1:
                raise RaterbenchError(f"split: centre {name!r} is named twice: give it to one of training, validation and test")
        left = len(names) - len(named)
        if left < (not self.validation_centre) + (not self.test_centre):
            raise RaterbenchError(
                f"split: {', '.join(self.train_centres)} train, and too few centres of data set {dataset!r} are left to "
                "validate and to be tested: take one out of train_centres"
            )
