"""Whether the volumes of a data set are learned slice by slice or in 3-D, where the user leaves that open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ....datasets.base import OF_SLICES, OF_VOLUMES, Dataset, Geometry, Preparation
from ....errors import RaterbenchError

ANISOTROPIC = 3.0
"""Volumes are slices where the largest spacing is more than so many times the smallest (Isensee et al. 2021)."""
THINNEST = 16
"""Volumes are slices where an axis has fewer voxels: of a patch, which has at least 32, most would be padding."""
MOST_CASES = 20
"""Cases, evenly spread, whose spacing is looked at."""


def decided_preparation(dataset: Dataset) -> Preparation:
    """The data set's preparation with ``auto`` decided; nothing is looked at where there is nothing to decide."""
    return dataset.preparation if dataset.preparation.mode != "auto" else chosen_preparation(dataset)[0]


def chosen_preparation(dataset: Dataset) -> tuple[Preparation, str]:
    """The data set's preparation with ``auto`` decided, and a sentence that says how its cases are learned, and why.

    All parts of a data set are decided alike, by cases of the whole. The sentence is empty for 2-D images, which are slices in
    any case.
    """
    preparation, whole = dataset.preparation, dataset.whole
    if whole.n_axes == 2 or len((first := whole.grid_at(0))[0]) == 2:
        return (replace(preparation, mode="slices") if preparation.mode == "auto" else preparation), ""
    if preparation.mode != "auto":
        return (
            preparation,
            f"{how_learned(preparation)}, as preparation.mode says; voxels of the first case: {_size(first[1])}.",
        )
    if given := preparation.given(OF_VOLUMES):
        chosen, why = replace(preparation, mode="volumes"), f"preparation.{given[0]} is given, which is for volumes"
    elif given := preparation.given(("slice_axis", *OF_SLICES)):
        chosen, why = replace(preparation, mode="slices"), f"preparation.{given[0]} is given, which is for slices"
    else:
        places = np.linspace(0, len(whole) - 1, min(len(whole), MOST_CASES)).round()
        is_solid, why = _by_grids([whole.grid_at(int(place)) for place in places])
        chosen = replace(preparation, mode="volumes" if is_solid else "slices")
    other = "slices" if chosen.mode == "volumes" else "volumes"
    return chosen, f'{how_learned(chosen)}: {why}. Set preparation.mode = "{other}" for the other way.'


def _by_grids(grids: Sequence[tuple[tuple[int, ...], Geometry]]) -> tuple[bool, str]:
    """Whether cases of these shapes and geometries are learned in 3-D, and why."""
    if any(len(shape) != 3 or 1 in shape for shape, _ in grids):
        return False, "some cases are single slices"
    if any(geometry.unit == "pixel" for _, geometry in grids):
        return False, "the size of a voxel is not known"
    shape, spacing = np.median([shape for shape, _ in grids], axis=0), np.median([grid.spacing for _, grid in grids], axis=0)
    if shape.min() < THINNEST:
        return False, f"they have {shape.min():g} voxels along an axis, fewer than {THINNEST}"
    ratio = float(spacing.max() / spacing.min())
    is_solid = ratio <= ANISOTROPIC
    size = f"{' x '.join(f'{step:g}' for step in spacing)} {grids[0][1].unit}"
    than = "at most" if is_solid else "more than"
    return is_solid, f"voxels of {size}, the largest side {ratio:.3g} times the smallest, {than} {ANISOTROPIC:g} times"


def how_learned(preparation: Preparation) -> str:
    """How volumes are learned with a preparation whose mode is decided, in words without a full stop."""
    if preparation.mode == "volumes":
        return f"Volumes are learned in 3-D, in patches of at most {' x '.join(map(str, preparation.patch))} voxels"
    return f"Volumes are learned slice by slice along {preparation.slice_axis}"


def why_not_volumes(dataset: Dataset, what: str) -> str | None:
    """Why ``what``, which is for slices alone, cannot run where volumes are learned in 3-D; None where they are not."""
    if decided_preparation(dataset).mode != "volumes":
        return None
    return f'{what}, and volumes are learned in 3-D: set preparation.mode = "slices"'


def preparation_of_slices(dataset: Dataset, what: str) -> Preparation:
    """The data set's preparation, which is one of slices.

    Raises:
        RaterbenchError: volumes are learned in 3-D; ``what`` says which part cannot do that.
    """
    if (reason := why_not_volumes(dataset, what)) is not None:
        raise RaterbenchError(reason)
    return decided_preparation(dataset)


def _size(geometry: Geometry) -> str:
    return f"{' x '.join(f'{step:g}' for step in geometry.spacing)} {geometry.unit}"
