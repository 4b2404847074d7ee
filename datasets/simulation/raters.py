"""Simulated raters with known parameters, and what each of them really did to a case.

A rater of an outline sees the signed distances [K-1, *S] of nested structures in mm, positive inside: structure k holds
the classes k+1 and above. Each effect bends these distances; where the last structure that holds a voxel ends is its label.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ...errors import RaterbenchError
from ..base import IGNORE, Case, Floats, Labels

Confusion = npt.NDArray[np.float64]


class Effect(Protocol):
    """Something that a rater does to the outlines: distances [K-1, *S] and spacing [ndim] in mm -> distances."""

    def __call__(self, distances: Floats, spacing: Sequence[float], random: np.random.Generator) -> Floats: ...


@dataclass(frozen=True)
class BoundaryBias:
    """Draws the outline of each structure ``offset`` [K-1] mm too far out; negative offsets lie too far in."""

    offset: tuple[float, ...]

    def __call__(self, distances: Floats, spacing: Sequence[float], random: np.random.Generator) -> Floats:
        del spacing, random
        offset = np.asarray(self.offset, np.float32)
        return distances + offset.reshape((-1,) + (1,) * (distances.ndim - 1))


@dataclass(frozen=True)
class BoundaryJitter:
    """Moves the outlines to and fro by a Gaussian random field of standard deviation ``size`` and scale ``smoothness``, in mm.

    White noise smoothed by a Gaussian of s voxels keeps a variance of 1 / (2 sqrt(pi) s) on every axis: the field is scaled
    back by that known factor, never by its own sample, so that small images do not get more jitter than large ones.
    """

    size: float
    smoothness: float

    def __call__(self, distances: Floats, spacing: Sequence[float], random: np.random.Generator) -> Floats:
        sigma = [self.smoothness / step for step in spacing]
        noise = random.standard_normal(distances.shape).astype(np.float32)
        smooth = ndimage.gaussian_filter(noise, [0.0, *sigma], mode="wrap")
        scale = self.size * np.prod([np.sqrt(2 * np.sqrt(np.pi) * s) for s in sigma])
        return np.asarray(distances + scale * smooth, np.float32)


@dataclass(frozen=True)
class MissedPart:
    """With ``probability``, overlooks a ball of ``radius`` mm centred somewhere inside ``structure``."""

    structure: int
    probability: float
    radius: float

    def __call__(self, distances: Floats, spacing: Sequence[float], random: np.random.Generator) -> Floats:
        ball = _ball(distances[self.structure] > 0, self.probability, self.radius, spacing, random)
        return distances if ball is None else _replaced(distances, self.structure, np.minimum(distances[self.structure], -ball))


@dataclass(frozen=True)
class InventedPart:
    """With ``probability``, adds a ball of ``radius`` mm just outside the outline of ``structure`` (at most two radii away)."""

    structure: int
    probability: float
    radius: float

    def __call__(self, distances: Floats, spacing: Sequence[float], random: np.random.Generator) -> Floats:
        own = distances[self.structure]
        around = (own < -0.5 * self.radius) & (own > -2 * self.radius)
        if self.structure > 0:
            around &= distances[self.structure - 1] > 0
        ball = _ball(around, self.probability, self.radius, spacing, random)
        return distances if ball is None else _replaced(distances, self.structure, np.maximum(own, ball))


@dataclass(frozen=True)
class VoxelFlips:
    """Says class i where the outline says j with probability ``confusion[i][j]``, for each voxel by itself.

    Raises:
        RaterbenchError: the matrix is not square, or a column does not sum to 1.
    """

    confusion: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        matrix = np.asarray(self.confusion, float)
        if (
            matrix.ndim != 2
            or matrix.shape[0] != matrix.shape[1]
            or not np.allclose(matrix.sum(axis=0), 1.0)
            or matrix.min() < 0
        ):
            raise RaterbenchError(
                f"the confusion {self.confusion} needs as many rows as columns, and every column must sum to 1"
            )

    def __call__(self, labels: Labels, random: np.random.Generator) -> Labels:
        cumulative = np.cumsum(np.asarray(self.confusion, float), axis=0)[:-1]
        draw = random.random(labels.shape)
        return np.asarray((draw[None] >= cumulative[:, labels]).sum(axis=0), np.uint8)


@dataclass(frozen=True)
class SimulatedRater:
    """A rater who draws nested outlines with some ``effects``, one after the other, and then may flip voxels."""

    name: str
    effects: tuple[Effect, ...] = ()
    flips: VoxelFlips | None = None

    def for_diagnosis(self, diagnosis: int | None) -> SimulatedRater:
        """The rater of cases with this diagnosis (None: there is none): always the same, unless a subclass says otherwise."""
        del diagnosis
        return self

    def rate(self, distances: Floats, spacing: Sequence[float], random: np.random.Generator) -> Labels:
        """Labels [*S] uint8 drawn from the true distances [K-1, *S]; ``spacing`` [ndim] in mm."""
        for effect in self.effects:
            distances = effect(distances, spacing, random)
        labels = labels_of(distances)
        return labels if self.flips is None else self.flips(labels, random)


@dataclass(frozen=True)
class MorphologicalRater:
    """A rater of grey-value digits: ink above ``threshold``, dilated or eroded (4-connected), cut by some fractures.

    ``missed`` is the share of the ink that is left out, in runs of ``run`` pixels in reading order.

    After the five raters of "Disentangling Human Error from the Ground Truth in Segmentation of Medical Images"
    (Zhang et al., NeurIPS 2020), whose parameters were not published; ``blank`` marks nothing at all.
    """

    name: str
    threshold: int = 127
    dilations: int = 0
    erosions: int = 0
    fractures: int = 0
    fracture_width: float = 2.0
    missed: float = 0.0
    run: int = 8
    blank: bool = False

    def rate(self, image: npt.NDArray[np.uint8], random: np.random.Generator) -> Labels:
        """Labels [H, W] uint8 of a digit [H, W] of grey values 0 to 255."""
        ink = image > self.threshold
        if self.blank:
            return np.zeros(image.shape, np.uint8)
        drawn = ink
        if self.dilations:
            drawn = ndimage.binary_dilation(drawn, iterations=self.dilations)
        if self.erosions:
            drawn = ndimage.binary_erosion(drawn, iterations=self.erosions)
        if self.fractures and ink.any():
            drawn = drawn & ~_fractures(ink, self.fractures, self.fracture_width, random)
        if self.missed and ink.any():
            drawn = drawn & ~_runs(ink, self.missed, self.run, random)
        return drawn.astype(np.uint8)


MORPHOLOGICAL_RATERS = (
    MorphologicalRater("good"),
    MorphologicalRater("over", threshold=0, dilations=2),
    MorphologicalRater("under", threshold=126, erosions=1),
    MorphologicalRater("wrong", dilations=1, fractures=3),
    MorphologicalRater("blank", blank=True),
)
"""The five simulated raters of MNIST digits."""

LESION_RATERS = (
    MorphologicalRater("good"),
    MorphologicalRater("over", dilations=2),
    MorphologicalRater("under", erosions=1),
    MorphologicalRater("wrong", dilations=1, missed=0.5),
    MorphologicalRater("blank", blank=True),
)
"""The same five for lesions, drawn in the plane from a mask of 0 and 255; *wrong* leaves out runs of lesion voxels.

After the authors' description of their raters of lesions (dilated and eroded one to three times; runs of voxels set to zero).
"""


def labels_of(distances: Floats) -> Labels:
    """Labels [*S] uint8 of nested structures: how many of them, from the outermost in, hold a voxel."""
    return np.asarray(np.cumprod(distances >= 0, axis=0, dtype=np.uint8).sum(axis=0), np.uint8)


def true_confusion(case: Case) -> dict[str, Confusion]:
    """What each rater who rated the case really did: [K, K], ``[i, j]`` = share of the voxels of class j called i.

    The column of a class that the truth lacks is NaN; voxels that the rater did not judge are left out.

    Raises:
        RaterbenchError: the truth of the case is not known.
    """
    return {name: _columns(counts) for name, counts in _counts(case).items()}


def pooled_confusion(cases: Iterable[Case]) -> dict[str, Confusion]:
    """Each rater's true confusion [K, K] over all the cases that they rated, every voxel counted once."""
    total: dict[str, Confusion] = {}
    for case in cases:
        for name, counts in _counts(case).items():
            total[name] = total.get(name, 0.0) + counts
    return {name: _columns(counts) for name, counts in total.items()}


def _counts(case: Case) -> dict[str, Confusion]:
    if case.truth is None:
        raise RaterbenchError(f"the truth of case {case.id!r} is not known: only simulated data have true confusions")
    n_classes, truth = len(case.truth.probability), case.truth.labels.astype(np.intp)
    found = {}
    for name, labels in case.ratings.items():
        judged = labels != IGNORE
        pairs = labels[judged].astype(np.intp) * n_classes + truth[judged]
        found[name] = np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes).astype(float)
    return found


def _columns(counts: Confusion) -> Confusion:
    total = counts.sum(axis=0)
    return np.asarray(np.divide(counts, total, out=np.full_like(counts, np.nan), where=total > 0))


def _ball(
    where: npt.NDArray[np.bool_], probability: float, radius: float, spacing: Sequence[float], random: np.random.Generator
) -> Floats | None:
    """Signed distance [*S] to a ball centred on a random voxel of ``where``, or None if chance or the mask says so."""
    # Both numbers are drawn in any case, so that one effect never shifts the random numbers of the next.
    happens, pick = random.random() < probability, random.random()
    candidates = np.flatnonzero(where)
    if not happens or not len(candidates):
        return None
    centre = np.unravel_index(candidates[int(pick * len(candidates))], where.shape)
    offsets = [(np.arange(n) - c) * step for n, c, step in zip(where.shape, centre, spacing, strict=True)]
    squared = sum(o**2 for o in np.ix_(*offsets))
    return np.asarray(radius - np.sqrt(squared), np.float32)


def _replaced(distances: Floats, structure: int, new: Floats) -> Floats:
    changed = distances.copy()
    changed[structure] = new
    return changed


def _runs(ink: npt.NDArray[np.bool_], share: float, length: int, random: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Some of the ink [H, W]: ``share`` of its runs of ``length`` pixels in reading order, the last of which may be shorter."""
    places = np.flatnonzero(ink)
    n = -(-len(places) // length)
    chosen = random.permutation(n) < round(share * n)
    missed = np.zeros(ink.size, bool)
    missed[places] = np.repeat(chosen, length)[: len(places)]
    return missed.reshape(ink.shape)


def _fractures(ink: npt.NDArray[np.bool_], count: int, width: float, random: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Straight cuts [H, W] of ``width`` pixels across the stroke at random points of it."""
    rows, columns = np.nonzero(ink)
    y, x = np.indices(ink.shape)
    cut = np.zeros(ink.shape, bool)
    for pick in random.integers(len(rows), size=count):
        dy, dx = rows - rows[pick], columns - columns[pick]
        near = dy**2 + dx**2 <= 4**2
        # The first eigenvector of the ink nearby points along the stroke.
        along = np.linalg.eigh(
            np.array([[dy[near] @ dy[near], dy[near] @ dx[near]], [dy[near] @ dx[near], dx[near] @ dx[near]]])
        )[1][:, 1]
        v, u = y - rows[pick], x - columns[pick]
        forward, sideways = v * along[0] + u * along[1], u * along[0] - v * along[1]
        # Half-open, so that a cut along an axis is exactly ``width`` pixels wide.
        cut |= (forward >= -width / 2) & (forward < width / 2) & (np.abs(sideways) <= 4)
    return cut
