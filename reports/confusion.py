"""What a method believes of each rater, beside what is really true of that rater."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import style
from .analysis import Analysis
from .wording import name_of

ACROSS = 5
"""Raters beside each other in one figure."""
FUSION = " (fusion)"
"""What the units put behind the name of a fusion that estimates raters."""
NUMBERS_UP_TO = 4
"""Classes up to which every entry is printed in its square."""


def confusion(analysis: Analysis) -> list[style.Plot]:
    """Figures of at most five raters each: a row for the truth where known, and one for each candidate that estimates."""
    table = analysis.results.confusions
    names = estimators(analysis)
    if not names:
        return []
    raters = list(dict.fromkeys(table["rater"]))
    groups = [raters[i : i + ACROSS] for i in range(0, len(raters), ACROSS)]
    plots = []
    for number, group in enumerate(groups):
        figure = _figure(table, names, group)
        alt = _alt([estimator_name(n) for n in names], group)
        name = "confusion" if number == 0 else f"confusion-{number + 1}"
        part = f" ({number + 1} of {len(groups)})" if len(groups) > 1 else ""
        plots.append(style.Plot(name, f"What is known of each rater{part}", figure, _caption(table), alt))
    return plots


def estimators(analysis: Analysis) -> list[str]:
    """Who estimates raters: candidates in their order, then fusions."""
    have = list(dict.fromkeys(map(str, analysis.results.confusions["candidate"])))
    return [c for c in analysis.candidates if c in have] + [c for c in have if c not in analysis.candidates]


def estimator_name(name: str) -> str:
    """A candidate as it is called; the estimate of a fusion says what it is."""
    return name_of(name.removesuffix(FUSION), "fusion") if name.endswith(FUSION) else name


def _figure(table: pd.DataFrame, names: list[str], raters: list[str]) -> Figure:
    known = bool(table["truth"].notna().any())
    lines = [("Truth", table, "truth")] if known else []
    lines += [(estimator_name(name), table[table["candidate"] == name], "estimate") for name in names]
    classes = list(dict.fromkeys(table["true"]))
    across = max(len(raters), 3)
    figure = style.new_figure(style.DOUBLE, min(style.TALLEST, len(lines) * min(125 / across, 34) + 26))
    grid = figure.subplots(len(lines), across, squeeze=False)
    short = [style.wrapped(c, 13, 1) for c in classes]
    for row, (title, part, column) in enumerate(lines):
        for place, axes in enumerate(grid[row]):
            axes.set_visible(place < len(raters))
            if place >= len(raters):
                continue
            _matrix(axes, _mean(part, raters[place], classes, column))
            _ticks(axes, short, below=row == len(lines) - 1, beside=place == 0)
            if row == 0:
                axes.set_title(style.wrapped(raters[place], 16))
        grid[row][0].set_ylabel(style.wrapped(title, 12, 3), fontweight="bold", fontsize=8)
    figure.supxlabel("Truth", fontsize=8)
    figure.supylabel("Rater says", fontsize=8)
    return figure


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


def _caption(table: pd.DataFrame) -> str:
    text = (
        "Confusion of each rater: the share of voxels of a true class (across) that the rater calls a class (down); columns "
        "sum to 1. Estimates are means over folds and repeats."
    )
    known = bool(table["truth"].notna().any())
    return text + " Truth: measured on the same cases, known only for simulated raters." * known


def _alt(names: list[str], raters: list[str]) -> str:
    return f"Confusion matrices of the raters {', '.join(raters)} as estimated by {', '.join(names)}."
