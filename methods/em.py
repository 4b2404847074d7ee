"""The one expectation maximisation of the suite: hidden truth, one confusion matrix a rater, on vote patterns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .patterns import Float64s, mean_vote

IMPOSSIBLE = -1e300
"""Logarithm of zero: finite, so that a vote of 0 for what is impossible still contributes 0 and not NaN."""


@dataclass(frozen=True, eq=False)
class Votes:
    """What the EM sees: ``votes`` [R, K, P] one-hot, soft, or zeros where not judged, and ``counts`` [P] voxels of each."""

    votes: Float64s
    counts: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Estimate:
    """Where the EM ended.

    ``posterior`` [K, P]; ``confusion`` [R, K, K], ``[r, i, j] = p(says i | truth is j)``, complete; ``known`` [R, K] bool:
    the columns that the data say something about; ``prior`` [K]; ``log_likelihood`` of every iteration, in nats.
    """

    posterior: Float64s
    confusion: Float64s
    known: npt.NDArray[np.bool_]
    prior: Float64s
    log_likelihood: tuple[float, ...]
    converged: bool

    @property
    def performance(self) -> Float64s:
        """The confusion matrices [R, K, K] to report: NaN in columns that cannot be estimated."""
        return np.where(self.known[:, None, :], self.confusion, np.nan)


def label_frequency(data: Votes) -> Float64s:
    """Share of each class [K] among all observed (voxel, rater) entries; uniform if there is none."""
    total: Float64s = (data.votes.sum(axis=0) * data.counts).sum(axis=1)
    return total / total.sum() if total.sum() > 0 else np.full(len(total), 1 / len(total))


def expectation_maximisation(data: Votes, *, max_iterations: int, tolerance: float) -> Estimate:
    """Estimate the hidden truth and every rater's confusion matrix together.

    Warfield, Zou and Wells (2004), eqs. 11 to 18, for two classes; Dawid and Skene (1979) with a fixed prior for more.
    The rules are those of ITK's filter, carried over to missing entries: the prior is the label frequency of all observed
    (voxel, rater) entries and stays; the truth starts at the mean of the present raters; the M-step comes first; it stops
    when no parameter moves by more than ``tolerance`` (from the second iteration). Soft votes enter as exponents (vote
    splitting). A column without mass keeps its previous value (uniform at first).
    """
    prior = label_frequency(data)
    posterior = mean_vote(data.votes)
    confusion = np.full((len(data.votes), len(prior), len(prior)), 1.0 / len(prior))
    likelihoods: list[float] = []
    converged = False
    while not converged and len(likelihoods) < max_iterations:
        previous, (confusion, known) = confusion, maximise(data, posterior, confusion)
        posterior, evidence = expect(data.votes, confusion, prior)
        likelihoods.append(float(evidence @ data.counts))
        converged = len(likelihoods) > 1 and bool(np.abs(confusion - previous).max() <= tolerance)
    return Estimate(posterior, confusion, known, prior, tuple(likelihoods), converged)


def maximise(data: Votes, posterior: Float64s, previous: Float64s) -> tuple[Float64s, npt.NDArray[np.bool_]]:
    """M-step: confusion [R, K, K], and which columns [R, K] have mass; the others keep ``previous`` [R, K, K]."""
    n_raters, n_classes, _ = data.votes.shape
    mass = data.votes.reshape(n_raters * n_classes, -1) @ (posterior * data.counts).T
    mass = mass.reshape(n_raters, n_classes, n_classes)
    total = mass.sum(axis=1, keepdims=True)
    return np.divide(mass, total, out=previous.copy(), where=total > 0), total[:, 0] > 0


def expect(votes: Float64s, confusion: Float64s, prior: Float64s) -> tuple[Float64s, Float64s]:
    """E-step in logarithms: posterior [K, P] and the log-likelihood of each pattern [P]."""
    n_raters, n_classes, n_patterns = votes.shape
    joint = _log(confusion).reshape(-1, n_classes).T @ votes.reshape(n_raters * n_classes, n_patterns)
    joint += _log(prior)[:, None]
    top = joint.max(axis=0)
    posterior = np.exp(joint - top)
    total = posterior.sum(axis=0)
    return posterior / total, top + np.log(total)


def _log(probability: Float64s) -> Float64s:
    return np.log(probability, out=np.full_like(probability, IMPOSSIBLE), where=probability > 0)
