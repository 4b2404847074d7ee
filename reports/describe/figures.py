"""The figures of a description: who agrees with whom, each rater against the others, the most contested cases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from ...benchmark.labels.describe import Description
from ...datasets.base import Dataset, Labels
from ..figures import palette, style
from ..figures.disagreement import disagreement_figure
from .tables import consensus_name, pair_matrix, values_by_case

CONTESTED = 3
NUMBERS_UP_TO = 18
"""Raters up to which the number stands in each square."""


class FusesRatings(Protocol):
    """What a figure needs of a fusion, whichever it is."""

    def fuse(self, ratings: Mapping[str, Labels], n_classes: int, *, geometry: Any = None) -> Any: ...


def describe_figures(found: Description, dataset: Dataset, fusion: FusesRatings) -> list[style.Plot]:
    """The heat map, the strips, and the most contested cases."""
    with style.house_style():
        return [_heat_map(found), _strips(found), *_contested(found, dataset, fusion)]


def _heat_map(found: Description) -> style.Plot:
    matrix = pair_matrix(found)
    n = len(matrix)
    side = float(np.clip(14 * n + 30, 75, 160))
    figure = style.new_figure(side + 14, side)
    axes = figure.subplots()
    values = matrix.to_numpy(np.float64)
    low = float(values[np.isfinite(values)].min(initial=1.0))
    floor = min(0.9, float(np.floor(10 * low) / 10))
    picture = axes.imshow(values, cmap="cividis", vmin=floor, vmax=1.0)
    names = [style.wrapped(name, 16, 1) for name in matrix.index]
    axes.set_xticks(range(n), names, rotation=90)
    axes.set_yticks(range(n), names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if n <= NUMBERS_UP_TO:
        for (row, column), value in np.ndenumerate(values):
            if np.isfinite(value):
                dark = value < floor + 0.55 * (1 - floor)
                axes.text(column, row, f"{value:.2f}", ha="center", va="center", color="white" if dark else "black",
                          fontsize=8 if n <= 12 else 6.5)  # fmt: skip
    bar = figure.colorbar(picture, ax=axes, shrink=0.8, pad=0.03)
    bar.outline.set_visible(False)
    bar.set_label("Dice")
    alt = f"Matrix of the mean Dice of each pair of {n} raters; the lowest is {low:.2f}."
    caption = "Mean Dice of each pair of raters over the cases that both rated" + (
        ", and over classes." if len(found.classes) > 2 else "."
    )
    caption += " Where neither of them marked anything there is nothing to compare." if found.compared[0] else ""
    return style.Plot("pairs", "Who agrees with whom", figure, caption + " 1 is the same mask, 0 no overlap.", alt)


def _strips(found: Description) -> style.Plot:
    by_case = values_by_case(found)
    n = len(found.raters)
    figure = style.new_figure(style.DOUBLE, float(np.clip(7 * n + 24, 45, style.TALLEST)))
    left, right = figure.subplots(1, 2, sharey=True)
    rng = np.random.default_rng(0)
    outlying = set(found.outlying_raters)
    for place, rater in enumerate(found.raters):
        part = by_case.loc[[rater]] if rater in by_case.index.get_level_values("rater") else by_case.iloc[:0]
        colour = palette.COLOURS[1] if rater in outlying else palette.COLOURS[0]
        _strip(left, part["dice"], float(part["dice"].median()), place, colour=colour, rng=rng)
        times = part["volume_bias"] + 1
        _strip(right, times, float(np.exp(np.log(times).mean())), place, colour=colour, rng=rng)
    left.set_yticks(range(n), [f"{style.wrapped(r, 18, 1)}{' (outlying)' if r in outlying else ''}" for r in found.raters])
    left.set_ylim(n - 0.4, -0.6)
    left.set(xlabel="Dice against the consensus of the others", xlim=(-0.02, 1.02))
    right.set(xlabel="Volume, in times that of the other raters", xscale="log")
    ratios = [1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8]
    right.xaxis.set_major_locator(FixedLocator(ratios))
    right.xaxis.set_minor_locator(NullLocator())
    right.set_xticks(ratios, ["⅛", "¼", "½", "1", "2", "4", "8"])
    known = by_case["volume_bias"].dropna().to_numpy(np.float64) + 1
    spread = float(np.abs(np.log2(known)).max(initial=1.0))
    right.set_xlim(2 ** -(spread + 0.2), 2 ** (spread + 0.2))
    right.axvline(1, color=palette.MUTED, linewidth=0.8, zorder=1)
    for axes in (left, right):
        axes.grid(True, axis="x")
        axes.tick_params(axis="y", length=0)
    caption = (
        "Each point is one case; the line is the median of Dice and the geometric mean of volumes. The consensus is that of "
        f"all other raters ({consensus_name(found)}). Volumes are compared with each other rater alone (geometric mean): right "
        "of 1 a rater marks more than the others, left of it less; ratios beyond 8 count as 8."
    )
    alt = "Points for each case and rater: Dice against the consensus of the others, volume in times that of the others." + (
        f" Outlying: {', '.join(sorted(outlying))}." if outlying else ""
    )
    return style.Plot("against", "Each rater against the others", figure, caption, alt)


def _strip(axes: Axes, values: pd.Series, middle: float, place: int, *, colour: str, rng: np.random.Generator) -> None:
    known: npt.NDArray[np.float64] = values.dropna().to_numpy(np.float64)
    if not known.size:
        return
    size, alpha = (9.0, 0.55) if len(known) <= 200 else (2.0, 0.25)
    axes.scatter(known, place + rng.uniform(-0.26, 0.26, len(known)), s=size, alpha=alpha, color=colour, linewidths=0)
    axes.plot([middle] * 2, [place - 0.38, place + 0.38], color=palette.INK, linewidth=1.6, zorder=3)


def _contested(found: Description, dataset: Dataset, fusion: FusesRatings) -> list[style.Plot]:
    order = found.cases[found.cases["dice"].notna()].sort_values("dice").head(CONTESTED)
    position = {str(case): place for place, case in enumerate(dataset.index["case"])}
    plots = []
    for number, (name, dice) in enumerate(zip(order["case"], order["dice"], strict=True), 1):
        case = dataset[position[str(name)]]
        consensus = fusion.fuse(case.ratings, len(found.classes), geometry=case.geometry).labels
        figure = disagreement_figure(case, consensus, found.classes)
        caption = (
            f"The case with {('the', 'the second', 'the third')[number - 1]} least agreement: mean Dice {dice:.3f}. The line "
            f"is the consensus of all raters ({consensus_name(found)}); colour says how many do not say what most say."
        )
        alt = f"Case {name}: where raters disagree, and the outline of their consensus."
        plots.append(style.Plot(f"contested-{number}", f"Case {name}", figure, caption, alt))
    return plots
