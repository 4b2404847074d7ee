"""Would other raters change the order? The candidates without each rater, and how often fewer raters give the same answer."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ....benchmark.statistics.verdict.rater_influence import NOBODY
from ...analysis import Analysis
from ...panel import Panel
from .. import palette, style

MOST_ROWS = 24
"""Up to so many raters have a row each; of more, those without whom the ranks change most."""


def rater_curve_figure(analysis: Analysis) -> style.Plot | None:
    """Means without each rater at the left, fewer raters at the right; None where no rater can be left out."""
    panel = analysis.panel
    if panel.why_no_order or not np.isfinite(panel.without_each_rater["mean"]).any():
        return None
    means = _rows(panel)
    names = [str(name) for name in means]
    columns = 3 if len(names) > 2 else 2
    height = 5.2 * len(means) + 6 * -(-len(names) // columns) + 28
    figure = style.new_figure(style.DOUBLE, min(height, style.TALLEST))
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1.35, 1]})
    _means(left, analysis, panel, means)
    _curve(right, panel)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, handletextpad=0.1, columnspacing=1.2)
    title = "Would other raters change the order?"
    return style.Plot("rater-curve", title, figure, _caption(panel, len(means) - 1), _alt(panel))


def _rows(panel: Panel) -> pd.DataFrame:
    """Means, left out raters x candidates, the whole panel first."""
    table = panel.without_each_rater
    order = [str(name) for name in pd.unique(table["left_out"])]
    names = [str(name) for name in pd.unique(table["candidate"])]
    means, ranks = (
        table.pivot(index="left_out", columns="candidate", values=column).reindex(index=order, columns=names)
        for column in ("mean", "rank")
    )
    changes = (ranks - ranks.loc[NOBODY]).abs().sum(axis=1)
    kept = set(changes.drop(NOBODY).sort_values(ascending=False, kind="stable").index[:MOST_ROWS]) | {NOBODY}
    return means.reindex([name for name in order if name in kept])


def _means(axes: Axes, analysis: Analysis, panel: Panel, means: pd.DataFrame) -> None:
    places = np.arange(len(means))
    for name in means:
        axes.plot(
            means[name], places, color=analysis.colours[str(name)], marker=analysis.markers[str(name)], markersize=4.5,
            linewidth=0.7, label=style.wrapped(str(name), 26, 1),
        )  # fmt: skip
    axes.axhline(0.5, color=palette.MUTED, linewidth=0.6)
    heads = ["all raters" if name == NOBODY else f"without {style.wrapped(str(name), 16, 1)}" for name in means.index]
    axes.set_yticks(places, heads)
    axes.set_ylim(len(means) - 0.5, -0.5)
    axes.set_xlabel(style.wrapped(f"{panel.label} against single raters", 44, 1))
    axes.locator_params(axis="x", nbins=5)
    axes.grid(True, axis="x")
    axes.tick_params(axis="y", length=0)


def _curve(axes: Axes, panel: Panel) -> None:
    curve = panel.curve
    axes.plot(curve["n_raters"], curve["same_best"], color=palette.INK, marker="o", markersize=6, label="the same is best")
    axes.plot(
        curve["n_raters"], curve["agreement"], color=palette.COLOURS[0], marker="s", markersize=3, linestyle="--",
        label="agreement of the order (τ)",
    )  # fmt: skip
    low = min(0.0, float(curve["agreement"].min()) if curve["agreement"].notna().any() else 0.0)
    axes.set_ylim(low - 0.04, 1.04)
    axes.set_xlim(0.6, len(panel.names) + 0.4)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.set_xlabel("Number of raters")
    axes.legend(loc="lower right")
    style.thin(axes)


def _caption(panel: Panel, shown: int) -> str:
    only = f" ({shown} of {len(panel.names)} raters, those who change the ranks most)" if shown < len(panel.names) else ""
    return (
        f"Left: mean {panel.label} of each candidate against the single raters, all of them and without each{only}; where "
        "lines cross, the order changes. Right: of panels with fewer raters (all of a size, or 200 drawn ones), the share with "
        "the same best candidate as all raters, and the mean agreement of their order with that of all raters (Kendall’s τ: 1 "
        "is the same order, −1 the reverse). Ranks of means, not tested; nothing was trained without a rater."
    )


def _alt(panel: Panel) -> str:
    ranks = panel.without_each_rater.pivot(index="left_out", columns="candidate", values="rank")
    parts = [
        f"{name}: rank {column.loc[NOBODY]:g} with all raters, {column.min():g} to {column.max():g} without one"
        for name, column in ranks.items()
        if np.isfinite(column.loc[NOBODY])
    ]
    return "Means of candidates without each rater, and agreement of smaller panels of raters. " + "; ".join(parts) + "."
