"""Who can be told from whom: all pairs of candidates as a matrix, and on the axis of mean ranks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from ....benchmark.statistics.verdict.shared_cells import Entries
from ....benchmark.statistics.verdict.tie_groups import TieGroup, tie_group
from ....benchmark.statistics.verdict.verdicts import Better
from ...analysis import Analysis
from ...tables.wording import NO_VALUE, p_number
from .. import palette, style
from .critical_difference import critical_difference
from .ranks import direction, shared_entries, subject_table
from .words import empty_words, metric_against, shared_words, tested_words

NUMBERS_UP_TO = 12
"""Candidates up to which each square has its number."""
FILLS = {"better": "#0072B2", "worse": "#F3BC8E", "equivalent": "#DDE1E7", "undecided": "white"}
"""Of the verdict on the row: dark, middle and light, so that they differ in grey."""
WORDS = {
    "better": "row is better", "worse": "row is worse", "equivalent": "equivalent", "undecided": "cannot be told apart",
}  # fmt: skip


def pairs(analysis: Analysis) -> list[style.Plot]:
    """The critical-difference diagram and the matrix; empty with fewer than three candidates or as published."""
    better = direction(analysis)
    values = analysis.case_values(analysis.metric)
    entries = shared_entries(values)
    if better is None or entries is None or len(entries.candidates) < 3 or analysis.protocol != "model-t":
        return []
    found = tie_group(values, better=better, alpha=analysis.alpha)
    diagram = critical_difference(analysis, entries, found.pairs)
    return [diagram, _matrix(analysis, entries, found, better)]


def verdict_of(pair: pd.Series, better: Better, smallest_difference: float, *, turned: bool = False) -> str:
    """Of ``one`` beside ``other``, or ``turned``: better, worse, equivalent (Holm's interval is small) or undecided."""
    if pair["apart"]:
        ahead = (pair["difference"] > 0) == (better == "higher")
        return "better" if ahead != turned else "worse"
    inside = max(abs(pair["low"]), abs(pair["high"])) < smallest_difference
    return "equivalent" if np.isfinite(pair["low"]) and inside else "undecided"


def _matrix(analysis: Analysis, entries: Entries, found: TieGroup, better: Better) -> style.Plot:
    means = pd.Series(entries.means, list(entries.candidates))
    names = [str(name) for name in means.sort_values(ascending=better == "lower", kind="stable").index]
    k = len(names)
    smallest = analysis.results.experiment.statistics.smallest_difference
    figure = style.new_figure(min(style.DOUBLE, 44 + 15 * k), min(style.TALLEST, 36 + (9 if k <= NUMBERS_UP_TO else 5) * k))
    axes = figure.subplots()
    said: dict[str, list[str]] = {verdict: [] for verdict in FILLS}
    for _, pair in found.pairs.iterrows():
        if pair["one"] in names and pair["other"] in names:
            row, column = sorted([names.index(pair["one"]), names.index(pair["other"])])
            turn = names[row] != pair["one"]
            verdict, other = (verdict_of(pair, better, smallest, turned=t) for t in (turn, not turn))
            difference = -pair["difference"] if turn else pair["difference"]
            _square(axes, (row, column), verdict, analysis.number(analysis.metric, difference, sign=True), k)
            _square(axes, (column, row), other, p_number(float(pair["p_holm"])), k)
            said[verdict].append(f"{names[row]} and {names[column]}")
    _frame(figure, axes, names)
    caption = _caption(analysis, found, k, len(subject_table(entries)))
    words = [f"{WORDS[v].replace('row', 'the first')}: {', '.join(which) or 'none'}" for v, which in said.items()]
    return style.Plot("pairs", "Who can be told from whom", figure, caption, f"Verdict of each pair. {'; '.join(words)}.")


def _square(axes: Axes, place: tuple[int, int], verdict: str, text: str, k: int) -> None:
    row, column = place
    if verdict != "undecided":
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=FILLS[verdict], linewidth=0))
    if k <= NUMBERS_UP_TO:
        colour = "white" if verdict == "better" else palette.MUTED if text == NO_VALUE else palette.INK
        axes.text(column, row, text, ha="center", va="center", color=colour)


def _frame(figure: Figure, axes: Axes, names: Sequence[str]) -> None:
    """Names at both sides and the legend."""
    k = len(names)
    axes.set(xlim=(-0.5, k - 0.5), ylim=(k - 0.5, -0.5))
    axes.set_yticks(range(k), [style.wrapped(name, 22, 1 if k > NUMBERS_UP_TO else 2) for name in names])
    width, lines = (10, 3) if k < 7 else (18, 1)
    axes.set_xticks(range(k), [style.wrapped(name, width, lines) for name in names], rotation=0 if k < 7 else 90)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    edges = np.arange(k + 1) - 0.5
    axes.hlines(edges, -0.5, k - 0.5, color=palette.FAINT, linewidth=0.6)
    axes.vlines(edges, -0.5, k - 0.5, color=palette.FAINT, linewidth=0.6)
    handles = [Patch(facecolor=FILLS[v], edgecolor=palette.MUTED, linewidth=0.6, label=words) for v, words in WORDS.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=4 if k > 5 else 2, handlelength=1.2, columnspacing=1.2)


def _caption(analysis: Analysis, found: TieGroup, k: int, n: int) -> str:
    smallest = analysis.results.experiment.statistics.smallest_difference
    text = f"Verdict on each pair of candidates by {metric_against(analysis)}, over what both have"
    text += f" ({shared_words(analysis, n)})."
    if k <= NUMBERS_UP_TO:
        text += " The best mean is first. Above the diagonal: the mean difference, row minus column. Below it: p after Holm."
    text += f" {tested_words(analysis, len(found.pairs))}"
    if smallest > 0:
        text += f" Equivalent: Holm’s interval lies within ± {smallest:g}, the smallest difference that is relevant."
    return text + untested(found.pairs) + empty_words(analysis)


def untested(table: pd.DataFrame) -> str:
    """Which pairs have no test, and why; a sentence with a space before it."""
    reasons = [reason for reason in dict.fromkeys(table["reason"]) if reason]
    n = int(table["p"].isna().sum())
    which = "No pair has a test" if n == len(table) else f"{n} of {len(table)} pairs have no test"
    return f" {which}: {'; '.join(reasons)}." if reasons else ""
