"""Which trained model tested which subject, and how precisely that lets a mean over subjects be known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse, special
from scipy.sparse import csgraph

from ....errors import RaterbenchError
from ..arithmetic import Floats

Kind = Literal["crossed", "hold-out", "nested"]
Sparse = Any
"""A scipy.sparse matrix; scipy has no types."""

SINGULAR = 1e10
"""Condition number beyond which the equations of the variance components have no usable solution."""


class Moments(NamedTuple):
    """Of each column of values: the mean over subjects, its variance, the degrees of freedom, and variance components.

    All [B]. ``subject``, ``model`` and ``rest`` (subject x model) are NaN where the design cannot tell them apart; ``within``
    is ``subject`` and ``rest`` together, the variance among entries of one model.
    """

    mean: Floats
    variance: Floats
    df: Floats
    subject: Floats
    model: Floats
    rest: Floats
    within: Floats

    @property
    def p(self) -> Floats:
        """Two-sided p of the t test that the mean is 0."""
        found: Floats = 2 * special.stdtr(self.df, -np.abs(self.mean) / np.sqrt(self.variance))
        return found

    def half_width(self, level: float) -> Floats:
        """Half the width of the two-sided t interval."""
        found: Floats = special.stdtrit(self.df, 0.5 + level / 2) * np.sqrt(self.variance)
        return found


@dataclass(frozen=True, eq=False)
class Design:
    """Entries by subject and trained model; ``subject`` and ``model`` are [N], numbered from 0 without gaps.

    ``kind``: ``hold-out`` where every two models share a subject; ``nested`` where the design falls into pieces without a
    common subject, in each of which every two models share one (one repeat, or the same folds in every repeat); else
    ``crossed``.
    ``piece`` [n] is the piece that a subject belongs to.
    """

    subject: npt.NDArray[np.intp]
    model: npt.NDArray[np.intp]
    kind: Kind
    piece: npt.NDArray[np.intp]

    @classmethod
    def of(cls, subject: npt.ArrayLike, model: npt.ArrayLike) -> Design:
        """The design of entries with these labels of subjects and models, each [N].

        Raises:
            RaterbenchError: a subject has two entries of one model.
        """
        names, s = np.unique(np.asarray(subject), return_inverse=True)
        m = np.unique(np.asarray(model), return_inverse=True)[1]
        n, n_models = len(names), int(m.max()) + 1
        tested = sparse.csr_matrix((np.ones(len(s)), (s, m)), (n, n_models))
        if tested.nnz < len(s):
            twice = names[np.asarray(tested.max(axis=1).toarray()).ravel() > 1][0]
            raise RaterbenchError(f"subject {twice} has two entries of one trained model: average them, or number the models")
        joined = sparse.bmat([[None, tested], [tested.T, None]])
        pieces, label = csgraph.connected_components(joined, directed=False)
        models_of_piece = np.bincount(label[n:], minlength=pieces)
        every_two_share = (tested.T @ tested).nnz == (models_of_piece**2).sum()
        kind: Kind = "crossed" if not every_two_share else "hold-out" if pieces == 1 else "nested"
        return cls(s, m, kind, label[:n].astype(np.intp))

    @cached_property
    def tested(self) -> Sparse:
        """[n, M], 1 where the model tested the subject."""
        shape = (int(self.subject.max()) + 1, int(self.model.max()) + 1)
        return sparse.csr_matrix((np.ones(len(self.subject)), (self.subject, self.model)), shape)

    @cached_property
    def per_subject(self) -> Floats:
        """Entries of each subject [n]."""
        return np.bincount(self.subject).astype(float)

    @cached_property
    def per_model(self) -> Floats:
        """Entries of each model [M]."""
        return np.bincount(self.model).astype(float)

    @cached_property
    def crossed(self) -> Crossed | None:
        """The equations of the variance components; None where they have no unique solution."""
        return _crossed(self.tested, self.per_subject, self.per_model)

    def sums(self, values: Floats, by: Literal["subject", "model"]) -> Floats:
        """Sums of values [N, B] over the entries of each subject [n, B] or model [M, B]."""
        return _group_sums(self.subject if by == "subject" else self.model, values)

    def subject_means(self, values: Floats) -> Floats:
        """Mean of each subject's entries [n, B] of values [N, B]."""
        return self.sums(values, "subject") / self.per_subject[:, None]

    def moments(self, values: Floats) -> Moments | None:
        """Moments of the columns of values [N, B]; None where the design gives none."""
        if self.kind == "nested":
            return _nested_moments(self, values)
        return None if self.crossed is None else _crossed_moments(self, self.crossed, values)

    def covariance(self, values: Floats) -> Floats | None:
        """Covariance [B, B] of the means over subjects of the columns of values [N, B], from the same components.

        Its diagonal is the variance of :meth:`moments`, and so is that of every difference of two columns, or larger.
        """
        means = self.subject_means(values)
        if self.kind == "nested":
            share, gaps = _piece_gaps(self.piece, means)
            weighted: Floats = gaps * (share / np.sqrt(1 - share))[:, None]
            return weighted.T @ weighted
        if self.crossed is None:
            return None
        plain = np.cov(means, rowvar=False).reshape(values.shape[1], -1) / len(means)
        squares = _squares(self, values)
        beyond, directions = np.linalg.eigh(np.tensordot(self.crossed.load, squares, 1) - plain)
        found: Floats = plain + (directions * np.maximum(beyond, 0)) @ directions.T
        return found


class Crossed(NamedTuple):
    """Of a crossed design: E(squares) = ``equations`` @ components; ``load`` @ squares estimates the variance of the mean.

    ``share`` [3] @ components is that variance, and components @ ``spread`` [3, 3] @ components is half the variance of its
    estimate, if all parts are normal. Components are in the order subject, model, rest.
    """

    equations: Floats
    load: Floats
    share: Floats
    spread: Floats


def _crossed(tested: Sparse, per_subject: Floats, per_model: Floats) -> Crossed | None:
    """Method of moments (Henderson, 1953, method 1, with the total in place of the residual)."""
    n, m, entries = len(per_subject), len(per_model), per_subject.sum()
    by_subject, by_model = np.square(per_subject).sum() / entries, np.square(per_model).sum() / entries
    equations = np.array(
        [
            [entries - by_subject, n - by_model, n - 1],
            [m - by_subject, entries - by_model, m - 1],
            [entries - by_subject, entries - by_model, entries - 1],
        ]
    )
    weight = 1 / (n * per_subject)  # of each entry of a subject
    share = np.array([1 / n, np.square(tested.T @ weight).sum(), np.square(weight) @ per_subject])
    if m < 2 or n < 2 or np.linalg.cond(equations) > SINGULAR:
        return None
    load = np.linalg.solve(equations.T, share)
    return Crossed(equations, load, share, _spread(tested, per_subject, per_model, load))


def _spread(tested: Sparse, per_subject: Floats, per_model: Floats, load: Floats) -> Floats:
    """Traces [3, 3] of A V_j A V_k, where y'Ay is the estimated variance and V_j the covariance of component j.

    With Z_s, Z_m [N, n and M] the indicators of subjects and models, A = e + s Z_s Z_s'/J + m Z_m Z_m'/L - h 11'. A trace is
    the squared norm of Z_j' A Z_k: each is a sum over entries, or over pairs of models that share a subject.
    """
    s, m, e = load
    entries = per_subject.sum()
    h = load.sum() / entries
    squared_j, squared_l = np.square(per_subject).sum(), np.square(per_model).sum()
    shared = tested.T @ tested  # subjects that two models share
    subjects_n, models_n = len(per_subject), len(per_model)

    weight = m / per_model
    own = (e + s) * per_subject
    subjects = own @ own + 2 * own @ (tested @ weight - h * np.square(per_subject))
    subjects += weight @ (shared.power(2) @ weight)
    subjects += -2 * h * weight @ np.square(tested.T @ per_subject) + (h * squared_j) ** 2

    inner = s * (tested.T @ sparse.diags(1 / per_subject) @ tested) + sparse.diags((e + m) * per_model)
    models = inner.power(2).sum() - 2 * h * per_model @ (inner @ per_model) + (h * squared_l) ** 2

    both = h**2 * (entries**3 - 2 * entries * per_subject @ (tested @ per_model) + squared_j * squared_l)
    subject_rest = entries * (e + s) ** 2 + m**2 * models_n - 2 * m * h * squared_j + entries * h**2 * squared_j
    subject_rest += 2 * (e + s) * (m * models_n - h * squared_j)
    model_rest = entries * (e + m) ** 2 + s**2 * subjects_n - 2 * s * h * squared_l + entries * h**2 * squared_l
    model_rest += 2 * (e + m) * (s * subjects_n - h * squared_l)
    overlap = (1 / per_subject) @ (tested @ (1 / per_model))
    rest = e**2 * entries + s**2 * subjects_n + m**2 * models_n + 2 * e * (s * subjects_n + m * models_n) + 2 * s * m * overlap
    rest += (h * entries) ** 2 - 2 * h * entries * load.sum()
    return np.array([[subjects, both, subject_rest], [both, models, model_rest], [subject_rest, model_rest, rest]])


def _squares(design: Design, values: Floats) -> Floats:
    """Sums of squares and products [3, B, B] of values [N, B]: between subjects, between models, in total."""
    gaps = values - values.mean(axis=0)
    subjects, models = design.sums(gaps, "subject"), design.sums(gaps, "model")
    return np.stack(
        [
            (subjects / design.per_subject[:, None]).T @ subjects,
            (models / design.per_model[:, None]).T @ models,
            gaps.T @ gaps,
        ]
    )


def _crossed_moments(design: Design, crossed: Crossed, values: Floats) -> Moments:
    means = design.subject_means(values)
    gaps = values - values.mean(axis=0)
    squares = np.stack(
        [
            (np.square(design.sums(gaps, "subject")) / design.per_subject[:, None]).sum(axis=0),
            (np.square(design.sums(gaps, "model")) / design.per_model[:, None]).sum(axis=0),
            np.square(gaps).sum(axis=0),
        ]
    )
    components = np.maximum(np.linalg.solve(crossed.equations, squares), 0)
    # A variance below that of the subjects alone can only be chance.
    variance = np.maximum(crossed.load @ squares, means.var(axis=0, ddof=1) / len(means))
    with np.errstate(invalid="ignore", divide="ignore"):
        df = np.square(crossed.share @ components) / np.einsum("jb,jk,kb->b", components, crossed.spread, components)
    df = np.clip(np.nan_to_num(df, nan=len(means) - 1, posinf=len(means) - 1), 1, len(means) - 1)
    subject, model, rest = components
    return Moments(means.mean(axis=0), variance, df, subject, model, rest, subject + rest)


def _piece_gaps(piece: npt.NDArray[np.intp], means: Floats) -> tuple[Floats, Floats]:
    """Each piece's share of the subjects [c], and how far its mean is from that over all subjects [c, B]."""
    size = np.bincount(piece).astype(float)
    gaps: Floats = _group_sums(piece, means) / size[:, None] - means.mean(axis=0)
    return size / size.sum(), gaps


def _group_sums(label: npt.NDArray[np.intp], values: Floats) -> Floats:
    """Sums of values [N, B] over the rows of each label."""
    return np.stack([np.bincount(label, column) for column in values.T], axis=1)


def _nested_moments(design: Design, values: Floats) -> Moments:
    """The pieces are the independent units (CR2: Bell and McCaffrey, 2002); of one size it is the t-test over their means."""
    means = design.subject_means(values)
    share, gaps = _piece_gaps(design.piece, means)
    variance = (np.square(share) / (1 - share)) @ np.square(gaps)
    # tr(B)^2 / tr(B^2) of B = A A', where A turns subjects' values into the weighted gaps: B = diag(d^2 / n_c) - d d' / n.
    n = len(means)
    squared = np.square(share) / (1 - share)
    size = share * n
    trace = (squared / size).sum() - squared.sum() / n
    square_trace = np.square(squared / size).sum() - 2 / n * (np.square(squared) / size).sum() + (squared.sum() / n) ** 2
    df = np.full(values.shape[1], trace**2 / square_trace)
    return Moments(means.mean(axis=0), variance, df, *_nested_components(design, values, means))


def _nested_components(design: Design, values: Floats, means: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Variance of subjects, models, rest, and within a model [B each], by analysis of variance within the pieces.

    NaN for what cannot be told apart: subjects and rest with one repeat, everything with one subject a piece.
    """
    unknown = np.full(values.shape[1], np.nan)
    piece_of_model = np.empty(len(design.per_model), np.intp)
    piece_of_model[design.model] = design.piece[design.subject]
    subjects, models = np.bincount(design.piece).astype(float), np.bincount(piece_of_model).astype(float)
    if len(values) < (subjects * models).sum():
        return unknown, unknown, unknown, unknown  # Where entries are missing, these sums of squares are not independent.
    piece_means = _group_sums(design.piece, means) / subjects[:, None]
    of_subjects = models[design.piece] @ np.square(means - piece_means[design.piece])
    model_means = design.sums(values, "model") / design.per_model[:, None]
    of_models = subjects[piece_of_model] @ np.square(model_means - piece_means[piece_of_model])
    total = np.square(values - piece_means[design.piece[design.subject]]).sum(axis=0)
    free_rest = ((subjects - 1) * (models - 1)).sum()
    if free_rest > 0:
        rest = np.maximum(total - of_subjects - of_models, 0) / free_rest
        subject = np.maximum(of_subjects - (subjects - 1).sum() * rest, 0) / ((subjects - 1) @ models)
        model = np.maximum(of_models - (models - 1).sum() * rest, 0) / ((models - 1) @ subjects)
        return subject, model, rest, subject + rest
    if (models > 1).any() or (subjects == 1).all():
        return unknown, unknown, unknown, unknown
    within = of_subjects / (subjects - 1).sum()
    between = subjects @ np.square(piece_means - means.mean(axis=0))
    n = subjects.sum()
    model = np.maximum(between - (len(subjects) - 1) * within, 0) / (n - np.square(subjects).sum() / n)
    return unknown, model, unknown, within
