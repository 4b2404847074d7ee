"""Expectation maximisation over patterns of votes: estimates the hidden truth and one confusion matrix for each rater."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ...base import Status
from .identification import is_identified
from .patterns import Bools, Float64s, mean_vote
from .rater_models import FullConfusion, RaterModel

IMPOSSIBLE = -1e300
"""In place of the logarithm of 0: finite, so that its product with a vote of 0 is 0 and not NaN."""

ROUNDING = 1e-6
"""Largest difference of the sum of a soft vote from 1."""

Prior = Literal["fixed", "estimated"]
"""The prior of the classes: the frequency of the raters' labels, or estimated anew in each iteration."""


@dataclass(frozen=True, eq=False)
class Votes:
    """The evidence: ``counts`` [P] voxels that show each of the ``votes`` [R, K, P].

    Votes are one-hot, soft or weighted, and zeros where not judged.
    """

    votes: Float64s
    counts: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class EMEstimate:
    """The result of an expectation maximisation.

    Args:
        posterior: [K, P], the probability of each class in each pattern.
        confusion: [R, K, K], ``[r, i, j] = p(rater r says i | truth is j)``, without NaN.
        estimable: [R, K], the columns of ``confusion`` about which the votes hold information.
        prior: [K], of the classes.
        log_likelihood: of each iteration, in nats, plus the logarithm of the raters' prior where the model has one.
        converged: False if the last allowed iteration was reached first.
        identified: False if other matrices explain the votes equally well, so that these depend on the initialisation.
    """

    posterior: Float64s
    confusion: Float64s
    estimable: Bools
    prior: Float64s
    log_likelihood: tuple[float, ...]
    converged: bool
    identified: bool = True

    @property
    def status(self) -> Status:
        """The status to report; "not identified" comes first, because more iterations do not change it."""
        return "not identified" if not self.identified else "ok" if self.converged else "not converged"

    @property
    def performance(self) -> Float64s:
        """The confusion matrices [R, K, K] to report: NaN in columns that cannot be estimated."""
        return np.where(self.estimable[:, None, :], self.confusion, np.nan)


def label_frequency(data: Votes) -> Float64s:
    """Share of each class [K] among all observed (voxel, rater) entries; uniform if there is none."""
    total: Float64s = (data.votes.sum(axis=0) * data.counts).sum(axis=1)
    return total / total.sum() if total.sum() > 0 else np.full(len(total), 1 / len(total))


def expectation_maximisation(
    data: Votes, *, max_iterations: int, tolerance: float, prior: Prior = "fixed", model: RaterModel | None = None
) -> EMEstimate:
    """Estimate the hidden truth and each rater's confusion matrix together.

    Warfield, Zou and Wells (2004), eqs. 11 to 18, for two classes; Dawid and Skene (1979) for more. As in ITK's filter, the
    prior of the classes is the label frequency and stays fixed, the truth is initialised with the mean of the raters
    (``initial_truth``), and the M-step comes first. Soft and weighted votes are exponents of the likelihood. A column without
    mass keeps its previous value, at first uniform.

    Args:
        data: the evidence.
        max_iterations: the last iteration.
        tolerance: iteration stops when no parameter changes by more than this, from the second iteration on.
        prior: ``"estimated"`` makes the prior of the classes a parameter, the mean posterior of the judged voxels, as in
            Dawid and Skene.
        model: of the raters, by default ``FullConfusion()``.
    """
    model = model or FullConfusion()
    flat, shape = _flat(data.votes), (*data.votes.shape[:2], data.votes.shape[1])
    counts = np.where(flat.any(axis=0), data.counts, 0).astype(float) if prior == "estimated" else data.counts.astype(float)
    classes = label_frequency(data)
    posterior = initial_truth(data.votes, classes)
    confusion = np.full(shape, 1.0 / shape[1])
    likelihoods: list[float] = []
    converged = False
    with np.errstate(divide="ignore"):  # the logarithm of what is impossible
        log_classes = _log(classes)[:, None]
        while not converged and len(likelihoods) < max_iterations:
            weight = posterior * counts
            mass = (flat @ weight.T).reshape(shape)
            before, confusion = confusion, model.estimate(mass, confusion)
            moved = _largest_change(confusion, before)
            if prior == "estimated" and (total := weight.sum()) > 0:
                previous, classes = classes, weight.sum(axis=1) / total
                moved, log_classes = max(moved, _largest_change(classes, previous)), _log(classes)[:, None]
            posterior, evidence = _expect(flat, confusion, log_classes)
            likelihoods.append(float(evidence @ counts) + model.log_prior(confusion))
            converged = len(likelihoods) > 1 and moved <= tolerance
    estimable = model.estimable(mass)
    judged = np.any(data.votes[:, :, data.counts > 0], axis=1)
    identified = is_identified(judged, confusion, classes, estimable, model, free_prior=prior == "estimated")
    return EMEstimate(posterior, confusion, estimable, classes, tuple(likelihoods), converged, identified)


def initial_truth(votes: Float64s, prior: Float64s) -> Float64s:
    """The probability of the classes [K, P] to start from: the mean of the raters who judged.

    If no voxel was judged by two raters, each mean is a single vote, and the iteration could not leave it. Then every rater
    is assumed to be right at 9 of 10 voxels.
    """
    n_raters, n_classes, _ = votes.shape
    shared = votes.sum(axis=(0, 1)).max(initial=0) > 1 + ROUNDING or (votes.any(axis=1).sum(axis=0) > 1).any()
    if n_raters == 1 or shared:
        return mean_vote(votes)
    confusion = np.full((n_classes, n_classes), 0.1 / (n_classes - 1))
    np.fill_diagonal(confusion, 0.9)
    return expect(votes, np.repeat(confusion[None], n_raters, axis=0), prior)[0]


def pool_votes(cases: Sequence[tuple[tuple[str, ...], Votes]], raters: tuple[str, ...]) -> Votes:
    """Join the votes of many cases, each with its own raters; raters absent from a case did not judge it."""
    widened = []
    for present, data in cases:
        votes = np.zeros((len(raters), *data.votes.shape[1:]))
        votes[[raters.index(rater) for rater in present]] = data.votes
        widened.append(votes)
    votes = np.concatenate(widened, axis=2)
    unique, code = np.unique(_flat(votes), axis=1, return_inverse=True)
    counts = np.bincount(code.ravel(), weights=np.concatenate([data.counts for _, data in cases])).astype(np.int64)
    return Votes(unique.reshape(*votes.shape[:2], -1), counts)


def maximise(data: Votes, posterior: Float64s, model: RaterModel | None = None) -> Float64s:
    """M-step: each rater's confusion matrix [R, K, K], NaN in columns about which the votes hold no information."""
    model, (n_raters, n_classes, _) = model or FullConfusion(), data.votes.shape
    mass = (_flat(data.votes) @ (posterior * data.counts).T).reshape(n_raters, n_classes, n_classes)
    confusion = model.estimate(mass, np.full_like(mass, np.nan))
    return np.where(model.estimable(mass)[:, None], confusion, np.nan)


def expect(votes: Float64s, confusion: Float64s, prior: Float64s) -> tuple[Float64s, Float64s]:
    """E-step in logarithms: posterior [K, P] and the log-likelihood of each pattern [P]."""
    with np.errstate(divide="ignore"):
        return _expect(_flat(votes), confusion, _log(prior)[:, None])


def _flat(votes: Float64s) -> Float64s:
    return votes.reshape(-1, votes.shape[2])


def _expect(flat: Float64s, confusion: Float64s, log_prior: Float64s) -> tuple[Float64s, Float64s]:
    # A small image has few patterns, so the time goes into calls of NumPy: fewest with results in place and ufunc reductions.
    joint = _log(confusion).reshape(-1, len(log_prior)).T @ flat
    joint += log_prior
    top = np.maximum.reduce(joint, axis=0)
    joint -= top
    np.exp(joint, out=joint)
    total = np.add.reduce(joint, axis=0)
    joint /= total
    np.log(total, out=total)
    total += top
    return joint, total


def _log(probability: Float64s) -> Float64s:
    logarithm: Float64s = np.log(probability)
    np.maximum(logarithm, _FLOOR, out=logarithm)
    return logarithm


def _largest_change(one: Float64s, other: Float64s) -> float:
    difference = one - other
    np.abs(difference, out=difference)
    return float(np.maximum.reduce(difference, axis=None))


_FLOOR = np.array(IMPOSSIBLE)  # NumPy is faster with an array than with a Python float
