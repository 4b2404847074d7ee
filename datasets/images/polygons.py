"""Closed outlines as masks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def inside_polygon(points: npt.ArrayLike, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The pixels [H, W] whose centre lies inside the polygon through ``points`` [n, 2], each x (column) and y (row).

    Whole numbers are the centres of pixels. The last point is joined to the first, and the polygon may reach beyond the image.
    Where it crosses itself, a pixel is inside if a line from it to the left crosses the polygon an odd number of times. Pixels
    on a left or upper edge are inside, those on a right or lower edge are not.

    Example:
        >>> inside_polygon([(0, 1), (2, 1), (2, 3), (0, 3)], (4, 4)).astype(int)
        array([[0, 0, 0, 0],
               [1, 1, 0, 0],
               [1, 1, 0, 0],
               [0, 0, 0, 0]])
    """
    start = np.asarray(points, np.float64).reshape(-1, 2)
    end, (height, width) = np.roll(start, -1, axis=0), shape
    # An edge crosses the rows from the upper end, included, to the lower end, excluded: two edges that meet count once.
    ends = np.ceil(np.sort(np.stack([start[:, 1], end[:, 1]]), axis=0)).clip(0, height).astype(np.intp)
    count = ends[1] - ends[0]
    edge = np.repeat(np.arange(len(start)), count)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + ends[0][edge]
    (x, y), (dx, dy) = start[edge].T, (end - start)[edge].T
    column = np.ceil(x + (row - y) * dx / dy).clip(0, width).astype(np.intp)
    crossings = np.zeros((height, width + 1), np.intp)
    np.add.at(crossings, (row, column), 1)
    return np.asarray(np.cumsum(crossings, axis=1)[:, :width] % 2 == 1)
