"""Do better estimates of the raters go with better segmentation? One point a candidate, or one line where they are many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import textalloc
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from ....benchmark.statistics.rater_errors import IDENTITY, over_raters
from ...analysis import Analysis
from ...tables.rater_wording import against, alarmed
from ...tables.wording import words_of
from .. import palette, style

FEWEST, LABELLED = 3, 5
"""Candidates from which the figure is drawn, and up to which each point has its name beside it."""
MAJORITY = "majority-vote"
ERROR = "RMSE of the raters’ confusions ↓"
DASHED: dict[str, Any] = {"color": palette.MUTED, "linewidth": 0.9, "linestyle": (0, (4, 3)), "zorder": 1}


@dataclass(frozen=True)
class Point:
    """A candidate: error ``x`` and metric ``y``, each with an interval (NaN where there is none), and whether it warned."""

    name: str
    x: tuple[float, float, float]
    y: tuple[float, float, float]
    alarm: bool


def identification(analysis: Analysis) -> style.Plot | None:
    """The figure; None if fewer than three candidates estimate raters or nothing can be compared."""
    points = _points(analysis)
    if len(points) < FEWEST:
        return None
    figure = _plane(analysis, points) if len(points) <= LABELLED else _rows(analysis, points)
    return style.Plot(
        "identification", f"{analysis.label(analysis.metric)} and what is known of the raters", figure,
        _caption(analysis, points), _alt(analysis, points),
    )  # fmt: skip


def _plane(analysis: Analysis, points: Sequence[Point]) -> Figure:
    """A point a candidate, each with its name; dashed: the trivial estimate, and the vote of the test cases' own raters."""
    figure = style.new_figure(style.DOUBLE, 98)
    axes = figure.subplots()
    trivial, fused = _trivial(analysis), _fused(analysis)
    if np.isfinite(trivial):
        _dashed_down(axes, trivial, "identity matrix")
    if np.isfinite(fused):
        axes.axhline(fused, **DASHED)
        axes.annotate(
            "fused\nmajority", (1, fused), xycoords=axes.get_yaxis_transform(), xytext=(4, 0), textcoords="offset points",
            va="center", color=palette.MUTED, annotation_clip=False,
        )  # fmt: skip
    for point in points:
        _draw(axes, analysis, point)
    axes.set_xlabel(ERROR)
    axes.set_ylabel(_metric_words(analysis))
    axes.margins(0.12, 0.12)
    style.thin(axes)
    _name(axes, analysis, points)
    return figure


def _rows(analysis: Analysis, points: Sequence[Point]) -> Figure:
    """A line a candidate, where a plane has no room: two panels that share their rows, the metric and the error."""
    figure = style.new_figure(style.DOUBLE, min(style.TALLEST, 26 + 5.2 * len(points)))
    left, right = figure.subplots(1, 2, sharey=True)
    places = range(len(points))
    for place, point in enumerate(points):
        colour = palette.COLOURS[1] if point.alarm else palette.COLOURS[0]
        for axes, (middle, *ends) in ((left, point.y), (right, point.x)):
            if np.isfinite(ends).all():
                axes.plot(np.maximum(ends, 0), [place, place], color=colour, linewidth=1.0, alpha=0.6)
            axes.plot(
                [middle], [place], "o", color=colour, markersize=5.5, markeredgewidth=1.4,
                markerfacecolor="white" if point.alarm else colour, zorder=4,
            )  # fmt: skip
    left.set_yticks(places, [style.wrapped(p.name, 34, 1) + (" (!)" if p.alarm else "") for p in points])
    left.set_ylim(len(points) - 0.4, -0.6)
    for axes, words, value, name in (
        (left, _metric_words(analysis), _fused(analysis), "fused majority"),
        (right, ERROR, _trivial(analysis), "identity matrix"),
    ):
        axes.set_xlabel(words)
        style.thin(axes)
        axes.tick_params(axis="y", length=0)
        axes.margins(x=0.06)
        if np.isfinite(value):
            _dashed_down(axes, value, name)
    return figure


def _metric_words(analysis: Analysis) -> str:
    return f"{analysis.head(analysis.metric)} against {words_of(analysis.reference)}"


def _dashed_down(axes: Axes, value: float, name: str) -> None:
    """A dashed line from top to bottom, with its name above."""
    axes.axvline(value, **DASHED)
    axes.annotate(
        name, (value, 1), xycoords=axes.get_xaxis_transform(), xytext=(0, 3), textcoords="offset points",
        ha="center", va="bottom", color=palette.MUTED,
    )  # fmt: skip


def _points(analysis: Analysis) -> list[Point]:
    if not analysis.confusions_compared_with:
        return []
    errors = over_raters(analysis.rater_errors)
    values = analysis.rows_for(analysis.metric)
    warned = alarmed(analysis)
    found = []
    for name in analysis.estimators:
        if name not in analysis.candidates or name not in values.index:
            continue
        x = analysis.mean_interval(errors.loc[errors["candidate"] == name, "rmse"])
        y, low, high = (float(values[column].to_dict()[name]) for column in ("mean", "ci_low", "ci_high"))
        if np.isfinite(x.mean) and np.isfinite(y):
            found.append(Point(name, (x.mean, x.low, x.high), (y, low, high), name in warned))
    return found


def _trivial(analysis: Analysis) -> float:
    errors = over_raters(analysis.rater_errors)
    return float(errors.loc[errors["candidate"] == IDENTITY, "rmse"].mean())


def _fused(analysis: Analysis) -> float:
    means = analysis.rows_for(analysis.metric, "fusion")["mean"]
    return float(means.get(MAJORITY, np.nan))


def _draw(axes: Axes, analysis: Analysis, point: Point) -> None:
    colour = analysis.colours[point.name]
    (x, *wide), (y, *tall) = point.x, point.y
    if np.isfinite(wide).all():
        # An error is never negative, whatever a symmetric interval says.
        axes.plot(np.maximum(wide, 0), [y, y], color=colour, linewidth=0.9, alpha=0.6)
    if np.isfinite(tall).all():
        axes.plot([x, x], tall, color=colour, linewidth=0.9, alpha=0.6)
    axes.plot(
        [x], [y], linestyle="none", marker=analysis.markers[point.name], markersize=7, color=colour, markeredgewidth=1.4,
        markerfacecolor="white" if point.alarm else colour, label=point.name, zorder=4,
    )  # fmt: skip
    if point.alarm:
        axes.annotate("!", (x, y), ha="center", va="center", color=palette.INK, fontweight="bold", zorder=5)


def _name(axes: Axes, analysis: Analysis, points: Sequence[Point]) -> None:
    """Write each name where it covers no point, interval or other name; from afar a line leads to its point."""
    x, y = [p.x[0] for p in points], [p.y[0] for p in points]
    lines = [([max(p.x[1], 0), p.x[2]], [p.y[0], p.y[0]]) for p in points if np.isfinite(p.x).all()]
    lines += [([p.x[0], p.x[0]], [p.y[1], p.y[2]]) for p in points if np.isfinite(p.y).all()]
    textalloc.allocate(
        axes, x, y, [style.wrapped(p.name, 22) for p in points], x_scatter=x, y_scatter=y,
        x_lines=[across for across, _ in lines], y_lines=[up for _, up in lines],
        textsize=8, textcolor=[analysis.colours[p.name] for p in points], linecolor=palette.MUTED, linewidth=0.6,
        linespacing=1.0, zorder=6, path_effects=[withStroke(linewidth=2, foreground="white")],
    )  # fmt: skip


def _caption(analysis: Analysis, points: Sequence[Point]) -> str:
    mark = "point" if len(points) <= LABELLED else "line"
    parts = [
        f"One {mark} a candidate: {analysis.label(analysis.metric)}, mean over subjects with its {analysis.confidence_words} "
        "bootstrap interval, and the root mean square error of the estimated confusions, mean over raters and folds, with "
        f"a {analysis.confidence_words} t interval over folds and repeats where there are several. {against(analysis)} "
        "Dashed: error of the identity matrix.",
    ]
    if np.isfinite(_fused(analysis)):
        parts.append("Fused majority (dashed): of the test cases’ own raters, which no network can see.")
    if any(p.alarm for p in points):
        parts.append("Hollow with an exclamation mark: the candidate raised an alarm, without knowing the truth.")
    return " ".join(parts)


def _alt(analysis: Analysis, points: Sequence[Point]) -> str:
    label = analysis.label(analysis.metric)
    said = [
        f"{p.name}: error {p.x[0]:.3f}, {label} {analysis.number(analysis.metric, p.y[0])}{', alarm' if p.alarm else ''}"
        for p in points
    ]
    return f"{label} against the error of what is known of the raters. {'; '.join(said)}."
