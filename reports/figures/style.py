"""How every figure looks: sizes for print, colours that the colour-blind can tell apart, files that never differ by date."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import NullFormatter

from ..page.escaping import FONT, figure_text
from .palette import INK, MUTED

MM = 1 / 25.4
SINGLE, DOUBLE, TALLEST = 85.0, 170.0, 235.0
"""Widths of one and of two columns of a page, and the tallest figure that leaves room for a caption, in mm."""

SETTINGS: dict[Any, Any] = {
    # The second family has the same widths, for programs that show an SVG and have no DejaVu Sans.
    "font.family": "sans-serif",
    "font.sans-serif": [FONT, "Verdana"],
    # A dollar in a name is a dollar.
    "text.parse_math": False,
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    # Titles need not make way for ticks above them, which takes long to find out.
    "axes.titley": 1.0,
    "axes.labelsize": 8,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "figure.titlesize": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#E6E9EE",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "raterbench",
    "image.interpolation": "nearest",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


@dataclass(frozen=True, eq=False)
class Plot:
    """A finished figure: ``name`` of its files, title and caption in words, and the text for those who cannot see it."""

    name: str
    title: str
    figure: Figure
    caption: str
    alt: str

    @property
    def width(self) -> float:
        """In inches."""
        return float(self.figure.get_figwidth())


@contextmanager
def house_style() -> Iterator[None]:
    """Draw with the settings above, whatever the user's own matplotlib settings are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of a size in mm whose parts arrange themselves without overlap."""
    return Figure(figsize=(width * MM, height * MM), layout="constrained")


def wrapped(text: str, width: int, lines: int = 2) -> str:
    """A name on at most ``lines`` lines of about ``width`` characters, with an ellipsis in its middle if it is longer."""
    whole = figure_text(str(text))
    shown, room = whole, width * lines
    while len(parts := textwrap.wrap(shown, width) or [""]) > lines:
        shown = f"{whole[: math.ceil(room / 2)]}…{whole[len(whole) - room // 2 :]}"
        room -= 1
    return "\n".join(parts)


def text_width(lines: Iterable[str], size: float = 8.0) -> float:
    """Width in mm of the widest line, at a size in points."""
    font = FontProperties(size=size)
    widths = (text_to_path.get_text_width_height_descent(line, font, False)[0] for line in lines)
    return max(widths, default=0.0) / 72 / MM


def label_powers_of_ten(axis: Axis) -> None:
    """Write ``10³`` at the ticks of a logarithmic axis."""
    digits = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(lambda value, _: f"10{str(round(math.log10(value))).translate(digits)}")


def columns_for(n: int, most: int | None = None) -> int:
    """How many columns ``n`` small panels stand in, so that their rows are about as long; ``most``: 3 for a few, 4 for many."""
    rows = math.ceil(n / (most or (3 if n <= 6 else 4)))
    return math.ceil(n / rows)


def panel_width(n: int) -> float:
    """Width in mm of a figure of ``n`` small panels: one column of a page for one of them, two columns for three or more."""
    return {1: SINGLE, 2: 120.0}.get(columns_for(n), DOUBLE)


def small_panels(
    names: Sequence[str], *, height: float = 46, extra: float = 8, sharey: bool = True
) -> tuple[Figure, dict[str, Axes]]:
    """A figure with a panel for each name, ``height`` mm for a row of them and ``extra`` for the rest; the axes by name."""
    columns = columns_for(len(names))
    rows = -(-len(names) // columns)
    figure = new_figure(panel_width(len(names)), rows * height + extra)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=sharey).ravel()
    for number, axes in enumerate(grid):
        axes.set_visible(number < len(names))
        axes.tick_params(labelbottom=number + columns >= len(names))
    for axes, name in zip(grid, names, strict=False):
        axes.set_title(wrapped(name, 24))
    return figure, dict(zip(names, grid, strict=False))


def thin(axes: Axes) -> None:
    """A light grid behind the data."""
    axes.grid(True)


def note(axes: Axes, text: str, x: pd.Series, y: pd.Series) -> None:
    """Write into the upper left or the lower right corner, whichever the points (in shares of the axes) leave emptier."""
    above = int(((x < 0.45) & (y > 0.6)).sum())
    below = int(((x > 0.5) & (y < 0.4)).sum())
    place = (0.04, 0.97, "left", "top") if above <= below else (0.98, 0.04, "right", "bottom")
    axes.text(*place[:2], text, transform=axes.transAxes, ha=place[2], va=place[3], linespacing=1.25)


def scatter_limits(*values: np.ndarray) -> tuple[float, float]:
    """The same limits for both axes, with a little air, from zero."""
    top = max((float(v[np.isfinite(v)].max()) for v in values if np.isfinite(v).any()), default=1.0)
    return 0.0, top * 1.08 if top > 0 else 1.0
