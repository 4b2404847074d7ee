"""Foreground where at least a given number, or share, of the raters marked it."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ...datasets.base import Geometry
from ...errors import RaterbenchError
from ...parameters import Range
from ..base import Consensus, Fusion, Ratings
from .engine.consensus import make_consensus
from .engine.patterns import find_patterns
from .engine.ties import CLOSE, Ties, best_classes, winner_takes_all


class AtLeast(Fusion):
    """Marks a foreground class where at least ``votes`` raters, or a ``share`` of those who judged the voxel, name it.

    Many published data sets use this consensus: "7 of 13 raters", or the consensus level of 50 % at which lung nodules of LIDC
    are compared (``clevel`` of pylidc; Hancock and Magnan, 2016, Journal of Medical Imaging 3(4):044504). A foreground class k
    that n_k of the n raters who judged the voxel name is a candidate if n_k >= votes, or n_k >= share * n. The candidate with
    the most votes wins; a voxel without a candidate is background. One vote is the ``Union``, a share of 1 the
    ``Intersection``, and for two classes a share of 0.5 is ``MajorityVote`` with ``ties="foreground"``. Soft ratings vote with
    their shares. The probability is one-hot; with ``ties="undecided"`` the classes that tie share it evenly.

    Args:
        votes: the number of raters who must name a class. If fewer than ``votes`` raters judged a voxel, it is
            background; if fewer judged the case, that is an error.
        share: this part of the raters who judged the voxel must name the class, above 0 and up to 1. Without ``votes`` and
            ``share`` it is 0.5.
        ties: the class that wins among those with equally many votes.

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
        """As many as ``votes``, or one."""
        return self.votes or 1

    def fuse(self, ratings: Ratings, n_classes: int, *, geometry: Geometry | None = None) -> Consensus:
        """Count the votes of one case; errors as in ``Fusion.fuse``."""
        del geometry
        self.check_parameters()
        patterns = find_patterns(ratings, n_classes)
        judges = int(patterns.votes.any(axis=(1, 2)).sum())
        if self.votes is not None and 0 < judges < self.votes:
            raise RaterbenchError(
                f"AtLeast needs votes = {self.votes}, but only {judges} of the case's raters judged a voxel: lower votes, "
                "or give a share of the raters instead"
            )
        votes = patterns.votes[:, 1:].sum(axis=0)
        needed = (0.5 if self.share is None else self.share) * patterns.judges if self.votes is None else self.votes
        enough = votes >= needed - CLOSE
        votes = np.vstack([np.zeros(len(patterns.counts)), np.where(enough, votes, 0.0)])
        marked = votes.max(axis=0) > 0
        share = np.where(marked, winner_takes_all(votes, self.ties), np.arange(n_classes)[:, None] == 0)
        tied = marked & (best_classes(votes).sum(axis=0) > 1)
        return make_consensus(patterns, share, self.ties, tied=int(patterns.counts[tied].sum()))
