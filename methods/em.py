"""The one expectation maximisation of the suite: hidden truth, one confusion matrix a rater, on vote patterns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from .patterns import Float64s, mean_vote
from .rater_models import FullConfusion, Known, RaterModel

IMPOSSIBLE = -1e300
"""Logarithm of zero: finite, so that a vote of 0 for what is impossible still contributes 0 and not NaN."""

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
    maximised, with the logarithm of the raters' prior where the model has one.
    """

    posterior: Float64s
    confusion: Float64s
    known: Known
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


def expectation_maximisation(
    data: Votes, *, max_iterations: int, tolerance: float, prior: Prior = "fixed", model: RaterModel | None = None
) -> Estimate:
    """Estimate the hidden truth and every rater's confusion matrix together.

    Warfield, Zou and Wells (2004), eqs. 11 to 18, for two classes; Dawid and Skene (1979) for more. The rules are those of
    ITK's filter, carried over to missing entries: the prior is the label frequency of all observed (voxel, rater) entries and
    stays; the truth starts at the mean of the present raters; the M-step comes first; it stops when no parameter moves by
    more than ``tolerance`` (from the second iteration). Soft and weighted votes enter as exponents (vote splitting). A column
    without mass keeps its previous value (uniform at first). ``prior="estimated"`` makes the classes' prior a parameter, the
    mean posterior of the judged voxels, as Dawid and Skene do. ``model`` is ``FullConfusion()`` by default.
    """
    model = model or FullConfusion()
    flat, shape = _flat(data.votes), data.votes.shape
    counts = np.where(flat.any(axis=0), data.counts, 0).astype(float) if prior == "estimated" else data.counts.astype(float)
    classes, posterior = label_frequency(data), mean_vote(data.votes)
    confusion = np.full((len(data.votes), len(classes), len(classes)), 1.0 / len(classes))
    likelihoods: list[float] = []
    converged = False
    with np.errstate(divide="ignore"):  # the logarithm of what is impossible
        while not converged and len(likelihoods) < max_iterations:
            weight = posterior * counts
            before, (confusion, known) = confusion, model.estimate((flat @ weight.T).reshape(*shape[:2], shape[1]), confusion)
            moved = np.abs(confusion - before).max()
            if prior == "estimated" and (total := weight.sum()) > 0:
                previous, classes = classes, weight.sum(axis=1) / total
                moved = max(moved, np.abs(classes - previous).max())
            posterior, evidence = _expect(flat, confusion, classes)
            likelihoods.append(float(evidence @ counts) + model.penalty(confusion))
            converged = len(likelihoods) > 1 and bool(moved <= tolerance)
    return Estimate(posterior, confusion, known, classes, tuple(likelihoods), converged)


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


def maximise(data: Votes, posterior: Float64s, previous: Float64s, model: RaterModel | None = None) -> tuple[Float64s, Known]:
    """M-step: confusion [R, K, K], and which columns [R, K] have mass; the others keep ``previous`` [R, K, K]."""
    n_raters, n_classes, _ = data.votes.shape
    mass = _flat(data.votes) @ (posterior * data.counts).T
    return (model or FullConfusion()).estimate(mass.reshape(n_raters, n_classes, n_classes), previous)


def expect(votes: Float64s, confusion: Float64s, prior: Float64s) -> tuple[Float64s, Float64s]:
    """E-step in logarithms: posterior [K, P] and the log-likelihood of each pattern [P]."""
    with np.errstate(divide="ignore"):
        return _expect(_flat(votes), confusion, prior)


def _flat(votes: Float64s) -> Float64s:
    return votes.reshape(-1, votes.shape[2])


def _expect(flat: Float64s, confusion: Float64s, prior: Float64s) -> tuple[Float64s, Float64s]:
    joint = np.maximum(np.log(confusion), _FLOOR).reshape(-1, len(prior)).T @ flat
    joint += np.maximum(np.log(prior), _FLOOR)[:, None]
    top = joint.max(axis=0)
    posterior = np.exp(np.subtract(joint, top, out=joint), out=joint)
    total = posterior.sum(axis=0)
    return np.divide(posterior, total, out=posterior), top + np.log(total)


_FLOOR = np.array(IMPOSSIBLE)  # an array, since NumPy needs longer for a float of Python
