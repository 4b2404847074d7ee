"""What a candidate costs: time and memory of its trainings beside the primary metric."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ..analysis import Analysis
from ..tables.wording import count_of, words_of
from . import style


def costs(analysis: Analysis) -> style.Plot | None:
    """Two panels, time and peak memory, that share the metric; None where no unit stored what it took."""
    table = _costs(analysis)
    measured = {
        "seconds": ("Seconds of a training, median", "seconds"),
        "peak_memory_mb": ("Peak memory (MB)", "MB"),
    }
    measured = {name: words for name, words in measured.items() if table[name].notna().any()}
    if table.empty or not measured:
        return None
    lines = -(-len(table) // 4)
    figure = style.new_figure(style.DOUBLE, 62 + 4.5 * lines)
    panels = figure.subplots(1, len(measured), sharey=True, squeeze=False)[0]
    for axes, (name, (words, _)) in zip(panels, measured.items(), strict=True):
        _panel(axes, analysis, table, name)
        axes.set_xlabel(words)
    panels[0].set_ylabel(analysis.head(analysis.metric))
    handles = [
        Line2D([], [], linestyle="none", marker=analysis.markers[n], color=analysis.colours[n], label=style.wrapped(n, 24, 1))
        for n in map(str, table.index)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(4, len(table)), handletextpad=0.2, columnspacing=1.2)
    parts = []
    for candidate, row in table.iterrows():
        known = [f"{row[column]:.0f} {unit}" for column, (_, unit) in measured.items() if np.isfinite(row[column])]
        parts.append(f"{candidate}: {', '.join(known) or 'unknown'}")
    alt = f"Costs of each candidate beside {analysis.label(analysis.metric)}. {'; '.join(parts)}."
    return style.Plot("costs", "What does a candidate cost?", figure, _caption(analysis, table, measured), alt)


def _costs(analysis: Analysis) -> pd.DataFrame:
    """``mean seconds peak_memory_mb n`` by candidate, of those with a value of the primary metric."""
    units = analysis.results.units
    done = units[(units["status"] == "done") & (units["kind"] == "method")]
    columns = ["seconds", "peak_memory_mb"]
    numbers = done[columns].apply(pd.to_numeric, errors="coerce").groupby(done["candidate"], sort=False)
    table = pd.DataFrame({"seconds": numbers["seconds"].median(), "peak_memory_mb": numbers["peak_memory_mb"].max()})
    table = table.assign(n=numbers.size(), mean=analysis.rows_for(analysis.metric)["mean"])
    return table.reindex([c for c in analysis.candidates if c in table.index]).dropna(subset="mean")


def _panel(axes: Axes, analysis: Analysis, table: pd.DataFrame, column: str) -> None:
    known = table[table[column].notna()]
    for name, row in known.iterrows():
        axes.plot([row[column]], [row["mean"]], marker=analysis.markers[str(name)], color=analysis.colours[str(name)],
                  markersize=7, markeredgecolor="white", linestyle="none", clip_on=False, zorder=3)  # fmt: skip
    # From zero, so that distances on the axis are those of the costs.
    axes.set_xlim(0, 1.08 * float(known[column].max()) or 1.0)
    axes.margins(y=0.12)
    axes.locator_params(nbins=5)
    style.thin(axes)


def _caption(analysis: Analysis, table: pd.DataFrame, measured: dict[str, tuple[str, str]]) -> str:
    n = sorted({int(n) for n in table["n"]})
    trainings = f"{n[0]} to {n[-1]} trainings" if len(n) > 1 else count_of(n[0], "training")
    text = (
        f"Mean {analysis.label(analysis.metric)} against {words_of(analysis.reference)} of each candidate beside what one "
        f"of its trainings takes ({trainings} a candidate: one a fold and repeat)"
    )
    text += ", and the most memory of any of them." if "peak_memory_mb" in measured else "."
    hardware = [str(h) for h in dict.fromkeys(analysis.results.units["hardware"].dropna())]
    if hardware:
        text += f" Machine: {'; '.join(hardware)}; times depend on what else it did."
    return f"{text} Nothing is tested here."
