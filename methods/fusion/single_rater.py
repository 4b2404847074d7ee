"""The labels of one rater."""

from __future__ import annotations

import numpy as np

from ...datasets.base import IGNORE, Geometry
from ..base import Consensus, Fusion, Ratings
from .engine.consensus import make_consensus
from .engine.patterns import find_patterns
from .engine.ratings import name_raters
from .engine.ties import Ties


class SingleRater(Fusion):
    """Takes the labels of one rater as they are, and looks at no other.

    For studies that compare raters by what is learned from their labels alone. What this rater did not judge has no label, and
    a case that this rater did not rate has none at all, so that methods leave it out.

    Args:
        rater: the name. None takes at each voxel the first of those who judged it, in the order of their names.
        ties: the class that wins among equal shares of a soft rating.

    >>> import numpy as np
    >>> from raterbench.methods.fusion.single_rater import SingleRater
    >>> ratings = {"a": np.array([1, 1, 0]), "b": np.array([0, 255, 1])}
    >>> SingleRater(rater="b").fuse(ratings, n_classes=2).labels.tolist()
    [0, 255, 1]
    """

    def __init__(self, *, rater: str | None = None, ties: Ties = "lowest") -> None:
        self.rater = rater
        self.ties = ties

    @property
    def needs_rater_identity(self) -> bool:
        return self.rater is not None

    def fuse(self, ratings: Ratings, n_classes: int, *, geometry: Geometry | None = None) -> Consensus:
        """Take the labels from the ratings of one case; errors as in ``Fusion.fuse``.

        The ``raters`` of the consensus are the one, or nobody.
        """
        del geometry
        self.check_parameters()
        patterns = find_patterns(ratings, n_classes)
        votes = patterns.votes
        if self.rater is None:
            first = votes.any(axis=1).argmax(axis=0)
            return make_consensus(patterns, votes[first, :, np.arange(len(first))].T, self.ties)
        named = name_raters(ratings)
        if self.rater in named:
            alone = find_patterns({self.rater: named[self.rater]}, n_classes)
            return make_consensus(alone, alone.mean, self.ties)
        shape = patterns.shape
        uniform = np.full((n_classes, *shape), 1 / n_classes, np.float32)
        return Consensus(uniform, np.full(shape, IGNORE, np.uint8), ())
