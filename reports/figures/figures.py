"""All figures of a report, in the order in which they are read."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_all_start_methods, get_context

from matplotlib.figure import Figure

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


class Drawing:
    """Draws finished figures, with ``processes`` more than one at the same time as the caller goes on with other work.

    Processes are forked, because a figure is large to send. Where a process has several threads, which a fork would not copy,
    or cannot be forked, figures are drawn when they are asked for.
    """

    def __init__(self, plots: Sequence[Plot], processes: int = 1) -> None:
        self.plots = list(plots)
        self._drawn: list[Future[dict[str, bytes]]] = []
        self._pool: ProcessPoolExecutor | None = None
        may_fork = "fork" in get_all_start_methods() and threading.active_count() == 1
        if processes > 1 and len(self.plots) > 1 and may_fork:
            _FIGURES[:] = [plot.figure for plot in self.plots]
            self._pool = ProcessPoolExecutor(processes, mp_context=get_context("fork"))
            self._drawn = [self._pool.submit(_draw, place) for place in range(len(self.plots))]

    def files(self, part_maker: PartMaker | None = None) -> dict[str, bytes]:
        """Each figure as PNG, PDF and SVG, by the files' names relative to the report. One that cannot be laid out has none."""
        part_maker = part_maker or PartMaker()
        files: dict[str, bytes] = {}
        try:
            for place, plot in enumerate(self.plots):
                maker = self._drawn[place].result if self._drawn else partial(drawn, plot.figure)
                forms = part_maker.make("figure", plot.name, maker) or {}
                files |= {f"figures/{plot.name}.{ending}": content for ending, content in forms.items()}
        finally:
            if self._pool is not None:
                self._pool.shutdown(cancel_futures=True)
                _FIGURES.clear()
        return files


_FIGURES: list[Figure] = []
"""What forked processes draw: they have it from their parent."""


def _draw(place: int) -> dict[str, bytes]:
    return drawn(_FIGURES[place])


def draw_figures(plots: Sequence[Plot], part_maker: PartMaker | None = None) -> dict[str, bytes]:
    """Each figure as PNG, PDF and SVG, by the files' names relative to the report. One that cannot be laid out has none."""
    return Drawing(plots).files(part_maker)
