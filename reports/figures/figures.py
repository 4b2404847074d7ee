"""All figures of a report, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ..analysis import Analysis
from ..page.part_maker import PartMaker
from .costs import costs
from .drawing import drawn
from .effects import effects
from .entropy import entropy
from .learning import learning
from .order.failures import failures
from .order.overturn import overturn_raters, overturn_reference, overturn_trainings
from .order.pairs import pairs
from .order.subjects import subjects
from .pictures import pictures
from .raters.confusion import confusion, confusion_entries
from .raters.identification import identification
from .raters.rater_curve import rater_curve_figure
from .raters.reliability_maps import reliability_maps
from .reliability import reliability
from .style import Plot, house_style


def all_figures(analysis: Analysis) -> list[Plot]:
    """Every figure that the results have something for."""
    single = {
        "overturn-trainings": overturn_trainings,
        "overturn-raters": overturn_raters,
        "overturn-reference": overturn_reference,
        "effects": effects,
        "subjects": subjects,
        "failures": failures,
        "reliability": reliability,
        "entropy": entropy,
        "learning": learning,
        "costs": costs,
        "confusion-entries": confusion_entries,
        "identification": identification,
        "rater-curve": rater_curve_figure,
    }
    several = {"critical-difference": pairs, "pictures": pictures, "confusion": confusion, "reliability-maps": reliability_maps}
    make = analysis.part_maker.make
    with house_style():
        plots = [make("figure", name, partial(maker, analysis)) for name, maker in single.items()]
        for name, makers in several.items():
            plots += make("figure", name, partial(makers, analysis)) or []
    return [plot for plot in plots if plot is not None]


def draw_figures(plots: Sequence[Plot], part_maker: PartMaker | None = None) -> dict[str, bytes]:
    """Each figure as PNG, PDF and SVG, by the files' names relative to the report. One that cannot be laid out has none."""
    part_maker = part_maker or PartMaker()
    files: dict[str, bytes] = {}
    for plot in plots:
        forms = part_maker.make("figure", plot.name, partial(drawn, plot.figure)) or {}
        files |= {f"figures/{plot.name}.{ending}": content for ending, content in forms.items()}
    return files
