"""What could change the order of the candidates: other trainings, other raters, another reference. Three small pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ....benchmark.statistics.verdict.tie_groups import rank_intervals
from ...analysis import Analysis
from ...tables.wording import count_of, words_of
from .. import style
from .ranks import ALL, direction, ranks_by_rater, ranks_by_reference, ranks_by_repeat

WIDTH, ROW = 55.0, 4.4
"""Width of a picture, and height of a rank, in mm: at 320 pixels letters are still 10 pixels high."""
MOST_NAMED, NAMED_OF_MORE = 8, 5
"""Candidates up to which all have their name and colour, and how many have where there are more."""
OTHERS = "#B4BAC4"
MOST_COLUMNS = 10
SHORT = {"truth": "truth", "raters": "raters", "majority": "majority", "staple": "STAPLE", "soft average": "average"}
"""References in the fewest words."""
GAP = 0.3
"""Between the intervals and the first column, in columns."""


@dataclass(frozen=True, eq=False)
class Order:
    """``ranks``: candidates (the best first) x columns, whose first is the order that the others are compared with."""

    ranks: pd.DataFrame
    labels: list[str]
    axis: str
    intervals: pd.DataFrame | None = None

    @property
    def same_best(self) -> int:
        """In how many of the other columns one of the best candidates of the first is best."""
        first, others = self.ranks.iloc[:, 0], self.ranks.iloc[:, 1:]
        best = first == first.min()
        return int(sum((best & (column == column.min())).any() for _, column in others.items()))


def overturn_trainings(analysis: Analysis) -> style.Plot | None:
    """Ranks in each repeat, and the interval of ranks that other subjects and trainings could give."""
    better = direction(analysis)
    if better is None or len(analysis.candidates) < 2:
        return None
    values = analysis.case_values(analysis.metric)
    ranks, level = ranks_by_repeat(values, better), 1 - analysis.alpha
    repeats = ranks.shape[1] - 1
    if repeats == 1:
        ranks = ranks[[ALL]]
    order = _order(ranks, list(ranks.columns), "Repeat", rank_intervals(values, better=better, level=level))
    what = "repeat" if repeats == 1 else "repeat in turn"
    caption = (
        f"{_start(analysis)} in all repeats together, with the {100 * level:g} % interval of the rank over subjects and "
        f"trained models (exploratory), and in each {what}. "
    )
    if repeats == 1:
        caption = caption.replace(", and in each repeat", "")
        caption += "There is one repeat, so nothing shows how the order changes when all are trained again."
    else:
        caption += _said(order, "in {} repeats")
    return _plot("overturn-trainings", "Other trainings", analysis, order, caption)


def overturn_raters(analysis: Analysis, values: pd.DataFrame | None = None) -> style.Plot | None:
    """Ranks against the panel of raters without each of them; None where the single raters were not measured.

    ``values``: ``candidate rater repeat fold subject case value``, by default those of the raters' panel.
    """
    better = direction(analysis)
    if values is None and analysis.panel.why_no_order:
        return None
    values = analysis.panel.compared if values is None else values
    if better is None or values["candidate"].nunique() < 2 or values["rater"].nunique() < 2:
        return None
    ranks = ranks_by_rater(values, better)
    order = _order(ranks, [ALL, *map(str, ranks.columns[1:])], "Without rater")
    n = ranks.shape[1] - 1
    caption = (
        f"{_start(analysis, 'the single raters')} against all {n} raters, and against the others without each of them. "
        f"{_said(order, 'against {} panels without a rater')}"
    )
    return _plot("overturn-raters", "Other raters", analysis, order, caption)


def overturn_reference(analysis: Analysis) -> style.Plot | None:
    """Ranks against each reference; None where there is one reference only."""
    ranks = ranks_by_reference(analysis)
    if analysis.better(analysis.metric) == "none" or len(analysis.candidates) < 2 or ranks.shape[1] < 2:
        return None
    order = _order(ranks, [SHORT.get(r) or words_of(r).removesuffix(" of the raters") for r in ranks.columns], "Reference")
    caption = (
        f"{_start(analysis)} against {words_of(analysis.reference)}, the primary reference, and against each other reference. "
        f"{_said(order, 'against {} other references')}"
    )
    return _plot("overturn-reference", "Another reference", analysis, order, caption)


def _order(ranks: pd.DataFrame, labels: list[str], axis: str, intervals: pd.DataFrame | None = None) -> Order:
    """Sorted by the first column, with the columns that differ most from it where there are too many."""
    ranks = ranks.set_axis(range(len(labels)), axis=1).dropna(subset=[0])
    ranks = ranks.loc[ranks[0].sort_values(kind="stable").index]
    moved = ranks.sub(ranks[0], axis=0).abs().sum().to_numpy()
    most = np.argsort(-moved[1:], kind="stable")[: MOST_COLUMNS - 1] + 1
    kept = [0, *sorted(map(int, most))]
    return Order(ranks[kept], [labels[place] for place in kept], axis, intervals)


def _start(analysis: Analysis, reference: str = "") -> str:
    against = reference or words_of(analysis.reference)
    n = analysis.results.facts["n_subjects"]
    return (
        f"Order of the candidates by mean {analysis.label(analysis.metric)} against {against} ({count_of(n, 'subject')}, "
        "best at the top; equal means share a rank):"
    )


def _said(order: Order, what: str) -> str:
    n, same = order.ranks.shape[1] - 1, order.same_best
    best = order.ranks.index[order.ranks.iloc[:, 0] == order.ranks.iloc[:, 0].min()]
    who = " or ".join(map(str, best))
    return f"{who} is first {what.format(f'{same} of {n}')}." if n else ""


def _plot(name: str, title: str, analysis: Analysis, order: Order, caption: str) -> style.Plot:
    columns = zip(order.labels, order.ranks.items(), strict=True)
    lines = [f"{label}: {', '.join(_in_order(column))}" for label, (_, column) in columns]
    alt = f"{title}: the candidates in order, best first. {'; '.join(lines)}."
    if len(order.ranks) > MOST_NAMED:
        caption += f" The first {NAMED_OF_MORE} candidates are named, the others are grey."
    return style.Plot(name, title, _draw(analysis, order), caption.strip(), alt)


def _in_order(ranks: pd.Series) -> list[str]:
    return [str(name) for name in ranks.dropna().sort_values(kind="stable").index]


def _draw(analysis: Analysis, order: Order) -> Figure:
    names, m = [str(name) for name in order.ranks.index], order.ranks.shape[1]
    shown = names if len(names) <= MOST_NAMED else names[:NAMED_OF_MORE]
    upright = max(map(len, order.labels)) <= 3
    height = min(style.TALLEST, ROW * len(names) + (9 if upright else 23))
    figure = style.new_figure(WIDTH, height)
    axes = figure.subplots()
    zone = max(1.0, 0.45 * m)  # room for the intervals, in columns: at least 9 mm
    for place, name in reversed(list(enumerate(names))):
        _line(axes, analysis, order, name, is_named=name in shown)
        if order.intervals is not None and name in shown:
            share = (place + 0.5) / len(shown)
            ends = order.intervals.to_dict("index")[name]
            _interval(
                axes, (float(ends["rank_low"]), float(ends["rank_high"])), -GAP - (1 - share) * zone, analysis.colours[name]
            )
    left = -zone - GAP if order.intervals is not None else -0.35
    axes.set(xlim=(left, m - 0.65), ylim=(len(names) + 0.5, 0.5))
    axes.set_yticks(range(1, len(shown) + 1), [style.wrapped(name, 15, 1) for name in shown])
    ticks = dict(zip(map(float, range(m)), (style.wrapped(label, 11, 1) for label in order.labels), strict=True))
    if order.intervals is not None and order.intervals["rank_low"].notna().any():
        ticks[-GAP - zone / 2] = f"{100 * (1 - analysis.alpha):g} %"
    axes.set_xticks(list(ticks), list(ticks.values()), rotation=0 if upright else 90)
    axes.set_xlabel(order.axis)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.grid(visible=True, axis="y")
    return figure


def _line(axes: Axes, analysis: Analysis, order: Order, name: str, *, is_named: bool) -> None:
    """A candidate's ranks from column to column."""
    colour = analysis.colours[name] if is_named else OTHERS
    marker = analysis.markers[name] if is_named else "o"
    ranks = order.ranks.loc[name].to_numpy(dtype=float)
    axes.plot(
        range(len(ranks)), ranks, color=colour, marker=marker, markersize=4.5 if is_named else 2.5,
        linewidth=1.3 if is_named else 0.8, clip_on=False,
        markeredgecolor="white", markeredgewidth=0.5, zorder=3 if is_named else 2,
    )  # fmt: skip


def _interval(axes: Axes, ends: tuple[float, float], x: float, colour: str) -> None:
    """A bar from the lowest to the highest rank; nothing where the design tells none."""
    low, high = ends
    if np.isfinite(low):
        axes.plot([x, x], [low - 0.12, high + 0.12], color=colour, linewidth=2.2, solid_capstyle="butt", zorder=3)
