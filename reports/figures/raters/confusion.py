"""Each rater's confusion matrix as estimated and as it is: as matrices beside each other, and entry against entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ....benchmark.statistics.rater_errors import mean_entries, mean_matrix, over_folds, over_raters
from ...analysis import Analysis
from ...tables.rater_wording import estimator_name, interval_text, short_name
from .. import palette, style

ACROSS = 5
"""Raters beside each other in one figure."""
NUMBERS_UP_TO = 4
"""Classes up to which every entry is printed in its square."""
MARGIN, SQUARE, ERROR = 30.0, 6.0, 4.5
"""Heights in mm: of all that is no row, of a square that has room for its number, and of the error below a matrix."""
MOST_PANELS = 12
"""Estimators that the figure of entries has room for."""
UNKNOWN_TRUTH = "The truth is unknown: estimates are compared with the majority of the other raters of a case."


def confusion(analysis: Analysis) -> list[style.Plot]:
    """Figures of at most five raters each: a row for the truth where known, and one for each candidate that estimates."""
    names = analysis.estimators
    if not names:
        return []
    raters = analysis.estimated_raters
    groups = [raters[i : i + ACROSS] for i in range(0, len(raters), ACROSS)]
    shown = names[: rows_that_fit(analysis.results.confusions["true"].nunique()) - bool(analysis.confusions_compared_with)]
    errors = over_folds(analysis.rater_errors)
    caption = _caption(analysis, names[len(shown) :])
    plots = []
    for number, group in enumerate(groups):
        figure = _figure(analysis, shown, group, errors)
        estimated = ", ".join(estimator_name(n) for n in shown)
        alt = f"Confusion matrices of the raters {', '.join(group)} as estimated by {estimated}."
        name = "confusion" if number == 0 else f"confusion-{number + 1}"
        part = f" ({number + 1} of {len(groups)})" if len(groups) > 1 else ""
        plots.append(style.Plot(name, f"What is known of each rater{part}", figure, caption, alt))
    return plots


def rows_that_fit(n_classes: int) -> int:
    """How many rows of matrices a page has room for."""
    return int((style.TALLEST - MARGIN) / (SQUARE * min(n_classes, NUMBERS_UP_TO) + ERROR))


def _figure(analysis: Analysis, names: Sequence[str], raters: Sequence[str], errors: Mapping[tuple[str, str], float]) -> Figure:
    table = analysis.results.confusions
    first = {"truth": "Truth", "others": "The others’ majority"}.get(analysis.confusions_compared_with)
    lines = [("", first, table, "truth")] if first else []
    lines += [(name, short_name(name), table[table["candidate"] == name], "estimate") for name in names]
    classes = [str(c) for c in dict.fromkeys(table["true"])]
    across = max(len(raters), 3)
    row_height = min(125 / across, 34) + ERROR
    figure = style.new_figure(style.DOUBLE, min(style.TALLEST, len(lines) * row_height + MARGIN))
    grid = figure.subplots(len(lines), across, squeeze=False)
    short = [style.wrapped(c, 13, 1) for c in classes]
    for row, (name, title, part, column) in enumerate(lines):
        for place, axes in enumerate(grid[row]):
            axes.set_visible(place < len(raters))
            if place >= len(raters):
                continue
            _matrix(axes, mean_matrix(part, raters[place], classes, column))
            axes.set_xticks(range(len(classes)), short if row == len(lines) - 1 else [""] * len(classes), rotation=90)
            axes.set_yticks(range(len(classes)), short if place == 0 else [""] * len(classes))
            error = errors.get((name, raters[place]), np.nan)
            if np.isfinite(error):
                # Right below the matrix; the names of classes keep away from it.
                text = f"RMSE {error:.3f}".replace("0.", ".", 1)
                axes.annotate(
                    text, (0.5, 0), xycoords="axes fraction", xytext=(0, -3), textcoords="offset points", ha="center", va="top"
                )
                axes.tick_params(axis="x", pad=14)
            if row == 0:
                axes.set_title(style.wrapped(raters[place], 16))
        grid[row][0].set_ylabel(style.wrapped(title, 12, 3), fontweight="bold", fontsize=8)
    figure.supxlabel("Truth" if analysis.confusions_compared_with != "others" else "The others’ majority", fontsize=8)
    figure.supylabel("Rater says", fontsize=8)
    return figure


def _matrix(axes: Axes, values: npt.NDArray[np.float64]) -> None:
    axes.imshow(np.where(np.isfinite(values), values, 0), cmap="Blues", vmin=0, vmax=1)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color(palette.FAINT)
    if len(values) > NUMBERS_UP_TO:
        return
    for (i, j), value in np.ndenumerate(values):
        colour = "white" if value > 0.55 else palette.INK
        text = f"{value:.2f}".removeprefix("0") if np.isfinite(value) else "–"
        axes.text(j, i, text, ha="center", va="center", color=colour)


def _caption(analysis: Analysis, left_out: Sequence[str]) -> str:
    parts = [
        "Confusion of each rater: the share of voxels of a true class (across) that the rater calls a class (down); columns "
        "sum to 1. Estimates are means over folds and repeats; below each is its root mean square error, mean over folds."
    ]
    if analysis.confusions_compared_with == "truth":
        parts.append("Truth: measured on the same cases, known only for simulated raters.")
    if analysis.confusions_compared_with == "others":
        parts.append(UNKNOWN_TRUTH)
    if left_out:
        parts.append(f"Not shown for lack of space: {', '.join(map(estimator_name, left_out))}; the tables have them.")
    return " ".join(parts)


def confusion_entries(analysis: Analysis) -> style.Plot | None:
    """One panel for each estimator; None where nothing is estimated or nothing can be compared."""
    names = analysis.estimators
    if not names or not analysis.confusions_compared_with:
        return None
    shown, raters = names[:MOST_PANELS], analysis.estimated_raters
    columns = style.columns_for(len(shown))
    rows = -(-len(shown) // columns)
    across = min(5, len(raters) + 1)
    figure = style.new_figure(
        style.panel_width(len(shown)), rows * (62 if columns < 4 else 52) + 12 + 4.5 * -(-len(raters) // across)
    )
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    errors = over_raters(analysis.rater_errors)
    means = errors.groupby("candidate")["rmse"].mean()
    alt = "; ".join(f"{estimator_name(n)}: RMSE {means[n]:.3f}" for n in shown)
    true_words = "True" if analysis.confusions_compared_with == "truth" else "Against the others"
    colours, markers = palette.colours(raters), palette.markers(raters)
    for number, axes in enumerate(grid.flat):
        axes.set_visible(number < len(shown))
        if number < len(shown):
            name = shown[number]
            error = analysis.mean_interval(errors.loc[errors["candidate"] == name, "rmse"])
            _panel(axes, mean_entries(analysis.results.confusions, name), colours, markers)
            axes.set_title(f"{style.wrapped(short_name(name), 26, 1)}\n", fontsize=8)
            axes.text(0.5, 1.02, f"RMSE {interval_text(error, 3)}", transform=axes.transAxes, ha="center", va="bottom")
            below, beside = number + columns >= len(shown), number % columns == 0
            axes.tick_params(labelbottom=below, labelleft=beside)
            axes.set(xlabel=true_words if below else "", ylabel="Estimated" if beside else "")
    handles = [
        Line2D([], [], linestyle="none", marker=markers[r], color=colours[r], markersize=4.5, label=style.wrapped(r, 22, 1))
        for r in raters
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=across, handletextpad=0.1, columnspacing=1.2)
    return style.Plot(
        "confusion-entries", "Estimated against true confusions, entry by entry", figure,
        _entries_caption(analysis, names[MOST_PANELS:]), f"Estimated against true entries of the raters’ confusions. {alt}.",
    )  # fmt: skip


def _panel(axes: Axes, entries: pd.DataFrame, colours: dict[str, str], markers: dict[str, str]) -> None:
    axes.plot([0, 1], [0, 1], color=palette.MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
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


def _entries_caption(analysis: Analysis, left_out: list[str]) -> str:
    text = (
        "Each point is one entry of one rater’s confusion, mean over folds and repeats: filled on the diagonal (the rater is "
        "right), hollow off it (the rater errs). On the dashed line the estimate is right."
    )
    if analysis.confusions_compared_with == "others":
        text += f" {UNKNOWN_TRUTH}"
    if left_out:
        text += f" Not shown for lack of space: {', '.join(map(estimator_name, left_out))}."
    return text
