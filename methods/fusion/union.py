"""Everything that any rater marked."""

from __future__ import annotations

import numpy as np

from ...datasets.base import IGNORE, Geometry
from ..base import Consensus, Fusion, Ratings
from .engine.patterns import find_patterns
from .engine.ties import Ties, consensus, decide


class Union(Fusion):
    """Foreground where at least one of the raters who judged the voxel names a foreground class.

    Of several foreground classes it is the one with the most votes, however many raters say background; ``ties`` decides
    equals: ``"background"`` gives them to nobody, ``"undecided"`` labels them ``IGNORE`` with even probabilities. Soft ratings:
    the foreground gets the largest share that any rater gives it (the union of fuzzy sets).

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
        said = patterns.votes[:, 1:]
        marked = said.sum(axis=1).max(axis=0)
        votes = np.vstack([np.zeros_like(marked), said.sum(axis=0)])
        winner = decide(votes, self.ties)
        tied = votes == votes.max(axis=0)
        share = np.where(winner == IGNORE, tied / tied.sum(axis=0), winner == np.arange(n_classes)[:, None]) * marked
        share[0] += 1 - marked
        return consensus(patterns, share, self.ties, tied=int(patterns.counts[(marked > 0) & (tied.sum(axis=0) > 1)].sum()))
