"""Foreground where all raters marked it."""

from __future__ import annotations

import numpy as np

from ...datasets.base import Geometry
from ..base import Consensus, Fusion, Ratings
from .engine.consensus import make_consensus
from .engine.patterns import find_patterns
from .engine.ties import Ties


class Intersection(Fusion):
    """Marks a foreground class where every rater who judged the voxel names it; all other voxels are background.

    A voxel to which raters give different foreground classes is background. Soft ratings: each foreground class gets the
    smallest share that any rater gives it, the intersection of fuzzy sets (Zadeh, 1965, eq. 5), and the background the rest.

    Args:
        ties: the class that wins among equal shares; only soft ratings tie.

    >>> import numpy as np
    >>> from raterbench.methods.fusion.intersection import Intersection
    >>> ratings = {"a": np.array([1, 0, 0, 2]), "b": np.array([1, 0, 1, 2]), "c": np.array([1, 0, 0, 1])}
    >>> Intersection().fuse(ratings, n_classes=3).labels.tolist()
    [1, 0, 0, 0]
    """

    def __init__(self, *, ties: Ties = "lowest") -> None:
        self.ties = ties

    def fuse(self, ratings: Ratings, n_classes: int, *, geometry: Geometry | None = None) -> Consensus:
        """Intersect the ratings of one case; errors as in ``Fusion.fuse``."""
        del geometry
        self.check_parameters()
        patterns = find_patterns(ratings, n_classes)
        judged = patterns.votes.any(axis=1, keepdims=True)
        share = np.where(judged, patterns.votes, 1.0).min(axis=0)
        share[0] = 1 - share[1:].sum(axis=0)
        return make_consensus(patterns, share, self.ties)
