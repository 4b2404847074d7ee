"""Do better estimates of the raters go with better segmentation? A line a candidate, where a scatter plot has no room."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import style

Interval = tuple[float, float, float]
"""A value, and the ends of its interval (NaN where there is none)."""
Line = tuple[str, Interval, Interval, bool]
"""A candidate's name, its error, its metric, and whether it raised an alarm."""


def rows_figure(lines: Sequence[Line], *, error: str, metric: str, trivial: float, fused: float) -> Figure:
    """Two panels that share their rows: the metric, and the error of the estimated confusion matrices.

    ``error`` and ``metric`` are the axes' words; ``trivial`` and ``fused`` are drawn as dashed lines unless NaN.
    """
    figure = style.new_figure(style.DOUBLE, min(style.TALLEST, 26 + 5.2 * len(lines)))
    left, right = figure.subplots(1, 2, sharey=True)
    places = range(len(lines))
    for place, (_, wrong, good, alarm) in zip(places, lines, strict=True):
        _point(left, place, good, alarm)
        _point(right, place, wrong, alarm)
    left.set_yticks(
        places, [f"{style.wrapped(name, 34, 1)} (!)" if alarm else style.wrapped(name, 34, 1) for name, *_, alarm in lines]
    )
    left.set_ylim(len(lines) - 0.4, -0.6)
    for axes, words, value, name in ((left, metric, fused, "fused majority"), (right, error, trivial, "identity matrix")):
        axes.set_xlabel(words)
        style.thin(axes)
        axes.tick_params(axis="y", length=0)
        axes.margins(x=0.06)
        if np.isfinite(value):
            _reference(axes, value, name)
    return figure


def _point(axes: Axes, place: int, value: Interval, alarm: bool) -> None:
    middle, *ends = value
    colour = style.COLOURS[0] if not alarm else style.COLOURS[1]
    if np.isfinite(ends).all():
        axes.plot(np.maximum(ends, 0), [place, place], color=colour, linewidth=1.0, alpha=0.6)
    face = "white" if alarm else colour
    axes.plot([middle], [place], "o", color=colour, markersize=5.5, markeredgewidth=1.4, markerfacecolor=face, zorder=4)


def _reference(axes: Axes, value: float, name: str) -> None:
    axes.axvline(value, color=style.MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    axes.annotate(
        name, (value, 1), xycoords=axes.get_xaxis_transform(), xytext=(0, 3), textcoords="offset points",
        ha="center", va="bottom", color=style.MUTED,
    )  # fmt: skip
