"""SIMPLE: raters far from the others are dropped, the rest vote by how well they overlap with the result."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import numpy.typing as npt

from ...datasets.base import IGNORE, Geometry
from ...parameters import Range
from ..base import Consensus, Fusion, Ratings
from .engine.em import Votes, maximise
from .engine.patterns import Float64s, Patterns, find_patterns
from .engine.ties import Ties, consensus, decide


class SIMPLE(Fusion):
    """Selective and iterative method for performance level estimation.

    Langerak, van der Heide, Kotte, Viergever, van Vulpen and Pluim (2010), IEEE TMI 29(12):2000. It starts from the plurality.
    In each round a rater's score is the Dice overlap with the estimate on the voxels that the rater judged (over several
    foreground classes their mean; 1 if both are empty); raters whose score is below the mean by more than ``alpha`` standard
    deviations are dropped for good, though never so many that fewer than ``keep`` remain; the others vote with their scores as
    weights. It ends when a round drops nobody and changes no label. The original's constants could not be verified: 2 standard
    deviations and 3 raters are those of a public wrapper of it, the 100 rounds are ours. Overlaps maximise no likelihood, so
    none is given. The probability is the weighted share, ``confusion`` the raters against the final labels.

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
        share, labels = patterns.mean, decide(patterns.mean, self.ties)
        kept = (patterns.votes @ patterns.counts).sum(axis=1) > 0
        weights, converged, rounds = kept.astype(float), patterns.unanimous, 0
        while not converged and rounds < self.max_iterations:
            scores = overlaps(patterns, labels)
            remaining = self._select(scores, kept)
            weights = np.where(remaining, scores, 0.0)
            share = _weighted(patterns, weights)
            before, labels = labels, decide(share, self.ties)
            converged = bool((remaining == kept).all() and (before == labels).all())
            kept, rounds = remaining, rounds + 1
        status = "degenerate" if patterns.unanimous else "ok" if converged else "not converged"
        more = {"confusion": _against(patterns, labels), "iterations": rounds, "status": status, "weights": weights}
        return consensus(patterns, share, self.ties, **more)

    def _select(self, scores: Float64s, kept: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        limit = scores[kept].mean() - self.alpha * scores[kept].std()
        best = np.sort(scores[kept])[::-1]
        # The limit of the last one to keep is also that of raters who are just as good: their order must not matter.
        limit = min(limit, best[min(self.keep, len(best)) - 1])
        remaining: npt.NDArray[np.bool_] = kept & (scores >= limit - 1e-12)
        return remaining


def overlaps(patterns: Patterns, labels: npt.NDArray[np.uint8]) -> Float64s:
    """Dice overlap [R] of each rater with the estimate [P], the mean over the foreground classes; 1 if both are empty."""
    estimate = (labels == np.arange(patterns.votes.shape[1])[:, None])[None, 1:]
    judged = patterns.votes.sum(axis=1, keepdims=True)
    said = patterns.votes[:, 1:]
    both = (said * estimate) @ patterns.counts
    size = (said + estimate * judged) @ patterns.counts
    dice: Float64s = np.divide(2 * both, size, out=np.ones_like(both), where=size > 0).mean(axis=1)
    return dice


def _weighted(patterns: Patterns, weights: Float64s) -> Float64s:
    votes = (patterns.votes * weights[:, None, None]).sum(axis=0)
    total = votes.sum(axis=0)
    # Where only dropped raters judged, they are all there is.
    return np.where(total > 0, votes / np.where(total > 0, total, 1.0), patterns.mean)


def _against(patterns: Patterns, labels: npt.NDArray[np.uint8]) -> Float64s:
    data = Votes(patterns.votes, np.where(labels == IGNORE, 0, patterns.counts))
    return maximise(data, (labels == np.arange(patterns.votes.shape[1])[:, None]).astype(float))
