"""The class that most raters vote for."""

from __future__ import annotations

from ...datasets.base import Geometry
from ..base import Consensus, Fusion, Ratings
from .engine.consensus import make_consensus
from .engine.patterns import find_patterns
from .engine.ties import Ties, best_classes, winner_takes_all


class MajorityVote(Fusion):
    """Plurality vote of the raters who judged the voxel: the class with the most votes, for two classes the majority.

    See Lam and Suen (1997), "Application of majority voting to pattern recognition", IEEE Transactions on Systems, Man, and
    Cybernetics A 27(5):553. Soft ratings vote with their shares. The probability is one-hot.

    Args:
        ties: the class that wins among those with equally many votes; ``"undecided"`` labels the voxel ``IGNORE`` and shares
            the probability evenly among them.

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
        tied = (best_classes(patterns.mean).sum(axis=0) > 1) & (patterns.judges > 0)
        share = winner_takes_all(patterns.mean, self.ties)
        return make_consensus(patterns, share, self.ties, tied=int(patterns.counts[tied].sum()))
