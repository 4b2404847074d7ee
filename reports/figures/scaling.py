"""The documentation's figure on what a run costs as its cases, raters, classes and folds grow."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from ...whole_files import replacing
from . import palette, style

UNIT = "unit: "
"""How the columns of training units begin."""


def draw_scaling(table: pd.DataFrame, path: Path) -> Path:
    """A panel for each of what grows, both axes logarithmic; ``table`` is that of ``scaling_table``.

    The dashed line has slope 1: the cost of a run that is linear in what grows.
    """
    with plt.rc_context(style.SETTINGS):
        size = (style.DOUBLE * style.MM, 70 * style.MM)
        figure, panels = plt.subplots(1, 4, figsize=size, sharey=True, layout="constrained")
        for axes, (grows, part) in zip(panels, table.groupby("grows", sort=False), strict=True):
            _draw(axes, str(grows), part)
        panels[0].set_ylabel("Processor seconds")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
        with replacing(path) as file:
            figure.savefig(file, dpi=200, metadata={"Software": None})
        plt.close(figure)
    return path


def _draw(axes: Axes, grows: str, part: pd.DataFrame) -> None:
    lines = {"run": "whole run"} | {c: f"training unit, {c.removeprefix(UNIT)}" for c in part.columns if c.startswith(UNIT)}
    places = part[grows]
    for (column, label), colour, marker in zip(lines.items(), palette.COLOURS, palette.MARKERS, strict=False):
        axes.plot(places, part[column], color=colour, marker=marker, markersize=4, label=label)
    linear = part["run"].iloc[0] * part["times"]
    axes.plot(places, linear, color=palette.MUTED, linestyle="--", linewidth=0.8, label="linear")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.set_xticks(list(places), [str(place) for place in places])
    axes.set_xlabel(grows.capitalize())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.grid(visible=True)
