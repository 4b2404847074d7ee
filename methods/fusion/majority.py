"""The class that most raters vote for."""

from __future__ import annotations

import numpy as np

from ...datasets.base import IGNORE, Geometry
from ..base import Consensus, Fusion, Ratings
from .engine.patterns import find_patterns
from .engine.ties import Ties, best_classes, consensus, count_tied, decide


class MajorityVote(Fusion):
    """Plurality of the raters who judged the voxel: the class with the most votes, for two classes the majority.

    The oldest fusion; see Lam and Suen (1997), "Application of majority voting to pattern recognition". ``ties`` decides
    equals; ``"undecided"`` labels them ``IGNORE`` and shares their probability evenly among the classes that tie. Else it is
    one-hot. Soft ratings vote with their shares.

    >>> import numpy as np
    >>> from raterbench.methods.fusion.majority import MajorityVote
    >>> ratings = {"a": np.array([1, 1, 0]), "b": np.array([1, 0, 0]), "c": np.array([0, 1, 0]), "d": np.array([1, 0, 0])}
    >>> MajorityVote().fuse(ratings, n_classes=2).labels.tolist()
    [1, 0, 0]
    >>> MajorityVote(ties="foreground").fuse(ratings, n_classes=2).labels.tolist()
    [1, 1, 0]
    """

    def __init__(self, *, ties: Ties = "lowest") -> None:
        self.ties = ties

    def fuse(self, ratings: Ratings, n_classes: int, *, geometry: Geometry | None = None) -> Consensus:
        """Vote on the ratings of one case; errors as in ``Fusion.fuse``."""
        del geometry
        self.check_parameters()
        patterns = find_patterns(ratings, n_classes)
        winner, best = decide(patterns.mean, self.ties), best_classes(patterns.mean)
        share = np.where(winner == IGNORE, best / best.sum(axis=0), winner == np.arange(n_classes)[:, None])
        return consensus(patterns, share, self.ties, tied=count_tied(patterns, patterns.mean))
