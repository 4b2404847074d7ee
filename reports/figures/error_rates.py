"""The documentation's figure on how often tests err where nothing differs, and how often intervals cover the truth."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ...benchmark.statistics.simulation import WAYS
from ...errors import RaterbenchError
from ...whole_files import replacing
from . import palette, style

MEASURES = {
    "type_one": ("Type-I error", 0.05, (0.0, 0.5)),
    "coverage": ("Coverage", 0.95, (0.5, 1.0)),
}
"""Column of the table, its name, what it should be, and the range of the axis."""


def read_same_candidate(path: Path) -> pd.DataFrame | None:
    """How often one candidate under several names differs from itself on real trainings; None without such a file.

    Columns are those of ``SameCandidate``: ``n_pairs subjects model_t variance_ratio``, one row an experiment.

    Raises:
        RaterbenchError: a column is missing.
    """
    if not path.is_file():
        return None
    table = pd.read_csv(path)
    missing = [c for c in ("n_pairs", "subjects", "model_t", "variance_ratio") if c not in table]
    if missing:
        raise RaterbenchError(f"{path} has no column {missing[0]!r}: write one row of SameCandidate for each experiment")
    return table


def draw_error_rates(table: pd.DataFrame, path: Path, same: pd.DataFrame | None = None) -> Path:
    """A column of panels for each design, type-I error above coverage; ``table`` is that of ``simulation_table``.

    ``same`` adds a panel with the rates of real trainings (columns: :func:`read_same_candidate`). The dashed line is what
    should be, the band .02 on either side. What lies beyond an axis is drawn at its end.
    """
    designs = list(pd.unique(table["design"]))
    columns = len(designs) + (same is not None)
    with plt.rc_context(style.SETTINGS):
        size = (style.DOUBLE * style.MM, 90 * style.MM)
        figure, panels = plt.subplots(2, columns, figsize=size, sharey="row", layout="constrained", squeeze=False)
        for row, (measure, (name, nominal, limits)) in zip(panels, MEASURES.items(), strict=True):
            for axes in row:
                axes.axhspan(nominal - 0.02, nominal + 0.02, color=palette.BAND, linewidth=0)
                axes.axhline(nominal, color=palette.MUTED, linestyle="--", linewidth=0.8)
                axes.set(ylim=limits, xlim=(-0.1, 1.1), xticks=[0, 0.5, 1])
                axes.grid(visible=True, axis="y")
            for axes, design in zip(row, designs, strict=False):
                _simulated(axes, table[table["design"] == design], measure, limits)
            row[0].set_ylabel(name)
        for axes, design in zip(panels[0], designs, strict=False):
            axes.set_title(style.wrapped(design, 16), fontsize=7, fontweight="normal")
        for axes in panels[0]:
            axes.tick_params(labelbottom=False)
        if same is not None:
            _real(panels[0][-1], panels[1][-1], same)
        figure.supxlabel("Luck of training: standard deviation of models / of subjects", fontsize=8)
        figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=len(WAYS))
        with replacing(path) as file:
            figure.savefig(file, dpi=200, metadata={"Software": None})
        plt.close(figure)
    return path


def _simulated(axes: Axes, table: pd.DataFrame, measure: str, limits: tuple[float, float]) -> None:
    for (way, label), colour, marker in zip(WAYS.items(), palette.COLOURS, palette.MARKERS, strict=False):
        mine = table[table["way"] == way].dropna()
        if mine.empty:
            continue  # An empty line that is not clipped upsets the layout.
        shown = mine[measure].clip(*limits)
        axes.plot(mine["spread"], shown, color=colour, marker=marker, markersize=4, label=label, clip_on=False)


def _real(axes: Axes, below: Axes, same: pd.DataFrame) -> None:
    """Rates on real trainings by design, and how often intervals cover the true difference, which is 0.

    Designs have the number of pairs in brackets.
    """
    places = np.arange(len(same))
    names = [str(name).removesuffix(" folds") for name in same["design"]] if "design" in same else [""] * len(same)
    labels = [f"{name}\n({n:.0f})" for name, n in zip(names, same["n_pairs"], strict=True)]
    axes.set_title("real trainings", fontsize=7, fontweight="normal")
    for panel, ending, (_, _, limits) in zip((axes, below), ("", "_coverage"), MEASURES.values(), strict=True):
        panel.set_xlim(-0.6, len(same) - 0.4)
        panel.set_xticks(places, labels, fontsize=6.5)
        for (way, _), colour, marker in zip(WAYS.items(), palette.COLOURS, palette.MARKERS, strict=False):
            if way + ending in same and same[way + ending].notna().any():
                shown = same[way + ending].clip(*limits)
                panel.plot(places, shown, color=colour, marker=marker, markersize=5, linestyle="none", clip_on=False)
    if not any(f"{way}_coverage" in same for way in WAYS):
        axes.tick_params(labelbottom=True)
        for drawn in [*below.patches, *below.lines]:
            drawn.remove()
        below.set_axis_off()
