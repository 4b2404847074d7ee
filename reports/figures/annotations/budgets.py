"""What annotations buy: segmentation against their cost, and their repair against the number of careful ones."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ....registry import kebab
from ...analysis import Analysis
from ...tables.repairs import repaired_annotations
from ...tables.wording import words_of
from .. import palette, style

METHOD = "annotation-budget"
COUNTS = ("careful", "cheap", "subjects")
WITHOUT = (*COUNTS, "budget")
"""Options by which candidates of one curve may differ: how much they see, and how long they learn from it."""
BESIDE = 0.15
"""Careful annotations by which points of one number stand apart."""


@dataclass(frozen=True)
class Point:
    """A candidate on a curve: how many ``careful`` and ``cheap`` annotations it sees, the first of how many ``subjects``.

    ``cheap`` is None where it sees all that there are.
    """

    candidate: str
    curve: str
    careful: int
    cheap: int | None
    subjects: int | None


def annotation_cost(analysis: Analysis) -> style.Plot | None:
    """The primary metric of budgets of annotations against their cost; None without two such candidates."""
    found = analysis.rows_for(analysis.metric)
    everything = [point for point in _points(analysis) if point.candidate in found.index]
    points = [point for point in everything if point.cheap is not None]
    ratio = analysis.results.experiment.statistics.careful_cost
    costs = {p.candidate: ratio * p.careful + (p.cheap or 0) for p in points}
    if len(set(costs.values())) < 2:
        return None
    figure = style.new_figure(style.SINGLE, 72)
    axes = figure.subplots()
    for number, curve in enumerate(dict.fromkeys(p.curve for p in points)):
        mine = sorted((p for p in points if p.curve == curve), key=lambda p: costs[p.candidate])
        rows = found.loc[[p.candidate for p in mine]]
        x = np.array([costs[p.candidate] for p in mine])
        _line(axes, curve, number, x, [rows[name].to_numpy(float) for name in ("mean", "ci_low", "ci_high")])
    axes.set_xlabel("Cost of the annotations, in cheap ones")
    axes.set_ylabel(analysis.head(analysis.metric))
    axes.set_xlim(left=0)
    figure.legend(loc="outside lower center", ncols=3)
    style.thin(axes)
    text = (
        f"Mean {analysis.label(analysis.metric)} against {words_of(analysis.reference)} with {analysis.confidence_words} "
        f"intervals, by what the annotations cost: a cheap one costs 1, a careful one {ratio:g} (statistics.careful_cost; "
        "nothing is trained anew for another number). Nothing is tested here."
    )
    if unknown := [point.candidate for point in everything if point.cheap is None]:
        text += (
            f" Not shown, since all cheap annotations that there are have no number in the experiment: {', '.join(unknown)}."
        )
    means = found["mean"].astype(float).to_dict()
    said = "; ".join(f"{p.candidate}: cost {costs[p.candidate]:g}, {means[p.candidate]:.3f}" for p in points)
    return style.Plot("annotation-cost", "What do annotations buy?", figure, text, f"{analysis.metric} by cost. {said}.")


def repair_by_slices(analysis: Analysis) -> style.Plot | None:
    """The quality of repaired annotations by the number of careful ones; None without two candidates that differ in it."""
    table = repaired_annotations(analysis)
    points = [p for p in _points(analysis) if p.candidate in table.index]
    if len({(p.careful, p.subjects) for p in points}) < 2:
        return None
    figure = style.new_figure(style.SINGLE, 72)
    axes = figure.subplots()
    curves = list(dict.fromkeys(p.curve for p in points))
    groups = {(p.curve, p.subjects) for p in points}
    order = sorted(groups, key=lambda group: (curves.index(group[0]), np.inf if group[1] is None else group[1]))
    for number, (curve, subjects) in enumerate(order):
        mine = sorted((p for p in points if (p.curve, p.subjects) == (curve, subjects)), key=lambda p: p.careful)
        rows = table.loc[[p.candidate for p in mine]]
        name = "all subjects" if subjects is None else f"{subjects} subject{'s' if subjects > 1 else ''}"
        if len(curves) > 1:
            name = f"{curve}, {name}"
        x = np.array([p.careful for p in mine]) + BESIDE * (number - (len(order) - 1) / 2)
        # The interval is that of a difference, and may reach beyond a Dice of 1.
        after, low, high = (rows[column].to_numpy(float) for column in ("after", "low", "high"))
        _line(axes, name, number, x, [after, low, np.minimum(high, 1.0)])
    axes.axhline(float(table["before"].mean()), color=palette.MUTED, linestyle=(0, (4, 2, 1, 2)), label="before repair")
    axes.set_xlabel("Careful annotations that the repair was learned from")
    axes.set_ylabel("Dice of annotations ↑")
    axes.set_xlim(left=0)
    figure.legend(loc="outside lower center", ncols=3)
    style.thin(axes)
    text = (
        "The mean Dice of repaired annotations of test cases, against the best that is known of them, by the number of careful "
        f"annotations and of the subjects that they come from, with {analysis.confidence_words} intervals of the difference to "
        "annotations before the repair (dashed), cut at 1. Points of one number stand side by side. Nothing is tested here."
    )
    means = table["after"].astype(float).to_dict()
    said = "; ".join(f"{p.candidate}: {means[p.candidate]:.3f}" for p in points)
    return style.Plot("repair-by-slices", "How many careful annotations does a repair need?", figure, text, f"Dice. {said}.")


def _line(axes: Axes, name: str, number: int, x: Any, values: list[Any]) -> None:
    """A curve with its intervals; points without an interval have none."""
    mean, low, high = values
    colour = palette.COLOURS[number % len(palette.COLOURS)]
    known = np.isfinite(low) & np.isfinite(high)
    axes.vlines(x[known], low[known], high[known], color=colour, linewidth=0.8, alpha=0.7)
    axes.plot(x, mean, color=colour, marker=palette.MARKERS[number % len(palette.MARKERS)], markersize=4.5, label=name,
              linestyle=palette.DASHES[number % len(palette.DASHES)])  # fmt: skip


def _points(analysis: Analysis) -> list[Point]:
    """The candidates that are budgets of annotations. Those that differ in nothing else are a curve."""
    chosen = [c for c in analysis.results.experiment.candidates if kebab(c.method) == METHOD and c.name in analysis.candidates]
    groups: dict[str, list[str]] = {}
    keys = {}
    for candidate in chosen:
        options = candidate.options
        kinds = options.get("careful", 5) > 0, options.get("cheap") != 0
        keys[candidate.name] = json.dumps([_same(options), kinds], sort_keys=True, default=str)
        groups.setdefault(keys[candidate.name], []).append(candidate.name)
    points = []
    for candidate in chosen:
        careful, cheap = int(candidate.options.get("careful", 5)), candidate.options.get("cheap")
        if cheap is not None and candidate.options.get("shared"):
            cheap += careful  # The cheap raters annotate the careful cases, too.
        curve = _curve_name(groups[keys[candidate.name]])
        points.append(Point(candidate.name, curve, careful, cheap, candidate.options.get("subjects")))
    return points


def _same(options: Any) -> Any:
    """Options without those by which candidates of a curve may differ, to any depth."""
    if isinstance(options, Mapping):
        return {key: _same(value) for key, value in options.items() if key not in WITHOUT}
    return [_same(value) for value in options] if isinstance(options, list | tuple) else options


def _curve_name(names: list[str]) -> str:
    """What the names of a curve's candidates begin with."""
    if len(names) == 1:
        return names[0]
    same = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    common = "".join(letters[0] for letters in same)
    return re.sub(r"[\s,(:]*\d*$", "", common).strip(" ,(:") or names[0]
