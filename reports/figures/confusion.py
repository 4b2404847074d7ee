"""Each rater's confusion matrix as estimated, beside the true one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..analysis import Analysis
from ..tables.rater_wording import estimator_name, short_name
from . import style

ACROSS = 5
"""Raters beside each other in one figure."""
NUMBERS_UP_TO = 4
"""Classes up to which every entry is printed in its square."""
MARGIN, SQUARE, ERROR = 30.0, 6.0, 4.5
"""Heights in mm: of all that is no row, of a square that has room for its number, and of the error below a matrix."""


def confusion(analysis: Analysis) -> list[style.Plot]:
    """Figures of at most five raters each: a row for the truth where known, and one for each candidate that estimates."""
    names = analysis.estimators
    if not names:
        return []
    raters = analysis.estimated_raters
    groups = [raters[i : i + ACROSS] for i in range(0, len(raters), ACROSS)]
    shown = names[: rows_that_fit(analysis.results.confusions["true"].nunique()) - bool(analysis.confusions_compared_with)]
    errors = mean_errors(analysis)
    caption = _caption(analysis, names[len(shown) :])
    plots = []
    for number, group in enumerate(groups):
        figure = _figure(analysis, shown, group, errors)
        alt = _alt([estimator_name(n) for n in shown], group)
        name = "confusion" if number == 0 else f"confusion-{number + 1}"
        part = f" ({number + 1} of {len(groups)})" if len(groups) > 1 else ""
        plots.append(style.Plot(name, f"What is known of each rater{part}", figure, caption, alt))
    return plots


def mean_errors(analysis: Analysis) -> dict[tuple[str, str], float]:
    """The error of (candidate, rater), mean over folds and repeats."""
    means = analysis.rater_errors.groupby(["candidate", "rater"], sort=False)["rmse"].mean()
    return {(str(row["candidate"]), str(row["rater"])): float(row["rmse"]) for _, row in means.reset_index().iterrows()}


def rows_that_fit(n_classes: int) -> int:
    """How many rows of matrices a page has room for."""
    return int((style.TALLEST - MARGIN) / (SQUARE * min(n_classes, NUMBERS_UP_TO) + ERROR))


def _row_height(across: int) -> float:
    return min(125 / max(across, 3), 34) + ERROR


def _figure(analysis: Analysis, names: Sequence[str], raters: Sequence[str], errors: Mapping[tuple[str, str], float]) -> Figure:
    table, first = (
        analysis.results.confusions,
        {"truth": "Truth", "others": "The others’ majority"}.get(analysis.confusions_compared_with),
    )
    lines = [("", first, table, "truth")] if first else []
    lines += [(name, short_name(name), table[table["candidate"] == name], "estimate") for name in names]
    classes = [str(c) for c in dict.fromkeys(table["true"])]
    across = max(len(raters), 3)
    figure = style.new_figure(style.DOUBLE, min(style.TALLEST, len(lines) * _row_height(across) + MARGIN))
    grid = figure.subplots(len(lines), across, squeeze=False)
    short = [style.wrapped(c, 13, 1) for c in classes]
    for row, (name, title, part, column) in enumerate(lines):
        for place, axes in enumerate(grid[row]):
            axes.set_visible(place < len(raters))
            if place >= len(raters):
                continue
            _matrix(axes, _mean(part, raters[place], classes, column))
            _ticks(axes, short, below=row == len(lines) - 1, beside=place == 0)
            error = errors.get((name, raters[place]), np.nan)
            if np.isfinite(error):
                _write_error(axes, error)
            if row == 0:
                axes.set_title(style.wrapped(raters[place], 16))
        grid[row][0].set_ylabel(style.wrapped(title, 12, 3), fontweight="bold", fontsize=8)
    figure.supxlabel("Truth" if analysis.confusions_compared_with != "others" else "The others’ majority", fontsize=8)
    figure.supylabel("Rater says", fontsize=8)
    return figure


def _write_error(axes: Axes, error: float) -> None:
    """Write right below the matrix, and let the names of classes keep away from it."""
    text = f"RMSE {error:.3f}".replace("0.", ".", 1)
    axes.annotate(text, (0.5, 0), xycoords="axes fraction", xytext=(0, -3), textcoords="offset points", ha="center", va="top")
    axes.tick_params(axis="x", pad=14)


def _ticks(axes: Axes, classes: list[str], *, below: bool, beside: bool) -> None:
    places = range(len(classes))
    axes.set_xticks(places, classes if below else [""] * len(classes), rotation=90)
    axes.set_yticks(places, classes if beside else [""] * len(classes))


def _mean(table: pd.DataFrame, rater: str, classes: list[str], column: str) -> npt.NDArray[np.float64]:
    """The mean over folds and repeats, [K, K]: observed down, true across; NaN where nothing is known."""
    mine = table[table["rater"] == rater]
    wide = mine.pivot_table(index="observed", columns="true", values=column, aggfunc="mean", dropna=False)
    return wide.reindex(index=classes, columns=classes).to_numpy(dtype=float)


def _matrix(axes: Axes, values: npt.NDArray[np.float64]) -> None:
    axes.imshow(np.where(np.isfinite(values), values, 0), cmap="Blues", vmin=0, vmax=1)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color(style.FAINT)
    if len(values) > NUMBERS_UP_TO:
        return
    for (i, j), value in np.ndenumerate(values):
        colour = "white" if value > 0.55 else style.INK
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
        parts.append("The truth is unknown: estimates are compared with the majority of the other raters of a case.")
    if left_out:
        parts.append(f"Not shown for lack of space: {', '.join(map(estimator_name, left_out))}; the tables have them.")
    return " ".join(parts)


def _alt(names: list[str], raters: Sequence[str]) -> str:
    return f"Confusion matrices of the raters {', '.join(raters)} as estimated by {', '.join(names)}."
