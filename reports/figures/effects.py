"""How large are the differences? Every subject's value for each candidate, and the paired difference to the baseline."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ...benchmark.statistics.descriptive import means_by_subject
from ...benchmark.statistics.subjects import paired
from ..analysis import Analysis
from ..tables.wording import p_text, words_of
from . import palette, style


def effects(analysis: Analysis) -> style.Plot | None:
    """Left, a point a subject; right, the mean difference to the baseline with its interval. None without a value."""
    # The same subjects as in the tables: keeping a subject that one candidate lacks would change only the others' means.
    values = paired(means_by_subject(analysis.rows, analysis.metric, analysis.reference)).values.dropna(axis=1, how="all")
    if values.empty:
        return None
    names = [c for c in analysis.candidates if c in values]
    figure = style.new_figure(style.DOUBLE, 9.5 * len(names) + 30)
    left, right = figure.subplots(1, 2, sharey=True, gridspec_kw={"width_ratios": [1.35, 1]})
    band = analysis.ceiling
    _strip(left, analysis, values[names], band)
    _forest(right, analysis, names)
    left.set_yticks(range(len(names)), [style.wrapped(n, 22) for n in names])
    left.set_ylim(len(names) - 0.45, -0.55)
    label = analysis.label(analysis.metric)
    return style.Plot(
        "effects", f"{label} of every subject, and differences to {analysis.baseline}", figure,
        _caption(analysis, band), _alt(analysis, values[names]),
    )  # fmt: skip


def _strip(axes: Axes, analysis: Analysis, values: pd.DataFrame, band: tuple[float, float] | None) -> None:
    if band:
        axes.axvspan(*band, color=palette.BAND, linewidth=0, zorder=0)
    for row, name in enumerate(values):
        points = values[name].dropna().to_numpy()
        # Spread by rank and not at random, so that the figure is the same each time.
        spread = (np.argsort(np.argsort(points)) * 0.618 % 1 - 0.5) * 0.5
        axes.scatter(points, row + spread, s=12, color=analysis.colours[str(name)], alpha=0.55, linewidths=0)
        axes.plot([points.mean()], [row], marker="D", markersize=5.5, color="white", markeredgecolor=palette.INK, zorder=4)
    axes.set_xlabel(f"{analysis.label(analysis.metric)} (each dot a subject)")
    axes.locator_params(axis="x", nbins=6)
    axes.grid(True, axis="x")
    axes.tick_params(axis="y", length=0)


def _forest(axes: Axes, analysis: Analysis, names: list[str]) -> None:
    p_name = "p_holm" if analysis.protocol == "model-t" else "p"
    found = analysis.differences.to_dict("index")
    axes.axvline(0, color=palette.MUTED, linewidth=0.8)
    for row, name in enumerate(names):
        if name == analysis.baseline:
            axes.annotate("baseline", (0, row), xytext=(5, 0), textcoords="offset points", va="center", color=palette.MUTED)
        if name not in found:
            continue
        entry, colour = found[name], analysis.colours[name]
        fill = colour if entry["significant"] else "white"
        axes.plot([entry["low"], entry["high"]], [row, row], color=colour, linewidth=1.8, solid_capstyle="butt")
        axes.plot([entry["difference"]], [row], marker=analysis.markers[name], markersize=6, color=colour, markerfacecolor=fill)
        # The text stands beside the panel, where it can meet no interval.
        axes.annotate(
            p_text(entry[p_name]), (1.0, row), xycoords=axes.get_yaxis_transform(), xytext=(4, 0),
            textcoords="offset points", va="center", annotation_clip=False,
        )  # fmt: skip
    axes.set_xlabel(f"Difference to {style.wrapped(analysis.baseline, 24, 1)}")
    axes.grid(True, axis="x")
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=5)


def _caption(analysis: Analysis, band: tuple[float, float] | None) -> str:
    corrected = analysis.protocol == "model-t"
    text = (
        f"{analysis.label(analysis.metric)} against {words_of(analysis.reference)}. Left: a dot is a subject (mean over its "
        "cases and over repeats), the diamond the mean over subjects. Right: mean difference to the baseline"
    )
    if corrected:
        text += " over subjects and trained models, with Holm’s interval and p of model t"
    else:
        text += " over trained models with the uncorrected p"
    text += "; filled markers are significant."
    if band:
        text += f" Shaded: the range of the single raters’ means against {words_of(analysis.ceiling_reference)}."
    return text


def _alt(analysis: Analysis, values: pd.DataFrame) -> str:
    parts = [f"{name}: mean {analysis.number(analysis.metric, values[name].mean())}" for name in values]
    return f"{analysis.label(analysis.metric)} of every subject for each candidate. " + "; ".join(parts) + "."
