"""One self-contained web page with everything: it can be mailed, printed, and read on a phone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ... import __version__
from ..analysis import Analysis
from ..figures.files.drawn_figure import DrawnFigure
from ..tables.table import Table
from .cases import case_browser
from .citations import citations
from .comparison_view import PARTS, comparison_view
from .first_screen import OVERTURN, first_screen
from .part_maker import BrokenPart
from .parts import Part, belongs, environment, figure_part, table_part
from .provenance import candidate_settings, run_facts, settings_text

COMPARISON = (
    *("comparison", *PARTS, *OVERTURN, "effects", "subjects", "critical-difference", "pairs", "failures", "composite"),
    *("differences", "thresholds"),
)
SECTIONS = (
    ("comparison", "Comparison", COMPARISON),
    ("diagnosis", "Diagnosis", ("diagnosis-auc", "diagnosis", "fused-labels", "weight-maps", "diagnosis-calibration")),
    ("published", "Published beside measured", ("published",)),
    ("calibration", "Probabilities", ("reliability", "calibration", "distribution", "entropy", "threshold")),
    ("repair", "Careful and cheap annotations", ("annotation-cost", "repair-by-slices", "repairs", "repair")),
    ("pictures", "Cases", ("pictures", "samples", "sample-variance")),
    ("panel", "The raters as a panel", ("interchangeability", "raters-left-out", "rater-curve")),
    ("raters", "Raters", ("confusion", "confusion-entries", "raters", "identification", "rater-classes", "reliability-maps")),
    ("training", "Training", ("unfinished", "learning", "by-epoch", "costs", "alarms", "units", "origins")),
    ("other", "Other metrics", ("differences-exploratory",)),
)
"""Each section's anchor and heading, and the tables and figures in it by name. ``OVERTURN`` stands on the first screen."""


def page_text(analysis: Analysis, tables: Sequence[Table], figures: Sequence[DrawnFigure], files: Sequence[str]) -> str:
    """``report.html`` with its tables and figures; ``files`` are the names of the report's other files."""
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            experiment=analysis.results.experiment,
            facts=analysis.results.facts,
            first=first_screen(analysis, figures),
            sections=_sections(analysis, tables, figures),
            run=run_facts(analysis),
            settings=settings_text(analysis),
            cite=citations(analysis),
            candidates=candidate_settings(analysis),
            version=__version__,
            files=files,
        )
    )


def _sections(analysis: Analysis, tables: Sequence[Table], figures: Sequence[DrawnFigure]) -> list[tuple[str, str, list[Part]]]:
    """The sections that have something; the comparison comes with the tables that join it."""
    comparison = analysis.part_maker.make("table", "comparison", partial(comparison_view, analysis, tables))
    shown = [table for table in tables if table.name != "comparison" and (comparison is None or table.name not in PARTS)]
    cases = analysis.part_maker.make("case browser", "cases", partial(case_browser, analysis))
    first = {"comparison": comparison and Part(comparison=comparison), "pictures": cases and Part(cases=cases)}
    found = []
    for anchor, heading, names in SECTIONS:
        parts = [part for name, part in first.items() if part and name in names]
        for name in names:
            parts += [table_part(t) for t in shown if belongs(t.name, name)]
            parts += [figure_part(f, folded=name in first) for f in figures if belongs(f.name, name) and name not in OVERTURN]
            parts += [Part(broken=b) for b in _broken(analysis.part_maker.broken, name)]
        if parts:
            found.append((anchor, heading, parts))
    return found


def _broken(broken: Sequence[BrokenPart], name: str) -> list[BrokenPart]:
    return [part for part in broken if part.kind in ("table", "figure") and belongs(part.name, name)]
