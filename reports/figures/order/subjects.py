"""Who wins where: each subject as a thin line from candidate to candidate."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap

from ....benchmark.statistics.ranking import goodness
from ...analysis import Analysis
from .. import palette, style
from .ranks import shared_entries, subject_table
from .words import empty_words, metric_against, shared_words

MOST_LINES = 300
"""Subjects that are drawn; of more, so many are taken evenly from the easiest to the hardest."""
DIFFICULTY = LinearSegmentedColormap.from_list("difficulty", [palette.INK, "#C3CAD4"])
"""From the hardest to the easiest subject: dark to light, so that it can be read in grey."""


def subjects(analysis: Analysis) -> style.Plot | None:
    """The figure; None with fewer than two candidates, or where they share no value."""
    entries = shared_entries(analysis.case_values(analysis.metric))
    if entries is None or len(entries.candidates) < 2:
        return None
    table = subject_table(entries)
    good = goodness(table, analysis.better(analysis.metric))
    best = good.eq(good.max(axis=1), axis=0) if good is not None else pd.DataFrame(False, table.index, table.columns)
    ease = (table if good is None else good).mean(axis=1)
    shown = ease.sort_values(kind="stable").index[np.unique(np.linspace(0, len(ease) - 1, MOST_LINES).astype(int))]
    figure = style.new_figure(style.DOUBLE if len(table.columns) > 3 else style.SINGLE, 78)
    axes = figure.subplots()
    _draw(axes, analysis, table.loc[shown], best.loc[shown])
    _name(axes, analysis, table, best if good is not None else None)
    caption = _caption(analysis, len(table), len(shown), known=good is not None)
    means = {str(name): analysis.number(analysis.metric, mean) for name, mean in table.mean().items()}
    wins = [f"{name}: mean {mean}{_wins(best, name)}" for name, mean in means.items()]
    alt = f"{metric_against(analysis)} of each subject, joined across candidates. {'; '.join(wins)}."
    return style.Plot("subjects", "Who wins where", figure, caption, alt)


def _wins(best: pd.DataFrame, name: str) -> str:
    return f", best on {int(best[name].sum())} of {len(best)}" if best.to_numpy().any() else ""


def _draw(axes: Axes, analysis: Analysis, table: pd.DataFrame, best: pd.DataFrame) -> None:
    """Lines of the ``table``'s subjects, hardest first, and a marker where a candidate is best."""
    values = table.to_numpy(dtype=float)
    places = np.arange(values.shape[1])
    lines = np.stack([np.broadcast_to(places, values.shape), values], axis=-1)
    colours = DIFFICULTY(np.linspace(0, 1, len(values)))
    axes.add_collection(LineCollection(list(lines), colors=colours, linewidths=0.7, alpha=0.85, zorder=2))
    for place, name in enumerate(table):
        winners = values[best[name].to_numpy(dtype=bool), place]
        axes.scatter(np.full(winners.shape, place), winners, s=22, color=analysis.colours[str(name)],
                     marker=analysis.markers[str(name)], edgecolor="white", linewidth=0.4, zorder=3)  # fmt: skip
    axes.autoscale_view()


def _name(axes: Axes, analysis: Analysis, table: pd.DataFrame, best: pd.DataFrame | None) -> None:
    """Candidates below, with the number of subjects on which each is best; means as white diamonds."""
    k = len(table.columns)
    width = max(9, int(95 / k))
    names = [style.wrapped(str(name), width, 3) + ("" if best is None else f"\n{int(best[name].sum())}×") for name in table]
    axes.set_xticks(range(k), names)
    axes.set_xlim(-0.4, k - 0.6)
    axes.plot(range(k), table.mean().to_numpy(), linestyle="none", marker="D", markersize=5.5, color="white",
              markeredgecolor=palette.INK, zorder=5)  # fmt: skip
    axes.set_ylabel(analysis.head(analysis.metric))
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=True, axis="y")


def _caption(analysis: Analysis, n: int, n_shown: int, *, known: bool) -> str:
    text = (
        f"{metric_against(analysis)}: a line is a subject (its mean over cases and repeats), the darker the harder it is "
        f"for the candidates on average; white diamonds are means over {shared_words(analysis, n)}."
    )
    if known:
        text += " A coloured marker shows the candidate that is best on a subject, the number with × on how many (ties count)."
    if n_shown < n:
        text += f" {n_shown} of {n} subjects are drawn, taken evenly from the hardest to the easiest."
    return f"{text} Nothing is tested here.{empty_words(analysis)}"
