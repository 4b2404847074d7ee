"""Write the page, tables and figures of several experiments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ... import __version__
from ...benchmark.store.own_files import WrittenFiles
from ...errors import RaterbenchError
from ..figures.figures import draw_figures
from ..figures.files.drawn_figure import DrawnFigure
from ..page.parts import check_places, environment, figure_part, files_of, table_part
from ..tables.table import Table
from .figures import several_figures
from .sentences import Summary, notices, summarise
from .several import Several, read_several
from .tables import several_tables

KIND = "report of several experiments"
PAGE = "report.html"
SECTIONS = (
    ("means", "Candidates on each data set", ("several-means",)),
    ("ranks", "Ranks", ("several-ranks", "several-order")),
    ("differences", "Differences", ("several-differences",)),
    ("separation", "How well each data set separates methods", ("several-separation",)),
    ("experiments", "The experiments", ("several-experiments", "several-configurations")),
)
"""Each section's anchor and heading, and the tables and figures in it by name."""


@dataclass(frozen=True, eq=False)
class SeveralReport:
    """A written page, and what it is about."""

    page: Path
    several: Several
    summary: Summary

    @property
    def is_sound(self) -> bool:
        """Whether every experiment has all of its planned units."""
        return all(study.analysis.results.completeness.is_sound for study in self.several.studies)


def report_several(folders: Sequence[str | Path], out: str | Path) -> SeveralReport:
    """Write ``report.html``, tables and figures on the experiments in some folders into the folder ``out``.

    The same units give the same files, byte for byte. Files of an earlier such report are replaced or removed, unless somebody
    changed them.

    Raises:
        RaterbenchError: the experiments cannot be compared (``read_several``), ``out`` is one of their folders, or a file that
            raterbench did not write is in the way.
    """
    target = Path(out)
    if target.resolve() in [Path(folder).resolve() for folder in folders]:
        raise RaterbenchError(f"{target} holds one of the experiments: give a folder of its own to the page of several")
    written = WrittenFiles(target, KIND)
    check_places(written, (PAGE,), SECTIONS)
    several = read_several(folders)
    tables, plots = several_tables(several), several_figures(several)
    figures = draw_figures(plots)
    files = files_of(tables, figures)
    summary = summarise(several)
    page = page_text(several, summary, tables, figures, list(files))
    written.write({**files, PAGE: page.encode()}, only=True)
    return SeveralReport(target / PAGE, several, summary)


def page_text(
    several: Several, summary: Summary, tables: Sequence[Table], figures: Sequence[DrawnFigure], files: Sequence[str]
) -> str:
    """The page with its tables and figures; ``files`` are the names of the other files."""
    sections = []
    for anchor, heading, names in SECTIONS:
        parts = [figure_part(figure) for figure in figures if figure.name in names]
        parts += [table_part(table) for name in names for table in tables if table.name == name]
        sections.append((anchor, heading, parts))
    return (
        environment()
        .get_template("several.html.j2")
        .render(
            several=several,
            names=[study.name for study in several.studies],
            notices=notices(several),
            summary=summary,
            sections=sections,
            version=__version__,
            files=files,
        )
    )
