"""All figures of a report, in the order in which they are read."""

from __future__ import annotations

from pathlib import Path

from .analysis import Analysis
from .confusion import confusion
from .effects import effects
from .entropy import entropy
from .learning import learning
from .pictures import pictures
from .reliability import reliability
from .style import Plot, house_style, save


def all_figures(analysis: Analysis) -> list[Plot]:
    """Every figure that the results have something for."""
    with house_style():
        single = [make(analysis) for make in (effects, reliability, entropy, learning)]
        return [plot for plot in (*single, *pictures(analysis), *confusion(analysis)) if plot is not None]


def write_figures(plots: list[Plot], folder: Path) -> list[Path]:
    """Write each figure as PNG and PDF; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    return [file for plot in plots for file in save(plot.figure, folder / plot.name)]
