"""SIMPLE: drops raters far from the consensus; the others vote with their overlap with it as weight."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ...datasets.base import IGNORE, Geometry, Labels
from ...parameters import Range
from ..base import Consensus, Fusion, Ratings
from .engine.consensus import make_consensus
from .engine.em import Votes, maximise
from .engine.patterns import Bools, Float64s, Patterns, find_patterns
from .engine.ties import Ties, break_ties


class SIMPLE(Fusion):
    """Selective and iterative method for performance level estimation.

    Langerak, van der Heide, Kotte, Viergever, van Vulpen and Pluim (2010), IEEE TMI 29(12):2000. The first estimate is the
    plurality vote. In each round a rater's score is the Dice overlap with the estimate on the voxels that the rater judged
    (the mean over foreground classes; 1 if both are empty). Raters whose score is more than ``alpha`` standard deviations below
    the mean are dropped for all later rounds, and the others vote with their scores as weights. Iteration stops when a round
    drops nobody and changes no label. The probability is the weighted share of votes; ``confusion`` compares the raters with
    the final labels. SIMPLE maximises no likelihood, so there is none.

    Args:
        alpha: standard deviations below the mean; 2 is the value of a public implementation, the paper's could not be verified.
        keep: the number of raters who are never dropped; 3 is also from that implementation.
        max_iterations: the last round; if it is reached, the status is "not converged". 100 is our choice.
        ties: the class that wins among those with equally many votes.

    >>> import numpy as np
    >>> from raterbench.methods.fusion.simple import SIMPLE
    >>> good, fair = np.array([1, 1, 1, 1, 0, 0, 0, 0]), np.array([1, 1, 1, 0, 0, 0, 0, 0])
    >>> fused = SIMPLE(alpha=1).fuse({"a": good, "b": good, "c": fair, "d": 1 - good}, n_classes=2)
    >>> fused.labels.tolist(), fused.weights.round(2).tolist()
    ([1, 1, 1, 1, 0, 0, 0, 0], [1.0, 1.0, 0.86, 0.0])
    """

    def __init__(
        self,
        *,
        alpha: Annotated[float, Range(0)] = 2.0,
        keep: Annotated[int, Range(1)] = 3,
        max_iterations: Annotated[int, Range(1)] = 100,
        ties: Ties = "lowest",
    ) -> None:
        self.alpha = alpha
        self.keep = keep
        self.max_iterations = max_iterations
        self.ties = ties

    def fuse(self, ratings: Ratings, n_classes: int, *, geometry: Geometry | None = None) -> Consensus:
        """Select and weigh the raters of one case; errors as in ``Fusion.fuse``."""
        del geometry
        self.check_parameters()
        patterns = find_patterns(ratings, n_classes)
        share, labels = patterns.mean, break_ties(patterns.mean, self.ties)
        kept = (patterns.votes @ patterns.counts).sum(axis=1) > 0
        weights, converged, rounds = kept.astype(float), patterns.unanimous, 0
        while not converged and rounds < self.max_iterations:
            scores = overlaps(patterns, labels)
            remaining = self._select(scores, kept)
            weights = np.where(remaining, scores, 0.0)
            votes = (patterns.votes * weights[:, None, None]).sum(axis=0)
            total = votes.sum(axis=0)
            # If only dropped raters judged a voxel, their mean vote is used.
            share = np.where(total > 0, votes / np.where(total > 0, total, 1.0), patterns.mean)
            before, labels = labels, break_ties(share, self.ties)
            converged = bool((remaining == kept).all() and (before == labels).all())
            kept, rounds = remaining, rounds + 1
        decided = Votes(patterns.votes, np.where(labels == IGNORE, 0, patterns.counts))
        return make_consensus(
            patterns,
            share,
            self.ties,
            confusion=maximise(decided, (labels == np.arange(n_classes)[:, None]).astype(float)),
            iterations=rounds,
            status="degenerate" if patterns.unanimous else "ok" if converged else "not converged",
            weights=weights,
        )

    def _select(self, scores: Float64s, kept: Bools) -> Bools:
        """The raters [R] to keep among those who were kept so far, by their scores [R]."""
        limit = scores[kept].mean() - self.alpha * scores[kept].std()
        best = np.sort(scores[kept])[::-1]
        # Raters with the same score as the last one to keep are kept, too, so that their order does not matter.
        limit = min(limit, best[min(self.keep, len(best)) - 1])
        remaining: Bools = kept & (scores >= limit - 1e-12)
        return remaining


def overlaps(patterns: Patterns, labels: Labels) -> Float64s:
    """Dice overlap [R] of each rater with the estimate [P], the mean over the foreground classes; 1 if both are empty."""
    estimate = (labels == np.arange(patterns.votes.shape[1])[:, None])[None, 1:]
    judged = patterns.votes.sum(axis=1, keepdims=True)
    marked = patterns.votes[:, 1:]
    both = (marked * estimate) @ patterns.counts
    size = (marked + estimate * judged) @ patterns.counts
    dice: Float64s = np.divide(2 * both, size, out=np.ones_like(both), where=size > 0).mean(axis=1)
    return dice
