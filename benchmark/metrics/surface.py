"""Distances between surfaces, in the unit of the case's own geometry.

A surface is made of the edge voxels of a mask; all of them count the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import hypot, inf
from typing import Annotated, NamedTuple

import numpy as np

from ...datasets.base import Unit
from ...parameters import Range
from ...voxel_counts import Doubles
from .base import UNIT_SYMBOLS, Mask, Metric, Segmentation, judged, needed, remember


class Surfaces(NamedTuple):
    """Distance of each edge voxel to the other surface, in the unit of the spacing; empty unless both have a surface.

    ``present`` says whether each has a surface, ``same`` whether the masks are the same wherever they were judged.
    """

    from_prediction: Doubles
    from_reference: Doubles
    present: tuple[bool, bool]
    same: bool


def real_axes(shape: Sequence[int]) -> tuple[int, ...]:
    """The axes of an image that has any: an axis of length 1 is no direction in which anything could lie.

    An image of a single voxel keeps its last axis.
    """
    return tuple(axis for axis, n in enumerate(shape) if n > 1) or (len(shape) - 1,)


def surface_distances(
    prediction: Mask, reference: Mask, spacing: Sequence[float], *, judged: Mask | None = None, image_border: bool = True
) -> Surfaces:
    """Both directed sets of surface distances of two masks [*S], in the unit of ``spacing`` [ndim].

    ``judged`` [*S] are the voxels that count, all for None. Axes of length 1 are left out. ``image_border`` as in ``edges``.
    """
    axes = real_axes(prediction.shape)
    squeeze = tuple(axis for axis in range(prediction.ndim) if axis not in axes)
    known = np.ones(prediction.shape, bool) if judged is None else judged
    masks = [np.squeeze(mask & known, axis=squeeze) for mask in (prediction, reference)]
    known = np.squeeze(known, axis=squeeze)
    same, nothing = np.array_equal(masks[0], masks[1]), np.zeros(0)
    if not masks[0].any() and not masks[1].any():
        return Surfaces(nothing, nothing, (False, False), same)
    # A voxel beyond the masks on each side, unless the image ends there: edges are the same as in the whole image.
    box = tuple(slice(max(0, side.start - 1), side.stop + 1) for side in bounding_box(masks[0] | masks[1]))
    there, back = (edges(mask[box], known[box], image_border=image_border) for mask in masks)
    present = bool(there.any()), bool(back.any())
    if not all(present):
        return Surfaces(nothing, nothing, present, same)
    sampling = np.array([spacing[axis] for axis in axes], np.float64)
    return Surfaces(_nearest(there, back, sampling), _nearest(back, there, sampling), present, same)


def _nearest(edge: Mask, other: Mask, spacing: Doubles) -> Doubles:
    """The distance [n] of each edge voxel to the nearest one of the ``other`` edge, rounded to single precision."""
    from scipy.spatial import KDTree  # Here, so that a report does not load what only measuring needs.

    distances = np.zeros(np.count_nonzero(edge))
    apart = ~other[edge]  # Voxels of both edges have a distance of 0.
    if apart.any():
        # The size of leaves is what is fastest for a tree that is asked once. Rounding is as in MONAI's metrics.
        tree = KDTree(np.argwhere(other) * spacing, leafsize=32)
        distances[apart] = tree.query(np.argwhere(edge & ~other) * spacing)[0]
    return distances.astype(np.float32).astype(np.float64)


def edges(mask: Mask, judged: Mask, *, image_border: bool = True) -> Mask:
    """Edge voxels [*S] of a mask: those with a neighbour along an axis that was judged and lies outside the mask.

    A neighbour that nobody judged makes no edge: there the object may well go on. Where every voxel is judged these are the
    voxels that erosion takes away. ``image_border`` says whether an object that the image cuts has an edge there, as MONAI
    counts it. ``mask`` holds judged voxels only.
    """
    outside = judged & ~mask
    beside = np.zeros_like(mask)
    for axis in range(mask.ndim):
        to, of = np.moveaxis(beside, axis, 0), np.moveaxis(outside, axis, 0)
        to[1:] |= of[:-1]
        to[:-1] |= of[1:]
        if image_border:
            to[[0, -1]] = True
    return mask & beside


def bounding_box(mask: Mask) -> tuple[slice, ...]:
    """The smallest box that holds every true voxel of a mask that has one."""
    box = []
    for axis in range(mask.ndim):
        line = np.flatnonzero(mask.any(axis=tuple(a for a in range(mask.ndim) if a != axis)))
        box.append(slice(int(line[0]), int(line[-1]) + 1))
    return tuple(box)


def class_surfaces(
    prediction: Segmentation, reference: Segmentation, spacing: Sequence[float], image_border: bool
) -> list[Surfaces]:
    """The surfaces of each foreground class of a pair, computed once for both metrics."""
    known = judged(prediction, reference)

    def compute(k: int) -> Surfaces:
        first, second = prediction.labels == k, reference.labels == k
        return surface_distances(first, second, spacing, judged=known, image_border=image_border)

    key = "surfaces", tuple(spacing), image_border
    return [remember(prediction, reference, (*key, k), partial(compute, k)) for k in range(1, prediction.n_classes)]


def _nothing_judged(prediction: Segmentation, reference: Segmentation) -> bool:
    mask = judged(prediction, reference)
    return mask is not None and not mask.any()


def _edges_counted(image_border: bool) -> str:
    """What a caption says of objects that the image cuts."""
    return "also where the image cuts an object" if image_border else "but not where the image cuts an object"


class SurfaceDice(Metric):
    """The share of the edge voxels of both masks that lie within ``tolerance`` of the other's edge voxels.

    Voxels are counted, each the same, as by MONAI's ``compute_surface_dice``. Nikolov et al. (2018), who introduced the
    measure, weigh each piece of surface by its area instead; the values differ a little, most where voxels are anisotropic.

    Args:
        tolerance: in the unit of the case's geometry.
        image_border: whether an object that the image cuts has a surface there.
    """

    name, label = "surface dice", "Surface Dice"
    better, range, per_class = "higher", (0.0, 1.0), True
    shown_parameters = ("tolerance",)

    def __init__(
        self, *, tolerance: Annotated[float, Range(0, 10_000, without="low")] = 1.0, image_border: bool = True
    ) -> None:
        self.tolerance, self.image_border = tolerance, image_border

    @property
    def empty(self) -> str:  # type: ignore[override]
        return (
            f"Surface Dice counts edge voxels, {_edges_counted(self.image_border)}; it is 1 where reference and prediction are "
            "both empty, and 0 where only one is or has an edge."
        )

    def label_in(self, unit: Unit, ndim: int) -> str:
        del ndim
        return f"{self.label} at {self.tolerance:g} {UNIT_SYMBOLS[unit]}"

    def measure(self, prediction: Segmentation, reference: Segmentation | None, *, spacing: Sequence[float]) -> Doubles:
        reference = needed(self, reference)
        if _nothing_judged(prediction, reference):
            return np.full(prediction.n_classes - 1, np.nan)
        return np.array([self._share(s) for s in class_surfaces(prediction, reference, spacing, self.image_border)])

    def _share(self, surfaces: Surfaces) -> float:
        if not all(surfaces.present):
            return float(surfaces.same)
        # Distances are rounded to float32: one equal to the tolerance must not fall outside by rounding.
        limit = float(np.float32(self.tolerance))
        near = np.count_nonzero(surfaces.from_prediction <= limit) + np.count_nonzero(surfaces.from_reference <= limit)
        return near / (surfaces.from_prediction.size + surfaces.from_reference.size)


class Hausdorff95(Metric):
    """The larger of the two directed 95th percentiles of the distance between edge voxels (Huttenlocher et al., 1993).

    Where only one mask has a surface it is the diagonal of the image, so that finding nothing never pays.

    Args:
        image_border: whether an object that the image cuts has a surface there.
    """

    name, label, quantity = "hd95", "95 % Hausdorff distance", "length"
    better, range, per_class = "lower", (0.0, inf), True

    def __init__(self, *, image_border: bool = True) -> None:
        self.image_border = image_border

    @property
    def empty(self) -> str:  # type: ignore[override]
        return (
            f"The Hausdorff distance is between edge voxels, {_edges_counted(self.image_border)}; it is 0 where reference and "
            "prediction are both empty, and the diagonal of the image where only one is or has an edge."
        )

    def measure(self, prediction: Segmentation, reference: Segmentation | None, *, spacing: Sequence[float]) -> Doubles:
        reference = needed(self, reference)
        if _nothing_judged(prediction, reference):
            return np.full(prediction.n_classes - 1, np.nan)
        shape = prediction.labels.shape
        diagonal = hypot(*(shape[axis] * spacing[axis] for axis in real_axes(shape)))
        found = class_surfaces(prediction, reference, spacing, self.image_border)
        return np.array([self._distance(surfaces, diagonal) for surfaces in found])

    @staticmethod
    def _distance(surfaces: Surfaces, diagonal: float) -> float:
        if not all(surfaces.present):
            return 0.0 if surfaces.same else diagonal
        return float(max(np.percentile(surfaces.from_prediction, 95), np.percentile(surfaces.from_reference, 95)))
