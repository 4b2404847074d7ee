"""Mean ranks on an axis; a bar joins those that cannot be told apart (Demšar, 2006, with another test)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ....benchmark.statistics.ranking import mean_ranks
from ....benchmark.statistics.verdict.shared_cells import Entries
from ...analysis import Analysis
from .. import palette, style
from .ranks import subject_table
from .words import empty_words, metric_against, shared_words, tested_words

STEP, BAR = 4.6, 2.2
"""Heights of a name and of a bar, in mm."""


def critical_difference(analysis: Analysis, entries: Entries, pairs: pd.DataFrame) -> style.Plot:
    """The diagram; ``pairs`` as in ``TieGroup``. The test is of means and not of ranks, so it is no Nemenyi test."""
    table = subject_table(entries)
    ranks = mean_ranks(table, analysis.better(analysis.metric)).sort_values(kind="stable")
    names = [str(name) for name in ranks.index]
    apart = {frozenset((one, other)) for one, other in pairs.loc[pairs["apart"], ["one", "other"]].itertuples(index=False)}
    bars = joined(names, apart)
    below, up = BAR * len(bars) + 3, -(-len(names) // 2)
    figure = style.new_figure(style.DOUBLE, 13 + below + STEP * up)
    axes = figure.subplots()
    for level, (first, last) in enumerate(bars):
        y = BAR * level + 2
        ends = [ranks.iloc[first] - 0.03, ranks.iloc[last] + 0.03]
        axes.plot(ends, [y, y], color=palette.INK, linewidth=2.6, solid_capstyle="round", zorder=4)
    _names(axes, analysis, ranks, below)
    _axis(axes, len(names), below + STEP * (up - 0.4))
    caption = (
        f"Mean over subjects of the rank of each candidate by {metric_against(analysis)} (1 is best, ties share; "
        f"{shared_words(analysis, len(table))}). A bar joins neighbours of whom no two can be told apart. "
        f"{tested_words(analysis, len(pairs))} It is not Nemenyi’s test of ranks; "
        f"where means and ranks disagree, the matrix of pairs counts.{empty_words(analysis)}"
    )
    said = [" and ".join(names[first : last + 1]) for first, last in bars]
    alt = "Mean ranks: " + "; ".join(f"{name} {rank:.2f}" for name, rank in ranks.items()) + "."
    alt += f" Cannot be told apart: {'; '.join(said)}." if said else " All can be told apart."
    return style.Plot("critical-difference", "Mean ranks, and who cannot be told apart", figure, caption, alt)


def joined(names: Sequence[str], apart: Collection[frozenset[str]]) -> list[tuple[int, int]]:
    """First and last place of each longest row of neighbours of whom no two are in ``apart``."""
    found: list[tuple[int, int]] = []
    for first in range(len(names)):
        last = first
        while last + 1 < len(names) and not any(frozenset((names[last + 1], n)) in apart for n in names[first : last + 1]):
            last += 1
        if last > first and not any(one <= first and last <= other for one, other in found):
            found.append((first, last))
    return found


def _names(axes: Axes, analysis: Analysis, ranks: pd.Series, below: float) -> None:
    """The better half at the left, the others at the right, each with a line to its rank."""
    k = len(ranks)
    half = -(-k // 2)
    for place, (name, rank) in enumerate(ranks.items()):
        left = place < half
        y = below + STEP * (place if left else k - 1 - place)
        x = 1 - 0.04 * (k - 1) if left else k + 0.04 * (k - 1)
        colour, marker = analysis.colours[str(name)], analysis.markers[str(name)]
        axes.plot([rank, rank, x], [0, y, y], color=colour, linewidth=1.0, clip_on=False, zorder=2)
        axes.plot([rank], [0], marker=marker, color=colour, markersize=6, markeredgecolor="white", clip_on=False, zorder=5)
        text = style.wrapped(str(name), 26, 1)
        words = f"{text} {rank:.2f}" if left else f"{rank:.2f} {text}"
        axes.annotate(
            words, (x, y), xytext=(-4 if left else 4, 0), textcoords="offset points", ha="right" if left else "left",
            va="center", annotation_clip=False,
        )  # fmt: skip


def _axis(axes: Axes, k: int, height: float) -> None:
    """The axis of ranks at the top."""
    axes.set(xlim=(1, k), ylim=(height, 0))
    axes.set_xticks(np.arange(1, k + 1) if k <= 12 else np.linspace(1, k, 6).round())
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("Mean rank")
    axes.set_yticks([])
    axes.spines["top"].set_visible(True)
    axes.spines[["left", "bottom"]].set_visible(False)
