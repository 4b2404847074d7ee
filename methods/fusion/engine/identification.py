"""Whether votes determine the raters' confusion matrices, or whether other matrices explain them as well.

The votes of raters who judge the same voxels are draws from ``P(x) = sum_k prior[k] prod_r A_r[x_r, k]``. The matrices are
identified where no small change of them leaves all these probabilities as they are: where the derivatives of P with respect to
the matrices are linearly independent (Goodman, 1974, Biometrika 61(2):215). Two raters with free matrices never are.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .patterns import Float64s
from .rater_models import Known, RaterModel

Bools = npt.NDArray[np.bool_]

INFORMATIVE = 1e-4
"""Smallest singular value of the matrix of a rater whose votes tell all classes apart."""
INDEPENDENT = 1e-10
"""Smallest eigenvalue, as a share of the largest, of the Gram matrix of derivatives that are linearly independent."""
MANY = 1000
"""Parameters from which only their number is looked at: eigenvalues of larger matrices take longer than the estimate."""


def is_identified(
    judged: Bools, confusion: Float64s, prior: Float64s, known: Known, model: RaterModel, *, free_prior: bool
) -> bool:
    """Whether raters' matrices are determined, at an estimate of them, by who judged which voxels together.

    Three raters whose matrices tell all classes apart determine each other (Kruskal, 1977; Allman, Matias and Rhodes, 2009,
    Annals of Statistics 37(6A):3099), the prior, and whoever judges voxels together with one of them. What that leaves open is
    decided by the derivatives.

    Args:
        judged: [R, P], who judged the voxels of each pattern of votes that is evidence.
        confusion: [R, K, K], the estimate.
        prior: [K], of the classes.
        known: [R, K], the columns of the estimate that the votes say something about; no others are looked at.
        model: what is assumed about a rater.
        free_prior: the prior is a parameter, too.
    """
    together = _judged_together(judged)
    classes = np.flatnonzero((prior > 0) & known.any(axis=0))
    if not len(classes):
        return False
    if _determine_each_other(together, confusion[:, :, classes]):
        return True
    directions = model.directions(len(prior))
    if directions is None:
        return True
    moves = [_moves(directions, columns, classes) for columns in known]
    n_parameters = sum(map(len, moves)) + free_prior * (len(classes) - 1)
    n_free = sum(float(len(prior)) ** int(raters.sum()) - 1 for raters in together)
    if n_parameters > min(n_free, MANY):
        return n_parameters <= n_free
    return _independent(together, confusion[:, :, classes], prior[classes], moves, free_prior)


def _judged_together(judged: Bools) -> Bools:
    """The largest sets of raters [n, R] who judged a voxel together: what a subset of one tells, it tells as well."""
    sets = np.ones((1, len(judged)), dtype=bool) if judged.all() else np.unique(judged, axis=1).T
    within: Bools = np.all(sets[:, None] <= sets[None], axis=2) & ~np.eye(len(sets), dtype=bool)
    largest: Bools = sets[~np.any(within, axis=1)]
    return largest


def _moves(directions: Float64s, known: Bools, classes: npt.NDArray[np.intp]) -> Float64s:
    """The directions that change known columns alone, in the columns of some classes."""
    return directions[~directions[:, :, ~known].any(axis=(1, 2))][:, :, classes]


def _determine_each_other(together: Bools, confusion: Float64s) -> bool:
    informative = np.linalg.svd(confusion, compute_uv=False).min(axis=1) > INFORMATIVE
    everybody, determined, found = together.any(axis=0), np.zeros(len(confusion), dtype=bool), True
    while found and not np.array_equal(determined, everybody):
        found = False
        for raters in together:
            trusted = raters & informative
            if (trusted.sum() >= 3 or (trusted & determined).any()) and (raters & ~determined).any():
                determined, found = determined | raters, True
    return np.array_equal(determined, everybody)


def _independent(together: Bools, confusion: Float64s, prior: Float64s, moves: list[Float64s], free_prior: bool) -> bool:
    """Whether the derivatives of the patterns' probabilities are linearly independent."""
    weights = np.eye(len(prior))[:-1] - np.eye(len(prior))[-1] if free_prior else np.zeros((0, len(prior)))
    # The prior is a factor like a rater who has just one thing to say.
    factors, changes = [prior[None], *confusion], [weights[:, None], *moves]
    ends = np.cumsum([len(change) for change in changes])
    places = [np.arange(end - len(change), end) for end, change in zip(ends, changes, strict=True)]
    gram = np.zeros((ends[-1], ends[-1]))
    for raters in together:
        took_part = [0, *(1 + np.flatnonzero(raters)).tolist()]
        place = np.concatenate([places[t] for t in took_part])
        gram[np.ix_(place, place)] += derivative_products([factors[t] for t in took_part], [changes[t] for t in took_part])
    size = np.sqrt(gram.diagonal())
    if not size.all():
        return False
    eigenvalues = np.linalg.eigvalsh(gram / size / size[:, None])
    return bool(eigenvalues[0] > INDEPENDENT * eigenvalues[-1]) if len(eigenvalues) else True


def derivative_products(factors: list[Float64s], changes: list[Float64s]) -> Float64s:
    """Inner products [D, D] of the derivatives of ``P(x) = sum_k prod_t factors[t][x_t, k]`` over all x, in closed form.

    A factor is [I_t, K], and its ``changes`` [D_t, I_t, K] are the directions in which it moves; D is the sum of D_t. Sums over
    all x become products over t of sums over x_t, so that the cost grows with the square of their number and not as a power.
    """
    inner = np.array([factor.T @ factor for factor in factors])
    everyone = np.arange(len(factors))
    rows = []
    for s, (one, first) in enumerate(zip(factors, changes, strict=True)):
        row = []
        for t, (other, second) in enumerate(zip(factors, changes, strict=True)):
            rest = inner[(everyone != s) & (everyone != t)].prod(axis=0)
            if s == t:
                row.append(np.einsum("aik,bil,kl->ab", first, second, rest))
            else:
                row.append(np.einsum("aik,il,jk,bjl,kl->ab", first, one, other, second, rest, optimize=True))
        rows.append(np.hstack(row))
    products: Float64s = np.vstack(rows)
    return products
