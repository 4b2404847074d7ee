"""Optic disc and cup from two outlines that were drawn into a copy of an image."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
from scipy import ndimage, spatial

from ..base import Floats, Labels
from .disc_and_cup import Mask

THRESHOLDS = (30, 15, 8)
"""By how many of 255 a pixel of an outline differs from the image, in one channel at least; tried in this order."""
GAPS = (0, 1, 2, 4, 8)
"""Gaps in an outline are closed up to twice so many pixels wide; tried in this order."""
SPECK = 20
"""Fewer connected pixels that differ are an artefact of compression."""
DISC = (0.001, 0.3)
"""Smallest and largest share of the image that a disc has."""
FRAGMENT = 0.005
"""A smaller share of the disc lies between two strokes of one outline."""
SOLID = 0.8
"""Share of its convex hull that a cup has at least."""


def fill_outlines(image: Floats, drawn: Floats) -> Labels | None:
    """The rim (1) and the cup (2) [H, W] in what was drawn into a copy of an image, both [C, H, W] in 0..255.

    The outer outline is the disc's, the inner one the cup's; they may touch. The border lies in the middle of a stroke.
    Outlines that are faint or have gaps are completed as far as ``THRESHOLDS`` and ``GAPS`` say.

    Returns:
        None where the strokes enclose no disc with a cup.
    """
    difference = np.abs(drawn - image).max(axis=0)
    for threshold, gap in itertools.product(THRESHOLDS, GAPS):
        strokes = _without_specks(difference > threshold)
        if strokes.any():
            window = tuple(slice(max(0, w.start - 20), w.stop + 20) for w in ndimage.find_objects(strokes.astype(np.uint8))[0])
            found = _fill(strokes[window], gap)
            if found is not None and DISC[0] <= np.count_nonzero(found) / strokes.size <= DISC[1]:
                labels = np.zeros(strokes.shape, np.uint8)
                labels[window] = found
                return labels
    return None


def _without_specks(mask: Mask) -> Mask:
    numbers, _ = ndimage.label(mask, np.ones((3, 3)))
    large = np.bincount(numbers.ravel()) >= SPECK
    large[0] = False
    return np.asarray(large[numbers])


def _fill(strokes: Mask, gap: int) -> Labels | None:
    # Strokes become broader on both sides, so that their middle, where the border will lie, stays.
    y, x = np.indices((2 * gap + 1, 2 * gap + 1)) - gap
    closed = ndimage.binary_dilation(strokes, x**2 + y**2 <= gap**2)
    pieces, _ = ndimage.label(ndimage.binary_fill_holes(closed), np.ones((3, 3)))
    disc = pieces == np.bincount(pieces.ravel())[1:].argmax() + 1
    numbers, count = ndimage.label(disc & ~closed)
    sizes = np.bincount(numbers.ravel(), minlength=count + 1)[1:]
    regions = [k + 1 for k in np.argsort(sizes, kind="stable") if sizes[k] >= FRAGMENT * np.count_nonzero(disc)]
    if len(regions) < 2:
        return None
    cup = _cup(numbers, regions)
    if cup is None:
        return None
    labels = np.isin(numbers, regions).astype(np.uint8)
    labels[np.isin(numbers, cup)] = 2
    # Pixels of a stroke, and fragments between two, belong to the nearest region.
    unknown = disc & (labels == 0)
    nearest = ndimage.distance_transform_edt(unknown, return_distances=False, return_indices=True)
    return np.asarray(labels[tuple(nearest)])


def _cup(numbers: npt.NDArray[np.int32], regions: list[int]) -> list[int] | None:
    """Which of the enclosed regions, the smallest first, are the cup; the others are the rim."""
    for rim in reversed(regions):
        hole = ndimage.binary_fill_holes(numbers == rim) & (numbers != rim)
        within = [k for k in regions if k != rim and hole[numbers == k].all()]
        if within:
            return within
    # The outlines touch, so that the rim is a crescent, or several pieces of one.
    solid = [k for k in regions if _solidity(numbers == k) >= SOLID]
    if not solid:
        return None
    return [solid[0] if len(regions) == 2 else solid[-1]]


def _solidity(region: Mask) -> float:
    points = np.argwhere(region)
    corners = np.concatenate([points + shift for shift in ((-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5))])
    return len(points) / float(spatial.ConvexHull(corners).volume)
