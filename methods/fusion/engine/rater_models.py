"""What an expectation maximisation assumes about a rater: how many parameters, and what is believed before any vote is seen."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from .patterns import Float64s

Known = npt.NDArray[np.bool_]


class RaterModel(Protocol):
    """The part of the M-step that belongs to the raters."""

    def estimate(self, mass: Float64s, previous: Float64s) -> Float64s:
        """The best confusion [R, K, K] for ``mass[r, i, j]``, the voxels where rater r says i and the truth is j.

        Columns without mass keep ``previous`` [R, K, K].
        """

    def known(self, mass: Float64s) -> Known:
        """The columns [R, K] that the data say something about."""

    def penalty(self, confusion: Float64s) -> float:
        """Logarithm of the belief in a confusion [R, K, K], up to a constant: it is added to the log-likelihood."""

    def directions(self, n_classes: int) -> Float64s | None:
        """How a rater's matrix may change, [D, K, K] for D parameters; None where a belief decides what votes leave open."""


class FullConfusion:
    """A confusion matrix for every rater, all of it free: Dawid and Skene (1979); Warfield, Zou and Wells (2004)."""

    def estimate(self, mass: Float64s, previous: Float64s) -> Float64s:
        """Each column is the share of what the rater says where the truth is that class."""
        total = np.add.reduce(mass, axis=1, keepdims=True)
        if np.minimum.reduce(total, axis=None) > 0:  # nearly always, and much faster
            confusion: Float64s = mass / total
        else:
            confusion = np.divide(mass, total, out=previous.copy(), where=total > 0)
        return confusion

    def known(self, mass: Float64s) -> Known:
        """Those with mass."""
        known: Known = mass.sum(axis=1) > 0
        return known

    def penalty(self, confusion: Float64s) -> float:
        """Nothing is believed beforehand."""
        del confusion
        return 0.0

    def directions(self, n_classes: int) -> Float64s | None:
        """K - 1 entries of each column, at the cost of its last one."""
        moves = np.zeros((n_classes, n_classes - 1, n_classes, n_classes))
        for column, entry in np.ndindex(n_classes, n_classes - 1):
            moves[column, entry, [entry, -1], column] = 1, -1
        return moves.reshape(-1, n_classes, n_classes)


class OneAccuracy(FullConfusion):
    """One number a rater: right with the same probability whatever the truth, and wrong evenly among the other classes."""

    def estimate(self, mass: Float64s, previous: Float64s) -> Float64s:
        """The accuracy is the share of votes that name the truth."""
        n_classes = mass.shape[1]
        total = mass.sum(axis=(1, 2))
        right = np.trace(mass, axis1=1, axis2=2)
        accuracy = np.divide(right, total, out=np.zeros_like(total), where=total > 0)[:, None, None]
        confusion = np.where(np.eye(n_classes, dtype=bool), accuracy, (1 - accuracy) / (n_classes - 1))
        return np.where(total[:, None, None] > 0, confusion, previous)

    def known(self, mass: Float64s) -> Known:
        """All columns of a rater with any mass: one accuracy holds for all."""
        return np.repeat(mass.sum(axis=(1, 2)) > 0, mass.shape[1]).reshape(-1, mass.shape[1])

    def directions(self, n_classes: int) -> Float64s | None:
        """The whole diagonal, at the cost of all that is off it."""
        right = np.eye(n_classes)
        return (right - (1 - right) / (n_classes - 1))[None]


class BetaPrior(FullConfusion):
    """A full confusion with the belief that raters are mostly right: a Dirichlet distribution on each column.

    It adds ``alpha - 1`` pseudo-voxels to the diagonal of a column and ``beta - 1``, shared evenly, to what is off it; for two
    classes that is a Beta(alpha, beta) on sensitivity and specificity.
    """

    def __init__(self, alpha: float, beta: float) -> None:
        self.alpha, self.beta = alpha, beta

    def estimate(self, mass: Float64s, previous: Float64s) -> Float64s:
        """The mode of the posterior: shares of the votes with the pseudo-voxels among them."""
        del previous
        more = mass + self._pseudo(mass.shape[1])
        mode: Float64s = more / more.sum(axis=1, keepdims=True)
        return mode

    def penalty(self, confusion: Float64s) -> float:
        """Logarithm of the Dirichlet densities, without their constants."""
        pseudo = np.broadcast_to(self._pseudo(confusion.shape[1]), confusion.shape)
        return float((pseudo[pseudo > 0] * np.log(confusion[pseudo > 0])).sum())

    def directions(self, n_classes: int) -> Float64s | None:
        """None: where votes leave matrices open, the most probable one is the one nearest to what is believed."""
        del n_classes
        return None

    def _pseudo(self, n_classes: int) -> Float64s:
        right = np.eye(n_classes)
        return right * (self.alpha - 1) + (1 - right) * (self.beta - 1) / (n_classes - 1)
