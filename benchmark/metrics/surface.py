"""Distances between surfaces in mm, in the case's own geometry, by MONAI.

A surface is made of the edge voxels of a mask, the voxels that erosion takes away; all of them count the same.
Voxels that were not judged belong to neither mask. torch and MONAI are imported when a distance is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import hypot, inf
from typing import NamedTuple

import numpy as np

from .base import Doubles, Mask, Metric, Segmentation, judged, needed, remember


class Surfaces(NamedTuple):
    """Distance in mm of each edge voxel to the other surface; ``present`` says whether the masks have a voxel."""

    from_prediction: Doubles
    from_reference: Doubles
    present: tuple[bool, bool]


def surface_distances(prediction: Mask, reference: Mask, spacing: Sequence[float]) -> Surfaces:
    """Both directed sets of surface distances in mm of two masks [*S]; empty sets unless both have a voxel."""
    nothing = np.zeros(0)
    present = bool(prediction.any()), bool(reference.any())
    if not all(present):
        return Surfaces(nothing, nothing, present)
    from monai.metrics.utils import get_mask_edges, get_surface_distance

    box = bounding_box(prediction | reference)
    # Erosion takes what lies outside the array for background, so a crop without a margin has the same edges.
    edges = get_mask_edges(prediction[box], reference[box], crop=False)
    there = get_surface_distance(edges[0], edges[1], spacing=tuple(spacing))
    back = get_surface_distance(edges[1], edges[0], spacing=tuple(spacing))
    return Surfaces(np.asarray(there, np.float64), np.asarray(back, np.float64), present)


def bounding_box(mask: Mask) -> tuple[slice, ...]:
    """The smallest box that holds every true voxel of a mask that has one."""
    box = []
    for axis in range(mask.ndim):
        line = np.flatnonzero(mask.any(axis=tuple(a for a in range(mask.ndim) if a != axis)))
        box.append(slice(int(line[0]), int(line[-1]) + 1))
    return tuple(box)


def class_surfaces(prediction: Segmentation, reference: Segmentation, spacing: Sequence[float]) -> list[Surfaces]:
    """The surfaces of each foreground class of a pair, computed once for both metrics."""
    mask = judged(prediction, reference)

    def compute(k: int) -> Surfaces:
        masks = [s.labels == k if mask is None else (s.labels == k) & mask for s in (prediction, reference)]
        return surface_distances(masks[0], masks[1], spacing)

    key = "surfaces", tuple(spacing)
    return [remember(prediction, reference, (*key, k), partial(compute, k)) for k in range(1, prediction.n_classes)]


def _nothing_judged(prediction: Segmentation, reference: Segmentation) -> bool:
    mask = judged(prediction, reference)
    return mask is not None and not mask.any()


class SurfaceDice(Metric):
    """The share of both surfaces that lies within ``tolerance`` mm of the other (Nikolov et al., 2018)."""

    name = "surface dice"
    better, range, per_class = "higher", (0.0, 1.0), True
    empty = "Surface Dice is 1 where reference and prediction are both empty, and 0 where only one is."

    def __init__(self, *, tolerance: float = 1.0) -> None:
        self.tolerance = tolerance
        self.label = f"Surface Dice at {tolerance:g} mm"

    def measure(self, prediction: Segmentation, reference: Segmentation | None, *, spacing: Sequence[float]) -> Doubles:
        reference = needed(self, reference)
        if _nothing_judged(prediction, reference):
            return np.full(prediction.n_classes - 1, np.nan)
        return np.array([self._share(s) for s in class_surfaces(prediction, reference, spacing)])

    def _share(self, surfaces: Surfaces) -> float:
        if not all(surfaces.present):
            return 0.0 if any(surfaces.present) else 1.0
        # MONAI keeps distances as float32: a distance equal to the tolerance must not fall outside by rounding.
        limit = float(np.float32(self.tolerance))
        near = np.count_nonzero(surfaces.from_prediction <= limit) + np.count_nonzero(surfaces.from_reference <= limit)
        return near / (surfaces.from_prediction.size + surfaces.from_reference.size)


class Hausdorff95(Metric):
    """The larger of the two directed 95th percentiles of surface distance, in mm (Huttenlocher et al., 1993).

    Where only one mask is empty it is the diagonal of the image, so that finding nothing never pays.
    """

    name, label = "hd95", "95 % Hausdorff distance [mm]"
    better, range, per_class = "lower", (0.0, inf), True
    empty = (
        "The Hausdorff distance is 0 where reference and prediction are both empty, and the diagonal of the image "
        "where only one is."
    )

    def measure(self, prediction: Segmentation, reference: Segmentation | None, *, spacing: Sequence[float]) -> Doubles:
        reference = needed(self, reference)
        if _nothing_judged(prediction, reference):
            return np.full(prediction.n_classes - 1, np.nan)
        diagonal = hypot(*(n * s for n, s in zip(prediction.labels.shape, spacing, strict=True)))
        return np.array([self._distance(s, diagonal) for s in class_surfaces(prediction, reference, spacing)])

    @staticmethod
    def _distance(surfaces: Surfaces, diagonal: float) -> float:
        if not all(surfaces.present):
            return diagonal if any(surfaces.present) else 0.0
        return float(max(np.percentile(surfaces.from_prediction, 95), np.percentile(surfaces.from_reference, 95)))
