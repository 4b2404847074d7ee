"""Only what all raters marked."""

from __future__ import annotations

import numpy as np

from ...datasets.base import Geometry
from ..base import Consensus, Fusion, Ratings
from .engine.patterns import find_patterns
from .engine.ties import Ties, consensus


class Intersection(Fusion):
    """A foreground class where every rater who judged the voxel names that class; background everywhere else.

    Raters who agree that a voxel is foreground, but not of which class, leave it to the background. Hard ratings meet no tie.
    Soft ratings: each foreground class gets the smallest share that any rater gives it (the intersection of fuzzy sets), the
    background the rest, and ``ties`` decides equals.

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
        return consensus(patterns, share, self.ties)
