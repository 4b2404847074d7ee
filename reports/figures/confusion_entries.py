"""Every entry of every rater's confusion, estimated against true: points on the diagonal are right."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ...benchmark.statistics.rater_errors import over_raters
from ..analysis import Analysis
from ..tables.rater_wording import estimator_name, interval_text, short_name
from . import style

MOST = 12
"""Panels that one figure has room for."""


def confusion_entries(analysis: Analysis) -> style.Plot | None:
    """One panel for each estimator; None where nothing is estimated or nothing can be compared."""
    names = analysis.estimators
    if not names or not analysis.confusions_compared_with:
        return None
    shown, raters = names[:MOST], analysis.estimated_raters
    columns = style.columns_for(len(shown))
    rows = -(-len(shown) // columns)
    across = min(5, len(raters) + 1)
    figure = style.new_figure(
        style.panel_width(len(shown)), rows * (62 if columns < 4 else 52) + 12 + 4.5 * -(-len(raters) // across)
    )
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    errors = over_raters(analysis.rater_errors)
    colours, markers = style.colours(raters), style.markers(raters)
    for number, axes in enumerate(grid.flat):
        axes.set_visible(number < len(shown))
        if number < len(shown):
            name = shown[number]
            error = analysis.mean_interval(errors.loc[errors["candidate"] == name, "rmse"])
            _panel(axes, _entries(analysis, name), colours, markers)
            axes.set_title(f"{style.wrapped(short_name(name), 26, 1)}\n", fontsize=8)
            axes.text(0.5, 1.02, f"RMSE {interval_text(error, 3)}", transform=axes.transAxes, ha="center", va="bottom")
            below, beside = number + columns >= len(shown), number % columns == 0
            axes.tick_params(labelbottom=below, labelleft=beside)
            axes.set(xlabel=_true_words(analysis) if below else "", ylabel="Estimated" if beside else "")
    handles = [
        Line2D([], [], linestyle="none", marker=markers[r], color=colours[r], markersize=4.5, label=style.wrapped(r, 22, 1))
        for r in raters
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=across, handletextpad=0.1, columnspacing=1.2)
    return style.Plot(
        "confusion-entries", "Estimated against true confusions, entry by entry", figure,
        _caption(analysis, names[MOST:]), _alt(analysis, shown),
    )  # fmt: skip


def _entries(analysis: Analysis, name: str) -> pd.DataFrame:
    """``rater observed true estimate truth`` of one estimator, means over folds and repeats."""
    table = analysis.results.confusions
    mine = table[table["candidate"] == name]
    return mine.groupby(["rater", "observed", "true"], sort=False)[["estimate", "truth"]].mean().dropna().reset_index()


def _panel(axes: Axes, entries: pd.DataFrame, colours: dict[str, str], markers: dict[str, str]) -> None:
    axes.plot([0, 1], [0, 1], color=style.MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    for rater, part in entries.groupby("rater", sort=False):
        right = part["observed"] == part["true"]
        colour, marker = colours[str(rater)], markers[str(rater)]
        for chosen, fill in ((right, colour), (~right, "white")):
            axes.plot(
                part.loc[chosen, "truth"], part.loc[chosen, "estimate"], linestyle="none", marker=marker, markersize=4.5,
                color=colour, markerfacecolor=fill, markeredgewidth=0.9, clip_on=False, zorder=3,
            )  # fmt: skip
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    style.thin(axes)


def _true_words(analysis: Analysis) -> str:
    return "True" if analysis.confusions_compared_with == "truth" else "Against the others"


def _caption(analysis: Analysis, left_out: list[str]) -> str:
    text = (
        "Each point is one entry of one rater’s confusion, mean over folds and repeats: filled on the diagonal (the rater is "
        "right), hollow off it (the rater errs). On the dashed line the estimate is right."
    )
    if analysis.confusions_compared_with == "others":
        text += " The truth is unknown: estimates are compared with the majority of the other raters of a case."
    if left_out:
        text += f" Not shown for lack of space: {', '.join(map(estimator_name, left_out))}."
    return text


def _alt(analysis: Analysis, names: list[str]) -> str:
    errors = over_raters(analysis.rater_errors).groupby("candidate")["rmse"].mean()
    parts = [f"{estimator_name(n)}: RMSE {errors[n]:.3f}" for n in names]
    return f"Estimated against true entries of the raters’ confusions. {'; '.join(parts)}."
