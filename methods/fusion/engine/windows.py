"""Sums over a box around each voxel, at a cost that does not depend on the size of the box."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .patterns import Float64s


def box_sums(values: Float64s, radius: Sequence[int]) -> Float64s:
    """Sum of ``values`` [*S] over the box of ``2 * radius + 1`` voxels on each axis around every voxel.

    Boxes are cut off at the edge of the image. ``values`` must not be negative; sums that rounding makes negative become 0.
    """
    sums = values
    for axis, size in enumerate(values.shape):
        reach = min(radius[axis], size - 1)
        running = np.moveaxis(_running_sums(sums, axis), axis, 0)
        sums = np.empty_like(values)
        out = np.moveaxis(sums, axis, 0)
        out[: size - reach] = running[reach:]
        out[size - reach :] = running[-1]
        out[reach + 1 :] -= running[: size - reach - 1]
    return np.maximum(sums, 0.0, out=sums)


def _running_sums(values: Float64s, axis: int) -> Float64s:
    if axis == values.ndim - 1:
        running: Float64s = np.cumsum(values, axis=axis)
        return running
    # Adding whole rows is 20 times faster than NumPy's walk along the axis, which misses the cache at each step.
    running = np.empty_like(values)
    source, target = np.moveaxis(values, axis, 0), np.moveaxis(running, axis, 0)
    target[0] = source[0]
    for i in range(1, len(source)):
        np.add(target[i - 1], source[i], out=target[i])
    return running
