"""Models of a rater for the expectation maximisation: which parameters a confusion matrix has, and their prior distribution."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .patterns import Bools, Float64s


class RaterModel(Protocol):
    """The M-step for the raters. ``mass[r, i, j]`` [R, K, K] is the expected number of voxels where rater r says i and the
    truth is j.
    """

    def estimate(self, mass: Float64s, previous: Float64s) -> Float64s:
        """The most probable confusion matrices [R, K, K]; columns without mass keep ``previous`` [R, K, K]."""

    def estimable(self, mass: Float64s) -> Bools:
        """The columns [R, K] about which the votes hold information."""

    def log_prior(self, confusion: Float64s) -> float:
        """Logarithm of the prior density of the confusion matrices [R, K, K], up to a constant."""

    def directions(self, n_classes: int) -> Float64s | None:
        """The directions in which a matrix may change, [D, K, K] for D parameters; None if the prior alone identifies it."""


def normalise_columns(counts: npt.NDArray[Any], otherwise: Float64s | float = np.nan) -> Float64s:
    """Divide counts [..., K, K] by the sum of their column; ``otherwise`` in columns that sum to 0."""
    total = np.add.reduce(counts, axis=-2, keepdims=True)
    if np.minimum.reduce(total, axis=None) > 0:  # nearly always, and much faster for the small matrices of an iteration
        shares: Float64s = counts / total
        return shares
    shares = np.empty(counts.shape)
    shares[...] = otherwise
    np.divide(counts, total, out=shares, where=total > 0)
    return shares


class FullConfusion:
    """A confusion matrix for each rater with all entries free: Dawid and Skene (1979); Warfield, Zou and Wells (2004)."""

    def estimate(self, mass: Float64s, previous: Float64s) -> Float64s:
        """Column j holds the shares of what the rater says where the truth is j."""
        return normalise_columns(mass, previous)

    def estimable(self, mass: Float64s) -> Bools:
        """The columns with mass."""
        estimable: Bools = mass.sum(axis=1) > 0
        return estimable

    def log_prior(self, confusion: Float64s) -> float:
        """0: the prior is flat."""
        del confusion
        return 0.0

    def directions(self, n_classes: int) -> Float64s | None:
        """K - 1 entries of each column; the last entry changes by the opposite amount."""
        moves = np.zeros((n_classes, n_classes - 1, n_classes, n_classes))
        for column, entry in np.ndindex(n_classes, n_classes - 1):
            moves[column, entry, [entry, -1], column] = 1, -1
        return moves.reshape(-1, n_classes, n_classes)


class OneAccuracy(FullConfusion):
    """One accuracy for each rater, the same for every true class; errors are spread evenly over the other classes."""

    def estimate(self, mass: Float64s, previous: Float64s) -> Float64s:
        """The accuracy is the share of votes that name the truth."""
        n_classes = mass.shape[1]
        total = mass.sum(axis=(1, 2))
        right = np.trace(mass, axis1=1, axis2=2)
        accuracy = np.divide(right, total, out=np.zeros_like(total), where=total > 0)[:, None, None]
        confusion = np.where(np.eye(n_classes, dtype=bool), accuracy, (1 - accuracy) / (n_classes - 1))
        return np.where(total[:, None, None] > 0, confusion, previous)

    def estimable(self, mass: Float64s) -> Bools:
        """All columns of a rater with any mass, because they share one accuracy."""
        return np.repeat(mass.sum(axis=(1, 2)) > 0, mass.shape[1]).reshape(-1, mass.shape[1])

    def directions(self, n_classes: int) -> Float64s | None:
        """One: the diagonal grows, and all other entries shrink."""
        right = np.eye(n_classes)
        return (right - (1 - right) / (n_classes - 1))[None]


class BetaPrior(FullConfusion):
    """A full confusion matrix with a Dirichlet prior on each column, which favours raters who are mostly right.

    The prior adds ``alpha - 1`` pseudo-voxels to the diagonal entry of a column and shares ``beta - 1`` evenly among the other
    entries. For two classes this is a Beta(alpha, beta) prior on sensitivity and specificity.
    """

    def __init__(self, alpha: float, beta: float) -> None:
        self.alpha, self.beta = alpha, beta

    def estimate(self, mass: Float64s, previous: Float64s) -> Float64s:
        """The mode of the posterior: the shares of votes and pseudo-voxels together."""
        del previous
        return normalise_columns(mass + self._pseudo_voxels(mass.shape[1]))

    def log_prior(self, confusion: Float64s) -> float:
        """Logarithm of the Dirichlet densities, without their constants."""
        pseudo = np.broadcast_to(self._pseudo_voxels(confusion.shape[1]), confusion.shape)
        return float((pseudo[pseudo > 0] * np.log(confusion[pseudo > 0])).sum())

    def directions(self, n_classes: int) -> Float64s | None:
        """None: the prior has one mode, so there always is one most probable matrix."""
        del n_classes
        return None

    def _pseudo_voxels(self, n_classes: int) -> Float64s:
        right = np.eye(n_classes)
        return right * (self.alpha - 1) + (1 - right) * (self.beta - 1) / (n_classes - 1)
