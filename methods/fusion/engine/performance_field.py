"""A confusion matrix for each rater at each voxel, estimated in the window around the voxel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .em import IMPOSSIBLE
from .patterns import Bools, Float64s, Patterns
from .windows import box_sums


class PerformanceField:
    """Computes each rater's confusion matrix at V voxels of a case from the posterior of the truth at all voxels.

    Args:
        patterns: the case.
        inside: [*S], the voxels that count as evidence.
        where: [*S], the V voxels at which the field is computed.
        anchor: [R, K, K], the confusion matrices that are added to each window as if observed on ``lam`` voxels.
        lam: weight of the anchor, in voxels.
        radius: [ndim], of the windows, in voxels.
    """

    def __init__(
        self,
        patterns: Patterns,
        inside: Bools,
        where: Bools,
        *,
        anchor: Float64s,
        lam: float,
        radius: Sequence[int],
    ) -> None:
        self.patterns, self.inside, self.where = patterns, inside, np.flatnonzero(where)
        self.anchor, self.lam, self.radius = anchor, lam, radius
        self.said = patterns.votes[:, :, patterns.pattern_at(self.where)]
        self.hard = bool(((self.said == 0) | (self.said == 1)).all())
        self.judged_all: Bools = (patterns.votes.sum(axis=1) > 0).all(axis=1)
        self.n_inside = self._window(inside.astype(float))
        self.said_in_window = [[self._window(said) for said in self._everywhere(r)] for r in range(len(anchor))]

    def expect(self, posterior: Float64s, prior: Float64s) -> tuple[Float64s, float]:
        """E-step: the next posterior [K, V] and the log-likelihood of the votes at the V voxels.

        ``posterior`` [K, *S] is the present one of all voxels; ``prior`` [K] or [K, V] that of the classes.
        """
        joint = np.maximum(np.log(prior).reshape(len(prior), -1), IMPOSSIBLE) + np.zeros(len(self.where))
        weight = self._split(self.n_inside, [self._window(share * self.inside) for share in posterior[1:]])
        for r in range(len(self.anchor)):
            counts, total = self._counts(r, posterior, weight)
            joint += self._log_likelihood(self.said[r], counts, total)
        top = joint.max(axis=0)
        np.exp(np.subtract(joint, top, out=joint), out=joint)
        total = joint.sum(axis=0)
        return np.divide(joint, total, out=joint), float((top + np.log(total)).sum())

    def local_prior(self, prior: Float64s) -> Float64s:
        """The mean vote in each window [K, V], with ``prior`` [K] added as if observed on ``lam`` voxels."""
        judged = self.inside * self.patterns.spread((self.patterns.judges > 0).astype(float))
        votes = [self._window(judged * self.patterns.spread(mean)) for mean in self.patterns.mean[1:]]
        counts = np.maximum(self._split(self._window(judged), votes), 0.0) + self.lam * prior[:, None]
        local: Float64s = counts / counts.sum(axis=0)
        return local

    def confusion(self, posterior: Float64s) -> Float64s:
        """The confusion matrices at the V voxels [R, K, K, V], from a posterior [K, *S] of all voxels."""
        weight = self._split(self.n_inside, [self._window(share * self.inside) for share in posterior[1:]])
        found = [self._counts(r, posterior, weight) for r in range(len(self.anchor))]
        return np.array([counts / total for counts, total in found])

    def _counts(self, r: int, posterior: Float64s, weight: Float64s) -> tuple[Float64s, Float64s]:
        """How often rater r says i in each window where the truth is j [K, K, V], and its sum over i, with the anchor added.

        Votes and posteriors sum to 1, so class 0 is computed as the remainder, without sums over windows.
        """
        judged = self.n_inside
        if not self.judged_all[r]:
            here = self.inside * self.patterns.spread(self.patterns.votes[r].sum(axis=0))
            judged = self._window(here)
            weight = self._split(judged, [self._window(share * here) for share in posterior[1:]])
        counts = np.empty((*self.anchor.shape[1:], len(self.where)))
        for i, said in enumerate(self._everywhere(r), start=1):
            counts[i] = self._split(self.said_in_window[r][i - 1], [self._window(share * said) for share in posterior[1:]])
        counts[0] = weight - counts[1:].sum(axis=0)
        np.maximum(counts, 0.0, out=counts)  # rounding may make them negative
        counts += self.lam * self.anchor[r][..., None]
        return counts, weight + self.lam

    def _everywhere(self, r: int) -> list[Float64s]:
        """The votes of rater r for each class from 1 on, [*S], 0 outside."""
        return [self.inside * self.patterns.spread(votes) for votes in self.patterns.votes[r, 1:]]

    def _window(self, values: Float64s) -> Float64s:
        """Sums [V] over the windows."""
        return box_sums(values, self.radius).reshape(-1)[self.where]

    @staticmethod
    def _split(total: Float64s, parts: list[Float64s]) -> Float64s:
        """Values of all classes [K, V] from their total and those of the classes from 1 on."""
        return np.stack([total - sum(parts), *parts])

    def _log_likelihood(self, said: Float64s, counts: Float64s, total: Float64s) -> Float64s:
        """Log-likelihood [K, V] of a rater's votes [K, V] for each true class; 0 where not judged."""
        if self.hard:  # a vote for one class needs one logarithm
            chosen = np.einsum("iv,ijv->jv", said, counts)
            return np.maximum(np.log(np.where(said.any(axis=0), chosen / total, 1.0)), IMPOSSIBLE)
        logs: Float64s = np.einsum("iv,ijv->jv", said, np.maximum(np.log(counts / total), IMPOSSIBLE))
        return logs
