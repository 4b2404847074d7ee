"""Checks whether the votes determine the raters' confusion matrices, or other matrices explain them equally well.

The votes of raters who judge the same voxels are draws from ``P(x) = sum_k prior[k] prod_r A_r[x_r, k]``. The matrices are
identified where no small change of them leaves all these probabilities as they are: where the derivatives of P with respect to
the matrices are linearly independent (Goodman, 1974, Biometrika 61(2):215). Two raters with free matrices never are.
"""

from __future__ import annotations

import numpy as np

from .patterns import Bools, Float64s
from .rater_models import RaterModel

INFORMATIVE = 1e-4
"""Smallest singular value of a rater's matrix from which the rater's votes distinguish all classes."""
INDEPENDENT = 1e-10
"""Smallest eigenvalue, as a share of the largest, of the Gram matrix of derivatives that are linearly independent."""
MANY = 1000
"""Number of parameters from which only their number is checked: eigenvalues of larger matrices take longer than the EM."""


def is_identified(
    judged: Bools, confusion: Float64s, prior: Float64s, estimable: Bools, model: RaterModel, *, free_prior: bool
) -> bool:
    """Whether the votes determine the raters' matrices, at an estimate of them.

    Three raters whose matrices distinguish all classes determine each other, the prior, and every rater who judges voxels
    together with one of them (Kruskal, 1977; Allman, Matias and Rhodes, 2009, Annals of Statistics 37(6A):3099). Where this
    does not suffice, the rank of the derivatives decides.

    Args:
        judged: [R, P], who judged the voxels of each pattern of votes that is evidence.
        confusion: [R, K, K], the estimate.
        prior: [K], of the classes.
        estimable: [R, K], the columns of the estimate about which the votes hold information; only these are checked.
        model: of the raters.
        free_prior: whether the prior of the classes is a parameter, too.
    """
    together = _judged_together(judged)
    classes = np.flatnonzero((prior > 0) & estimable.any(axis=0))
    if not len(classes):
        return False
    if _determine_each_other(together, confusion[:, :, classes]):
        return True
    directions = model.directions(len(prior))
    if directions is None:
        return True
    # Of each rater, the directions that change estimable columns alone, in the columns of these classes.
    moves = [directions[~directions[:, :, ~columns].any(axis=(1, 2))][:, :, classes] for columns in estimable]
    n_parameters = sum(map(len, moves)) + free_prior * (len(classes) - 1)
    n_free = sum(float(len(prior)) ** int(raters.sum()) - 1 for raters in together)
    if n_parameters > min(n_free, MANY):
        return n_parameters <= n_free
    return _independent(together, confusion[:, :, classes], prior[classes], moves, free_prior)


def _judged_together(judged: Bools) -> Bools:
    """The sets of raters [n, R] who judged a voxel together, without those that are part of a larger one."""
    sets = np.ones((1, len(judged)), dtype=bool) if judged.all() else np.unique(judged, axis=1).T
    within: Bools = np.all(sets[:, None] <= sets[None], axis=2) & ~np.eye(len(sets), dtype=bool)
    largest: Bools = sets[~np.any(within, axis=1)]
    return largest


def _determine_each_other(together: Bools, confusion: Float64s) -> bool:
    """Whether chains of three raters with informative matrices reach everybody who judged."""
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
    # The prior is a factor like a rater with a single possible vote.
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

    A factor is [I_t, K], its ``changes`` are the directions [D_t, I_t, K] in which it may change, and D is the sum of the D_t.
    The sum over all x is a product over t of sums over x_t, so the cost grows with the square of the number of factors.
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
