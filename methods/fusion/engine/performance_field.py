"""Raters' performance as a field: a confusion matrix for every voxel, estimated in the window around it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .em import IMPOSSIBLE
from .patterns import Float64s, Patterns
from .windows import box_sums


class PerformanceField:
    """Each rater's confusion at some voxels of a case, given the truth's posterior everywhere.

    ``inside`` [*S] bool marks the voxels that count as evidence, ``where`` [*S] bool the V voxels at which the field is wanted.
    ``anchor`` [R, K, K] is the confusion that every window is pulled toward, as if it had been seen on ``lam`` voxels;
    ``radius`` [ndim] in voxels.
    """

    def __init__(
        self,
        patterns: Patterns,
        inside: npt.NDArray[np.bool_],
        where: npt.NDArray[np.bool_],
        *,
        anchor: Float64s,
        lam: float,
        radius: Sequence[int],
    ) -> None:
        self.patterns, self.inside, self.where = patterns, inside, np.flatnonzero(where)
        self.anchor, self.lam, self.radius = anchor, lam, radius
        index = np.empty(int(patterns.place[-1]) + 1, dtype=np.intp)
        index[patterns.place] = np.arange(len(patterns.place))
        self.said = patterns.votes[:, :, index[patterns.key[self.where]]]
        self.hard = bool(((self.said == 0) | (self.said == 1)).all())
        self.complete: npt.NDArray[np.bool_] = (patterns.votes.sum(axis=1) > 0).all(axis=1)
        self.everyone = self._window(inside.astype(float))
        self.seen = [[self._window(said) for said in self._everywhere(r)] for r in range(len(anchor))]

    def expect(self, posterior: Float64s, prior: Float64s) -> tuple[Float64s, float]:
        """The next posterior [K, V], and the log-likelihood of the votes there, from a posterior [K, *S] of all voxels.

        The prior [K] or [K, V] is that of the classes.
        """
        joint = np.maximum(np.log(prior).reshape(len(prior), -1), IMPOSSIBLE) + np.zeros(len(self.where))
        weight = self._split(self.everyone, [self._window(share * self.inside) for share in posterior[1:]])
        for r in range(len(self.anchor)):
            counts, total = self._counts(r, posterior, weight)
            joint += self._log_likelihood(self.said[r], counts, total)
        top = joint.max(axis=0)
        np.exp(np.subtract(joint, top, out=joint), out=joint)
        total = joint.sum(axis=0)
        return np.divide(joint, total, out=joint), float((top + np.log(total)).sum())

    def local_prior(self, prior: Float64s) -> Float64s:
        """How common the classes are in the window [K, V], by the mean vote of its voxels; pulled toward ``prior`` [K]."""
        judged = self.inside * self.patterns.spread((self.patterns.judges > 0).astype(float))
        votes = [self._window(judged * self.patterns.spread(mean)) for mean in self.patterns.mean[1:]]
        counts = np.maximum(self._split(self._window(judged), votes), 0.0) + self.lam * prior[:, None]
        local: Float64s = counts / counts.sum(axis=0)
        return local

    def confusion(self, posterior: Float64s) -> Float64s:
        """The field itself [R, K, K, V], from a posterior [K, *S] of all voxels."""
        weight = self._split(self.everyone, [self._window(share * self.inside) for share in posterior[1:]])
        found = [self._counts(r, posterior, weight) for r in range(len(self.anchor))]
        return np.array([counts / total for counts, total in found])

    def _counts(self, r: int, posterior: Float64s, weight: Float64s) -> tuple[Float64s, Float64s]:
        """How often rater r says i in the window while the truth is j [K, K, V], and the sum over i, both with the anchor.

        What a rater says sums to 1, and so does the truth: class 0 is what is left of both, and needs no window.
        """
        judged = self.everyone
        if not self.complete[r]:
            here = self.inside * self.patterns.spread(self.patterns.votes[r].sum(axis=0))
            judged = self._window(here)
            weight = self._split(judged, [self._window(share * here) for share in posterior[1:]])
        counts = np.empty((*self.anchor.shape[1:], len(self.where)))
        for i, said in enumerate(self._everywhere(r), start=1):
            counts[i] = self._split(self.seen[r][i - 1], [self._window(share * said) for share in posterior[1:]])
        counts[0] = weight - counts[1:].sum(axis=0)
        np.maximum(counts, 0.0, out=counts)  # rounding may leave less than nothing
        counts += self.lam * self.anchor[r][..., None]
        return counts, weight + self.lam

    def _everywhere(self, r: int) -> list[Float64s]:
        """The votes of rater r for the classes from 1 on, each [*S]; nothing outside."""
        return [self.inside * self.patterns.spread(votes) for votes in self.patterns.votes[r, 1:]]

    def _window(self, values: Float64s) -> Float64s:
        """Sums [V] over the windows."""
        return box_sums(values, self.radius).reshape(-1)[self.where]

    @staticmethod
    def _split(total: Float64s, parts: list[Float64s]) -> Float64s:
        """All classes [K, V] from their sum and those from 1 on."""
        return np.stack([total - sum(parts), *parts])

    def _log_likelihood(self, said: Float64s, counts: Float64s, total: Float64s) -> Float64s:
        """Logarithm [K, V] of the chance of what a rater said [K, V], for every truth; 0 where not judged."""
        if self.hard:  # one logarithm will do
            chosen = np.einsum("iv,ijv->jv", said, counts)
            return np.maximum(np.log(np.where(said.any(axis=0), chosen / total, 1.0)), IMPOSSIBLE)
        logs: Float64s = np.einsum("iv,ijv->jv", said, np.maximum(np.log(counts / total), IMPOSSIBLE))
        return logs
