"""How well do networks diagnose by each candidate's labels? Areas under the curve with their intervals, a panel a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ....benchmark.statistics.diagnosis.comparison import CHANCE, CIRCULAR, PERMUTED
from ...analysis import Analysis
from ...tables.diagnosis import DECIMALS, LABELS
from ...tables.wording import write_number
from .. import palette, style

MARKS = {"": "o", CIRCULAR: "D", "cross-fitted": "s", PERMUTED: "v"}
"""The marker of each control; that of circular rows is hollow."""
MOST = 3
"""Diagnoses that have a figure each, where there are more than two; the table has all."""
ROW, EXTRA = 8.0, 24.0
"""Height in mm of a candidate's row, and of all else in a row of panels."""


def areas(analysis: Analysis) -> list[style.Plot] | None:
    """A figure for each diagnosis that is told from the others; None where nothing was diagnosed."""
    table = analysis.diagnosis.dropna(subset="auc")
    if table.empty:
        return None
    positives = list(dict.fromkeys(map(str, table["positive"])))
    return [_plot(analysis, table[table["positive"] == name], number) for number, name in enumerate(positives[:MOST])]


def _plot(analysis: Analysis, table: pd.DataFrame, number: int) -> style.Plot:
    networks = list(dict.fromkeys(map(str, table["network"])))
    names = [name for name in analysis.candidates if name in set(table["candidate"])]
    controls = [control for control in LABELS if control in set(table["control"])]
    figure = _draw(analysis, table, networks, names, controls)
    ending = "" if number == 0 else f"-{number + 1}"
    positive = table["positive"].iloc[0]
    text = (
        f"Area under the curve of {positive} against all others by the image and a candidate’s labels, for each network that "
        f"diagnosed, with {analysis.confidence_words} intervals by model t. The dashed line is chance."
    )
    if CIRCULAR in controls:
        text += " Hollow marks are circular: the labels were made with the diagnosis that they are judged by."
    if PERMUTED in controls:
        text += " With permuted diagnoses what is right of the line is leak."
    alt = "; ".join(
        f"{row['candidate']} by {row['network']}, {LABELS[row['control']]}: {write_number(row['auc'], DECIMALS)}"
        for _, row in table.iterrows()
    )
    return style.Plot(f"diagnosis-auc{ending}", f"Whose labels serve the diagnosis of {positive}?", figure, text, alt)


def _draw(
    analysis: Analysis, table: pd.DataFrame, networks: Sequence[str], names: Sequence[str], controls: Sequence[str]
) -> Figure:
    columns = style.columns_for(len(networks))
    rows = [_RowOfPanels.of(table, networks[i : i + columns], names, controls) for i in range(0, len(networks), columns)]
    figure = style.new_figure(style.panel_width(len(networks) + (len(networks) == 1)), sum(row.height + EXTRA for row in rows))
    ratios = {"height_ratios": [row.height for row in rows]}
    grid = figure.subplots(len(rows), columns, squeeze=False, sharex=True, sharey="row", gridspec_kw=ratios)
    for place, axes in enumerate(grid.ravel()):
        axes.set_visible(place < len(networks))
        if place + columns >= len(networks):
            axes.tick_params(labelbottom=True)
            axes.set_xlabel("Area under the curve")
    for row, panels in zip(rows, grid, strict=True):
        for axes, network in zip(panels, row.networks, strict=False):
            _panel(axes, analysis, table[table["network"] == network], row)
            axes.set_title(style.wrapped(network, 26))
        panels[0].set_yticks(range(len(row.names)), [style.wrapped(name, 20) for name in row.names])
        panels[0].set_ylim(len(row.names) - 0.5, -0.5)
    grid[0, 0].set_xlim(_left_end(table), 1.0)
    if controls != [""]:
        marks = [_legend_mark(control) for control in controls]
        figure.legend(handles=marks, loc="outside lower center", ncols=min(2, len(marks)))
    return figure


@dataclass(frozen=True)
class _RowOfPanels:
    """Panels beside one another, and the candidates and controls of which at least one of them has a value."""

    networks: Sequence[str]
    names: Sequence[str]
    controls: Sequence[str]

    @classmethod
    def of(cls, table: pd.DataFrame, networks: Sequence[str], names: Sequence[str], controls: Sequence[str]) -> _RowOfPanels:
        mine = table[table["network"].isin(networks)]
        there, under = set(mine["candidate"]), set(mine["control"])
        return cls(networks, [name for name in names if name in there], [control for control in controls if control in under])

    @property
    def height(self) -> float:
        """Of the panels, in mm."""
        return (ROW + 2.2 * (len(self.controls) - 1)) * len(self.names)


def _panel(axes: Axes, analysis: Analysis, table: pd.DataFrame, panels: _RowOfPanels) -> None:
    """One network: a row a candidate, the controls below one another in their order."""
    names, controls = panels.names, panels.controls
    axes.axvline(CHANCE, color=palette.MUTED, linewidth=0.8, linestyle=(0, (4, 2)))
    for place in range(1, len(names)):
        axes.axhline(place - 0.5, color=palette.FAINT, linewidth=0.5)
    offsets = (np.arange(len(controls)) - (len(controls) - 1) / 2) * 0.72 / max(len(controls), 2)
    for _, row in table.iterrows():
        y = names.index(row["candidate"]) + offsets[controls.index(row["control"])]
        colour = analysis.colours[row["candidate"]]
        axes.plot([row["low"], row["high"]], [y, y], color=colour, linewidth=1.4, solid_capstyle="butt")
        fill, mark = "white" if row["circular"] else colour, MARKS[row["control"]]
        axes.plot([row["auc"]], [y], mark, markersize=5, color=colour, markerfacecolor=fill, markeredgewidth=0.9,
                  clip_on=False, zorder=3)  # fmt: skip
    axes.grid(True, axis="x")
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=5)


def _left_end(table: pd.DataFrame) -> float:
    """Where the axis begins: below chance, and below every interval."""
    lowest = min(CHANCE, float(table["low"].min()), float(table["auc"].min())) if len(table) else CHANCE
    return max(lowest - 0.03, -0.015)


def _legend_mark(control: str) -> Line2D:
    fill = "white" if control == CIRCULAR else palette.MUTED
    return Line2D([], [], marker=MARKS[control], linestyle="", color=palette.MUTED, markerfacecolor=fill, label=LABELS[control])
