"""What a given number of raters, or a share of them, marked."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ...datasets.base import IGNORE, Geometry
from ...errors import RaterbenchError
from ...parameters import Range
from ..base import Consensus, Fusion, Ratings
from .engine.patterns import find_patterns
from .engine.ties import CLOSE, Ties, best_classes, consensus, decide


class AtLeast(Fusion):
    """A foreground class where at least ``votes`` raters name it, or at least a ``share`` of those who judged the voxel.

    The consensus of many published data sets: "7 of 13 raters", or the consensus level of 50 % at which lung nodules of LIDC
    are compared (``clevel`` of pylidc; Hancock and Magnan, 2016, Journal of Medical Imaging 3(4):044504). Where n_k raters name
    the foreground class k, it is a candidate if n_k >= votes, or n_k >= share * n with n raters who judged the voxel. Of
    several candidates the one with the most votes wins, ``ties`` decides equals; without a candidate the voxel is background.
    One vote is the ``Union``, a share of 1 the ``Intersection``, and of two classes a share of 0.5 is ``MajorityVote`` with
    ``ties="foreground"``. Soft ratings vote with their shares. The probability is one-hot; ``ties="undecided"`` shares it
    evenly among the classes that tie.

    Args:
        votes: how many raters must name a class. Raters who did not judge a voxel do not vote for it, so that a voxel which
            fewer raters judged is background; a case which fewer raters judged is an error.
        share: which share of the raters who judged the voxel must name a class, above 0 and up to 1. With neither ``votes``
            nor ``share`` it is 0.5.
        ties: which class wins among those with equally many votes.

    >>> import numpy as np
    >>> from raterbench.methods.fusion.at_least import AtLeast
    >>> ratings = [np.array([1, 1, 1, 0]), np.array([1, 1, 0, 0]), np.array([1, 0, 0, 0])]
    >>> AtLeast(votes=2).fuse(ratings, n_classes=2).labels.tolist()
    [1, 1, 0, 0]
    >>> AtLeast(share=1).fuse(ratings, n_classes=2).labels.tolist()
    [1, 0, 0, 0]
    """

    def __init__(
        self,
        *,
        votes: Annotated[int, Range(1)] | None = None,
        share: Annotated[float, Range(0, 1, without="low")] | None = None,
        ties: Ties = "lowest",
    ) -> None:
        self.votes = votes
        self.share = share
        self.ties = ties

    def check_parameters(self) -> None:
        """Check every parameter, and that ``votes`` and ``share`` are not both given."""
        super().check_parameters()
        if self.votes is not None and self.share is not None:
            raise RaterbenchError(f"AtLeast has votes = {self.votes} and share = {self.share}: give one of them")

    def min_raters(self) -> int:
        """As many as must agree."""
        return self.votes or 1

    def fuse(self, ratings: Ratings, n_classes: int, *, geometry: Geometry | None = None) -> Consensus:
        """Count the votes of one case; errors as in ``Fusion.fuse``."""
        del geometry
        self.check_parameters()
        patterns = find_patterns(ratings, n_classes)
        judges = int(patterns.votes.any(axis=(1, 2)).sum())
        if self.votes is not None and 0 < judges < self.votes:
            raise RaterbenchError(
                f"AtLeast asks for votes = {self.votes}, but only {judges} of the case's raters judged a voxel: lower votes, "
                "or give a share of the raters in its place"
            )
        votes = patterns.votes[:, 1:].sum(axis=0)
        needed = (0.5 if self.share is None else self.share) * patterns.judges if self.votes is None else self.votes
        enough = votes >= needed - CLOSE
        # A class without a vote is no candidate, whatever the share is of nobody.
        votes = np.vstack([np.zeros(len(patterns.counts)), np.where(enough & (votes > 0), votes, 0.0)])
        winner, best = decide(votes, self.ties), best_classes(votes) & (votes > 0)
        marked = best.any(axis=0)
        share = np.where(winner == IGNORE, best / np.maximum(best.sum(axis=0), 1), winner == np.arange(n_classes)[:, None])
        share = np.where(marked, share, np.arange(n_classes)[:, None] == 0)
        tied = int(patterns.counts[best.sum(axis=0) > 1].sum())
        return consensus(patterns, share, self.ties, tied=tied)
