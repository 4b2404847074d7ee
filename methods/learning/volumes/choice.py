"""Whether volumes are learned slice by slice or in 3-D: by their spacing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ....datasets.base import Dataset, Preparation

ANISOTROPIC = 3.0
"""Volumes are slices where the largest spacing is more than so many times the smallest (Isensee et al. 2021)."""
MOST_CASES = 20
"""Cases, evenly spread, whose spacing is looked at."""


def chosen_preparation(dataset: Dataset) -> tuple[Preparation, str]:
    """The data set's preparation with ``auto`` decided, and a sentence that says how its cases are learned.

    The sentence is empty for 2-D images, which are slices in any case.
    """
    preparation = dataset.preparation
    places = np.linspace(0, len(dataset) - 1, min(len(dataset), MOST_CASES if preparation.mode == "auto" else 1))
    cases = [dataset[int(place)] for place in places.round()]
    spacings = [case.geometry.spacing for case in cases if len(case.shape) == 3]
    if not spacings:
        return replace(preparation, mode="slices") if preparation.mode == "auto" else preparation, ""
    spacing = np.median(spacings, axis=0)
    ratio = float(spacing.max() / spacing.min())
    size = f"{' x '.join(f'{step:g}' for step in spacing)} {cases[0].geometry.unit}"
    if preparation.mode != "auto":
        return preparation, f"{_learned(preparation)}, as preparation.mode says; voxels of the first case: {size}."
    if ratio > ANISOTROPIC:
        chosen, why = replace(preparation, mode="slices"), "more than"
    else:
        chosen, why = replace(preparation, mode="volumes", size=None, pixel_size=None, crop=None), "at most"
    told = f"{_learned(chosen)}: voxels of {size}, the largest side {ratio:.3g} times the smallest, {why} {ANISOTROPIC:g} times"
    return chosen, f'{told} (preparation.mode = "auto").'


def _learned(preparation: Preparation) -> str:
    if preparation.mode == "volumes":
        return f"Volumes are learned in 3-D, in patches of at most {' x '.join(map(str, preparation.patch))} voxels"
    return f"Volumes are learned slice by slice along {preparation.slice_axis}"
