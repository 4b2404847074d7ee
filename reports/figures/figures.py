"""All figures of a report, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from ..analysis import Analysis
from ..page.part_maker import EXPECTED, PartMaker
from .annotations.budgets import annotation_cost, repair_by_slices
from .annotations.repair import repair
from .costs import costs
from .diagnosis.areas import areas
from .diagnosis.fused_labels import fused_labels
from .diagnosis.weight_maps import weight_maps
from .effects import effects
from .entropy import entropy
from .files.drawing import drawn_figure
from .files.drawn_figure import DrawnFigure, LostFigure, without_lost
from .learning import learning
from .order.composite import composite
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
from .soft.by_epoch import by_epoch
from .soft.distribution import distribution
from .soft.sample_variance import sample_variance
from .soft.samples import samples
from .soft.threshold import threshold
from .style import Plot, house_style

Maker = Callable[[], "Plot | Sequence[Plot] | None"]


def figure_makers(analysis: Analysis) -> dict[str, Maker]:
    """What makes each figure, or each group of figures, in the order in which they are read."""
    functions = {
        "overturn-trainings": overturn_trainings,
        "overturn-raters": overturn_raters,
        "overturn-reference": overturn_reference,
        "effects": effects,
        "subjects": subjects,
        "failures": failures,
        "composite": composite,
        "reliability": reliability,
        "distribution": distribution,
        "entropy": entropy,
        "threshold": threshold,
        "learning": learning,
        "by-epoch": by_epoch,
        "costs": costs,
        "diagnosis-auc": areas,
        "fused-labels": fused_labels,
        "weight-maps": weight_maps,
        "confusion-entries": confusion_entries,
        "identification": identification,
        "rater-curve": rater_curve_figure,
        "critical-difference": pairs,
        "annotation-cost": annotation_cost,
        "repair-by-slices": repair_by_slices,
        "repair": repair,
        "pictures": pictures,
        "samples": samples,
        "sample-variance": sample_variance,
        "confusion": confusion,
        "reliability-maps": reliability_maps,
    }
    return {name: partial(function, analysis) for name, function in functions.items()}


def made(maker: Maker) -> list[Plot]:
    """The figures of a maker, which has none where the results have nothing to show."""
    with house_style():
        found = maker()
    return [] if found is None else [found] if isinstance(found, Plot) else list(found)


def draw(name: str, maker: Maker) -> list[DrawnFigure | LostFigure]:
    """Make and draw the figures of a maker called ``name``."""
    try:
        plots = made(maker)
    except EXPECTED as error:
        return [LostFigure(name, error)]
    return [_drawn_or_lost(plot) for plot in plots]


def _drawn_or_lost(plot: Plot) -> DrawnFigure | LostFigure:
    try:
        return drawn_figure(plot)
    except EXPECTED as error:
        return LostFigure(plot.name, error)


def draw_figures(plots: Iterable[Plot], part_maker: PartMaker | None = None) -> list[DrawnFigure]:
    """The figures as files; one that cannot be laid out is left out, and ``part_maker`` takes note of it."""
    return without_lost(map(_drawn_or_lost, plots), part_maker or PartMaker())
