"""The documentation's figure on how often tests err where nothing differs, and how often intervals cover the truth."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from ...benchmark.statistics.simulation import WAYS
from ...whole_files import replacing
from . import style

MEASURES = {
    "type_one": ("Type-I error", 0.05, (0.0, 0.5)),
    "coverage": ("Coverage", 0.95, (0.5, 1.0)),
}
"""Column of the table, its name, what it should be, and the range of the axis."""


def draw_error_rates(table: pd.DataFrame, path: Path) -> Path:
    """A column of panels for each design, type-I error above coverage; ``table`` is that of ``simulation_table``.

    The dashed line is what should be, the band .02 on either side. What lies beyond an axis is drawn at its end.
    """
    designs = list(pd.unique(table["design"]))
    with plt.rc_context(style.SETTINGS):
        size = (style.DOUBLE * style.MM, 90 * style.MM)
        figure, panels = plt.subplots(
            2, len(designs), figsize=size, sharex=True, sharey="row", layout="constrained", squeeze=False
        )
        for row, (measure, (name, nominal, limits)) in zip(panels, MEASURES.items(), strict=True):
            for axes, design in zip(row, designs, strict=True):
                axes.axhspan(nominal - 0.02, nominal + 0.02, color=style.BAND, linewidth=0)
                axes.axhline(nominal, color=style.MUTED, linestyle="--", linewidth=0.8)
                for (way, label), colour, marker in zip(WAYS.items(), style.COLOURS, style.MARKERS, strict=False):
                    mine = table[(table["design"] == design) & (table["way"] == way)].dropna()
                    if mine.empty:
                        continue  # An empty line that is not clipped upsets the layout.
                    shown = mine[measure].clip(*limits)
                    axes.plot(mine["spread"], shown, color=colour, marker=marker, markersize=4, label=label, clip_on=False)
                axes.set(ylim=limits, xlim=(-0.1, 1.1), xticks=[0, 0.5, 1])
                axes.grid(visible=True, axis="y")
            row[0].set_ylabel(name)
        for axes, design in zip(panels[0], designs, strict=True):
            axes.set_title(design, fontsize=7, fontweight="normal")
        figure.supxlabel("Luck of training: standard deviation of models / of subjects", fontsize=8)
        figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=len(WAYS))
        with replacing(path) as file:
            figure.savefig(file, dpi=200, metadata={"Software": None})
        plt.close(figure)
    return path
