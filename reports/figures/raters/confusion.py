"""Each rater's confusion matrix as estimated and as it is: as matrices beside each other, and entry against entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ....benchmark.statistics.rater_errors import mean_entries, mean_matrix, over_folds, over_raters
from ...analysis import Analysis
from ...tables.rater_wording import estimator_name, interval_text, short_name
from .. import palette, style
from ..mosaic import Box, Mosaic, corners

ACROSS = 5
"""Raters beside each other in one figure."""
NUMBERS_UP_TO = 4
"""Classes up to which every entry is printed in its square."""
MARGIN, SQUARE, ERROR = 30.0, 6.0, 4.9
"""Heights in mm: of all that is no row, of a square that has room for its number, and of the error below a matrix."""
LARGEST, BETWEEN, BELOW, LINE = 34.0, 2.0, 0.6, 3.7
"""In mm: the largest matrix, room between two beside each other, between a matrix and its error, and a line of text."""
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
    page = _Page.of([title for _, title, _, _ in lines], classes, [style.wrapped(rater, 16) for rater in raters])
    mosaic, borders = Mosaic(style.DOUBLE, page.height), []
    for row, (name, _, part, column) in enumerate(lines):
        for place, rater in enumerate(raters):
            box = page.box(row, place)
            _matrix(mosaic, box, mean_matrix(part, rater, classes, column))
            borders.append(corners(box))
            error = errors.get((name, rater), np.nan)
            if np.isfinite(error):
                mosaic.text(box, f"RMSE {error:.3f}".replace("0.", ".", 1), (0.5, -BELOW / page.side), va="top")
    mosaic.axes.add_collection(PolyCollection(borders, facecolors="none", edgecolors=palette.FAINT, linewidths=0.6))
    _name_rows_and_columns(mosaic, page)
    across = "Truth" if analysis.confusions_compared_with != "others" else "The others’ majority"
    mosaic.axes.text((page.left + style.DOUBLE) / 2, 0.8, across, ha="center", va="bottom")
    mosaic.axes.text(0.5, page.height / 2, "Rater says", rotation=90, ha="left", va="center")
    return mosaic.finish()


@dataclass(frozen=True)
class _Page:
    """Where what stands on the page, in mm: matrices of height ``side``, right of ``left`` and below ``top``."""

    titles: Sequence[str]
    classes: Sequence[str]
    raters: Sequence[str]
    left: float
    top: float
    bottom: float
    side: float

    @classmethod
    def of(cls, titles: Sequence[str], classes: Sequence[str], raters: Sequence[str]) -> _Page:
        """The page of rows with ``titles``; names of classes are shortened, those of raters are not."""
        titles, classes = [style.wrapped(title, 12, 3) for title in titles], [style.wrapped(c, 13, 1) for c in classes]
        longest, columns = style.text_width(classes), max(len(raters), 3)
        left = LINE + LINE * max(title.count("\n") + 1 for title in titles) + longest + 3
        top, bottom = LINE * max(rater.count("\n") + 1 for rater in raters) + 1, longest + LINE + 2
        tallest = (style.TALLEST - top - bottom) / len(titles) - ERROR
        return cls(titles, classes, raters, left, top, bottom, min((style.DOUBLE - left) / columns - BETWEEN, LARGEST, tallest))

    @property
    def height(self) -> float:
        """Of the whole page."""
        return self.top + len(self.titles) * (self.side + ERROR) + self.bottom

    def box(self, row: int, column: int) -> Box:
        """Where a matrix stands."""
        pitch = (style.DOUBLE - self.left) / max(len(self.raters), 3)
        x = self.left + (column + 0.5) * pitch - self.side / 2
        return x, self.height - self.top - row * (self.side + ERROR) - self.side, self.side, self.side


def _name_rows_and_columns(mosaic: Mosaic, page: _Page) -> None:
    n, last = len(page.classes), len(page.titles) - 1
    for row, title in enumerate(page.titles):
        left, low, side, _ = page.box(row, 0)
        mosaic.axes.text(
            left - page.left + LINE + 1, low + side / 2, title, rotation=90, fontweight="bold", ha="left", va="center",
            multialignment="center",
        )  # fmt: skip
        for k, name in enumerate(page.classes):
            mosaic.text((left, low, side, side), name, (-1 / side, 1 - (k + 0.5) / n), ha="right", va="center_baseline")
    for column, rater in enumerate(page.raters):
        box = page.box(0, column)
        mosaic.text(box, rater, (0.5, 1 + 1.2 / page.side), va="baseline", fontweight="bold", fontsize=8.5)
        for k, name in enumerate(page.classes):
            # Below the error, if there is one.
            place = (k + 0.5) / n, -ERROR / page.side
            mosaic.text(page.box(last, column), name, place, va="top", rotation=90)


def _matrix(mosaic: Mosaic, box: Box, values: npt.NDArray[np.float64]) -> None:
    shown = np.where(np.isfinite(values), values, 0)
    # A few large pixels: some programs would blur them if they were asked to enlarge them.
    mosaic.image(shown, box, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    if len(values) > NUMBERS_UP_TO:
        return
    for (i, j), value in np.ndenumerate(values):
        colour = "white" if value > 0.55 else palette.INK
        text = f"{value:.2f}".removeprefix("0") if np.isfinite(value) else "–"
        mosaic.text(box, text, ((j + 0.5) / len(values), 1 - (i + 0.5) / len(values)), color=colour)


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
