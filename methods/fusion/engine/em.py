"""The one expectation maximisation of the suite: hidden truth, one confusion matrix a rater, on vote patterns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ...base import Status
from .identification import is_identified
from .patterns import Float64s, mean_vote
from .rater_models import FullConfusion, Known, RaterModel

IMPOSSIBLE = -1e300
"""Logarithm of zero: finite, so that a vote of 0 for what is impossible still contributes 0 and not NaN."""

ROUNDING = 1e-6
"""How far a soft rating may be from a sum of 1."""

Prior = Literal["fixed", "estimated"]
"""How common the classes are: the frequency of the raters' labels throughout, or estimated anew in every iteration."""


@dataclass(frozen=True, eq=False)
class Votes:
    """What the EM sees: ``counts`` [P] voxels of each of the ``votes`` [R, K, P].

    They are one-hot, soft or weighted, and zeros where not judged.
    """

    votes: Float64s
    counts: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Estimate:
    """Where the EM ended.

    ``posterior`` [K, P]; ``confusion`` [R, K, K], ``[r, i, j] = p(says i | truth is j)``, complete; ``known`` [R, K] bool:
    the columns that the data say something about; ``prior`` [K]; ``log_likelihood`` of every iteration, in nats: what is
    maximised, with the logarithm of the raters' prior where the model has one. ``identified`` is False where other matrices
    explain the votes as well, so that these depend on the start.
    """

    posterior: Float64s
    confusion: Float64s
    known: Known
    prior: Float64s
    log_likelihood: tuple[float, ...]
    converged: bool
    identified: bool = True

    @property
    def status(self) -> Status:
        """How it ended. More iterations help no estimate that is not identified, so this is said first."""
        return "not identified" if not self.identified else "ok" if self.converged else "not converged"

    @property
    def performance(self) -> Float64s:
        """The confusion matrices [R, K, K] to report: NaN in columns that cannot be estimated."""
        return np.where(self.known[:, None, :], self.confusion, np.nan)


def label_frequency(data: Votes) -> Float64s:
    """Share of each class [K] among all observed (voxel, rater) entries; uniform if there is none."""
    total: Float64s = (data.votes.sum(axis=0) * data.counts).sum(axis=1)
    return total / total.sum() if total.sum() > 0 else np.full(len(total), 1 / len(total))


def expectation_maximisation(
    data: Votes, *, max_iterations: int, tolerance: float, prior: Prior = "fixed", model: RaterModel | None = None
) -> Estimate:
    """Estimate the hidden truth and every rater's confusion matrix together.

    Warfield, Zou and Wells (2004), eqs. 11 to 18, for two classes; Dawid and Skene (1979) for more. The rules are those of
    ITK's filter, carried over to missing entries: the prior is the label frequency of all observed (voxel, rater) entries and
    stays; the truth starts at the mean of the present raters (``start``); the M-step comes first; it stops when no parameter
    moves by more than ``tolerance`` (from the second iteration). Soft and weighted votes enter as exponents (vote splitting).
    A column without mass keeps its previous value (uniform at first). ``prior="estimated"`` makes the classes' prior a
    parameter, the mean posterior of the judged voxels, as Dawid and Skene do. ``model`` is ``FullConfusion()`` by default.
    """
    model = model or FullConfusion()
    flat, shape = _flat(data.votes), (*data.votes.shape[:2], data.votes.shape[1])
    counts = np.where(flat.any(axis=0), data.counts, 0).astype(float) if prior == "estimated" else data.counts.astype(float)
    classes = label_frequency(data)
    posterior = start(data.votes, classes)
    confusion = np.full(shape, 1.0 / shape[1])
    likelihoods: list[float] = []
    converged = False
    with np.errstate(divide="ignore"):  # the logarithm of what is impossible
        log_classes = _log(classes)[:, None]
        while not converged and len(likelihoods) < max_iterations:
            weight = posterior * counts
            mass = (flat @ weight.T).reshape(shape)
            before, confusion = confusion, model.estimate(mass, confusion)
            moved = _step(confusion, before)
            if prior == "estimated" and (total := weight.sum()) > 0:
                previous, classes = classes, weight.sum(axis=1) / total
                moved, log_classes = max(moved, _step(classes, previous)), _log(classes)[:, None]
            posterior, evidence = _expect(flat, confusion, log_classes)
            likelihoods.append(float(evidence @ counts) + model.penalty(confusion))
            converged = len(likelihoods) > 1 and moved <= tolerance
    known = model.known(mass)
    judged = np.any(data.votes[:, :, data.counts > 0], axis=1)
    identified = is_identified(judged, confusion, classes, known, model, free_prior=prior == "estimated")
    return Estimate(posterior, confusion, known, classes, tuple(likelihoods), converged, identified)


def start(votes: Float64s, prior: Float64s) -> Float64s:
    """The truth [K, P] to begin with: the mean of the present raters.

    Where several raters share no voxel at all, each mean is one vote, which nothing could ever contradict: then all raters
    are taken to be right at 9 voxels in 10, so that what differs between them, how often they say a class, can be learned.
    """
    n_raters, n_classes, _ = votes.shape
    shared = votes.sum(axis=(0, 1)).max(initial=0) > 1 + ROUNDING or (votes.any(axis=1).sum(axis=0) > 1).any()
    if n_raters == 1 or shared:
        return mean_vote(votes)
    confusion = np.full((n_classes, n_classes), 0.1 / (n_classes - 1))
    np.fill_diagonal(confusion, 0.9)
    return expect(votes, np.repeat(confusion[None], n_raters, axis=0), prior)[0]


def pool(cases: Sequence[tuple[tuple[str, ...], Votes]], raters: tuple[str, ...]) -> Votes:
    """The votes of many cases, each with its own raters, as one set in which absent raters are "not judged"."""
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
    """M-step: each rater's confusion [R, K, K], NaN in columns that the data say nothing about."""
    model, (n_raters, n_classes, _) = model or FullConfusion(), data.votes.shape
    mass = (_flat(data.votes) @ (posterior * data.counts).T).reshape(n_raters, n_classes, n_classes)
    confusion = model.estimate(mass, np.full_like(mass, np.nan))
    return np.where(model.known(mass)[:, None], confusion, np.nan)


def expect(votes: Float64s, confusion: Float64s, prior: Float64s) -> tuple[Float64s, Float64s]:
    """E-step in logarithms: posterior [K, P] and the log-likelihood of each pattern [P]."""
    with np.errstate(divide="ignore"):
        return _expect(_flat(votes), confusion, _log(prior)[:, None])


def _flat(votes: Float64s) -> Float64s:
    return votes.reshape(-1, votes.shape[2])


def _expect(flat: Float64s, confusion: Float64s, log_prior: Float64s) -> tuple[Float64s, Float64s]:
    # A small image has few patterns: what costs is calling NumPy, so results are written in place and reduced by the ufuncs.
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


def _step(one: Float64s, other: Float64s) -> float:
    difference = one - other
    np.abs(difference, out=difference)
    return float(np.maximum.reduce(difference, axis=None))


_FLOOR = np.array(IMPOSSIBLE)  # an array, since NumPy needs longer for a float of Python
