"""Which part of a case a picture shows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...benchmark.store.picture_cases import PictureCase
from ...datasets.base import IGNORE, slicing_axis

LARGEST = 224
"""Pixels of a picture's longer side; more cannot be seen in print."""


def view(case: PictureCase) -> tuple[int | slice, ...]:
    """The slice of a volume on which raters disagree most, the part around what they drew, and every how-many-th pixel."""
    stack = np.stack([np.where(r == IGNORE, 0, r) for r in case.ratings.values()] or [np.zeros(case.image.shape, np.uint8)])
    volume, axis, best = stack.ndim == 4, slicing_axis(case.image.shape), 0
    if volume:
        stack = np.moveaxis(stack, 1 + axis, 1)
        disagreement = (stack.max(axis=0) != stack.min(axis=0)).sum(axis=(1, 2))
        drawn = (stack > 0).any(axis=0).sum(axis=(1, 2))
        best = int(np.argmax(disagreement if disagreement.any() else drawn))
        stack = stack[:, best]
    sides = surroundings(np.asarray((stack > 0).any(axis=0)))
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
