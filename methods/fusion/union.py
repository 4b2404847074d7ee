"""Foreground where any rater marked it."""

from __future__ import annotations

import numpy as np

from ...datasets.base import Geometry
from ..base import Consensus, Fusion, Ratings
from .engine.consensus import make_consensus
from .engine.patterns import find_patterns
from .engine.ties import Ties, best_classes, winner_takes_all


class Union(Fusion):
    """Marks the foreground where at least one of the raters who judged the voxel names a foreground class.

    The foreground class with the most votes wins, however many raters say background. Soft ratings: the foreground gets the
    largest share that any rater gives it, the union of fuzzy sets (Zadeh, 1965, eq. 3).

    Args:
        ties: the class that wins among foreground classes with equally many votes; ``"background"`` makes the voxel
            background, ``"undecided"`` labels it ``IGNORE`` and shares the probability evenly.

    >>> import numpy as np
    >>> from raterbench.methods.fusion.union import Union
    >>> ratings = {"a": np.array([1, 0, 0, 2]), "b": np.array([1, 0, 1, 2]), "c": np.array([1, 0, 0, 1])}
    >>> Union().fuse(ratings, n_classes=3).labels.tolist()
    [1, 0, 1, 2]
    """

    def __init__(self, *, ties: Ties = "lowest") -> None:
        self.ties = ties

    def fuse(self, ratings: Ratings, n_classes: int, *, geometry: Geometry | None = None) -> Consensus:
        """Unite the ratings of one case; errors as in ``Fusion.fuse``."""
        del geometry
        self.check_parameters()
        patterns = find_patterns(ratings, n_classes)
        foreground = patterns.votes[:, 1:]
        marked = foreground.sum(axis=1).max(axis=0)
        votes = np.vstack([np.zeros_like(marked), foreground.sum(axis=0)])
        share = winner_takes_all(votes, self.ties) * marked
        share[0] += 1 - marked
        tied = (marked > 0) & (best_classes(votes).sum(axis=0) > 1)
        return make_consensus(patterns, share, self.ties, tied=int(patterns.counts[tied].sum()))
