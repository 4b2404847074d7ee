"""All figures of a report, in the order in which they are read."""

from __future__ import annotations

from pathlib import Path

from .analysis import Analysis
from .confusion import confusion
from .confusion_entries import confusion_entries
from .effects import effects
from .entropy import entropy
from .identification import identification
from .learning import learning
from .pictures import pictures
from .reliability import reliability
from .reliability_maps import reliability_maps
from .style import Plot, house_style, save


def all_figures(analysis: Analysis) -> list[Plot]:
    """Every figure that the results have something for."""
    with house_style():
        single = [make(analysis) for make in (effects, reliability, entropy, learning, confusion_entries, identification)]
        several = [plot for make in (pictures, confusion, reliability_maps) for plot in make(analysis)]
        return [*(plot for plot in single if plot is not None), *several]


def write_figures(plots: list[Plot], folder: Path) -> list[Path]:
    """Write each figure as PNG and PDF; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    return [file for plot in plots for file in save(plot.figure, folder / plot.name)]
