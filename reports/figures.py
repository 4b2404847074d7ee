"""All figures of a report, in the order in which they are read."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from .analysis import Analysis
from .confusion import confusion
from .confusion_entries import confusion_entries
from .effects import effects
from .entropy import entropy
from .identification import identification
from .learning import learning
from .part_maker import PartMaker
from .pictures import pictures
from .reliability import reliability
from .reliability_maps import reliability_maps
from .style import Plot, house_style, save


def all_figures(analysis: Analysis) -> list[Plot]:
    """Every figure that the results have something for."""
    single = {
        "effects": effects,
        "reliability": reliability,
        "entropy": entropy,
        "learning": learning,
        "confusion-entries": confusion_entries,
        "identification": identification,
    }
    several = {"pictures": pictures, "confusion": confusion, "reliability-maps": reliability_maps}
    make = analysis.part_maker.make
    with house_style():
        plots = [make("figure", name, partial(maker, analysis)) for name, maker in single.items()]
        for name, makers in several.items():
            plots += make("figure", name, partial(makers, analysis)) or []
    return [plot for plot in plots if plot is not None]


def write_figures(plots: list[Plot], folder: Path, part_maker: PartMaker | None = None) -> list[Path]:
    """Write each figure as PNG and PDF; returns the files. A figure that cannot be laid out leaves none."""
    folder.mkdir(parents=True, exist_ok=True)
    part_maker, files = part_maker or PartMaker(), []
    for plot in plots:
        written = part_maker.make("figure", plot.name, partial(save, plot.figure, folder / plot.name))
        if written is None:
            for ending in ("png", "pdf"):
                (folder / f"{plot.name}.{ending}").unlink(missing_ok=True)
        files += written or []
    return files
