"""Which part of a case a picture shows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ...benchmark.store.picture_cases import PictureCase
from ...datasets.base import IGNORE, slicing_axis

LARGEST = 224
"""Pixels of a picture's longer side; more cannot be seen in print."""
OBJECTS, LEAST = 14, 48
"""A picture is no wider than so many of its objects side by side, of which more are dots in print, or so many pixels."""


def view(case: PictureCase) -> tuple[int | slice, ...]:
    """The slice of a volume on which raters disagree most, the part around what they drew, and every how-many-th pixel.

    Where what they drew are many small objects, it is the part of it where raters disagree on most pixels.
    """
    stack = np.stack([np.where(r == IGNORE, 0, r) for r in case.ratings.values()] or [np.zeros(case.image.shape, np.uint8)])
    volume, axis, best = stack.ndim == 4, slicing_axis(case.image.shape), 0
    if volume:
        stack = np.moveaxis(stack, 1 + axis, 1)
        disagreement = (stack.max(axis=0) != stack.min(axis=0)).sum(axis=(1, 2))
        drawn = (stack > 0).any(axis=0).sum(axis=(1, 2))
        best = int(np.argmax(disagreement if disagreement.any() else drawn))
        stack = stack[:, best]
    sides = magnified(surroundings(np.asarray((stack > 0).any(axis=0))), stack)
    step = max(1, -(-max(s.stop - s.start for s in sides) // LARGEST))
    where: list[int | slice] = [slice(s.start, s.stop, step) for s in sides]
    if volume:
        where.insert(axis, best)
    return tuple(where)


def surroundings(drawn: npt.NDArray[np.bool_]) -> list[slice]:
    """A square window around what was drawn with a margin, or all of it if nothing was drawn."""
    if not drawn.any():
        return [slice(0, n) for n in drawn.shape]
    spans = [np.flatnonzero(drawn.any(axis=1 - axis)) for axis in (0, 1)]
    side = int(max(s[-1] - s[0] + 1 for s in spans) * 1.4) + 4
    window = []
    for span, n in zip(spans, drawn.shape, strict=True):
        size = min(side, n)
        start = int(np.clip((span[0] + span[-1] + 1 - size) // 2, 0, n - size))
        window.append(slice(start, start + size))
    return window


def magnified(sides: list[slice], ratings: npt.NDArray[np.uint8]) -> list[slice]:
    """The window ``sides``, or the part of it where raters [R, h, w] disagree most, so wide that their objects can be seen.

    The size of an object is the median over the connected parts that each rater drew; of equal parts the first one is taken.
    """
    areas = np.concatenate([[0], *(np.bincount(ndimage.label(rating > 0)[0].ravel())[1:] for rating in ratings)])
    drawn = areas[areas > 0]
    if not drawn.size:
        return sides
    side = max(LEAST, round(OBJECTS * 2 * float(np.sqrt(np.median(drawn) / np.pi))))
    window = (slice(None), *sides)
    disagreement = np.asarray(ratings[window].max(axis=0) != ratings[window].min(axis=0))
    counted = disagreement if disagreement.any() else np.asarray((ratings[window] > 0).any(axis=0))
    height, width = (min(side, n) for n in counted.shape)
    # Sums over all windows, from sums over the rectangles that begin at the first pixel.
    sums = np.pad(counted.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    found = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    top, left = np.unravel_index(int(found.argmax()), found.shape)
    corner = zip((top, left), (height, width), sides, strict=True)
    return [slice(whole.start + int(first), whole.start + int(first) + n) for first, n, whole in corner]
