"""Many small images on one page, drawn on a single pair of axes in millimetres: axes of their own take ten times as long."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from contourpy import contour_generator
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from .palette import INK
from .style import MM

Box = tuple[float, float, float, float]
"""Left, bottom, width and height in mm, from the lower left corner of the page."""
Lines = list[npt.NDArray[np.float64]]


@dataclass(eq=False)
class Mosaic:
    """A page of ``width`` x ``height`` mm. Outlines are collected by their colour and drawn by :meth:`finish`."""

    width: float
    height: float
    outlines: dict[str, Lines] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.figure = Figure(figsize=(self.width * MM, self.height * MM))
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set(xlim=(0, self.width), ylim=(0, self.height), autoscale_on=False)
        self.axes.set_axis_off()

    def image(self, picture: npt.NDArray[Any], box: Box, **how: Any) -> None:
        """An image [h, w] or [h, w, 3]; PDF and SVG keep its own pixels, unless another ``interpolation`` is asked for."""
        left, low, width, height = box
        where = left, left + width, low, low + height
        self.axes.imshow(picture, extent=where, aspect="auto", **({"interpolation": "none"} | how))

    def outline(self, values: npt.NDArray[Any], box: Box, colour: str) -> None:
        """The lines on which an image [h, w] is one half; none where it has a single row or column."""
        if min(values.shape) > 1:
            x, y = pixel_centres(values.shape, box)
            found = contour_generator(x, y, np.asarray(values, np.float64)).lines(0.5)
            self.outlines.setdefault(colour, []).extend(line for line in found if isinstance(line, np.ndarray))

    def text(self, box: Box, words: str, place: tuple[float, float] = (0.5, 0.5), **how: Any) -> Any:
        """Words at a place of the box, in shares of its width and height; centred unless said otherwise."""
        left, low, width, height = box
        usual: dict[str, Any] = {"ha": "center", "va": "center", "linespacing": 1.0}
        return self.axes.text(left + place[0] * width, low + place[1] * height, words, **(usual | how))

    def finish(self, width: float = 0.9, edge: float = 0.0) -> Figure:
        """The figure with its outlines; ``edge``: width in points of the dark line behind each, if any."""
        for colour, path in ((colour, _one_path(lines)) for colour, lines in self.outlines.items() if lines):
            if edge:
                self._stroke(path, INK, edge, zorder=3)
            self._stroke(path, colour, width, zorder=4)
        return self.figure

    def _stroke(self, path: Path, colour: str, width: float, zorder: int) -> None:
        self.axes.add_artist(PathPatch(path, fill=False, edgecolor=colour, linewidth=width, joinstyle="round", zorder=zorder))


def _one_path(lines: Lines) -> Path:
    """All lines as one path, which is drawn many times faster than hundreds of them."""
    codes = np.full(sum(map(len, lines)), Path.LINETO)
    codes[np.cumsum([0, *map(len, lines)])[:-1]] = Path.MOVETO
    return Path(np.concatenate(lines), codes)


def pixel_centres(shape: tuple[int, ...], box: Box) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Where the centres of columns and rows of an image lie in a box, in mm; the first row is at the top."""
    left, low, width, height = box
    rows, columns = shape
    x = left + (np.arange(columns) + 0.5) * width / columns
    return x, low + height - (np.arange(rows) + 0.5) * height / rows


def corners(box: Box) -> list[tuple[float, float]]:
    """The four corners of a box, one after the other."""
    left, low, width, height = box
    return [(left, low), (left + width, low), (left + width, low + height), (left, low + height)]
