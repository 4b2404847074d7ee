"""The page on what the raters do, with its tables, figures and files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable

from ... import __version__
from ...benchmark.labels.csv_text import spreadsheet_bytes
from ...benchmark.labels.describe import Description
from ...benchmark.store.own_files import WrittenFiles
from ...datasets.base import Dataset
from ...errors import RaterbenchError
from ..figures.figures import draw_figures
from ..figures.files.drawn_figure import DrawnFigure
from ..page.escaping import terminal_text
from ..page.parts import Part, Section, check_places, environment, figure_part, files_of, table_part
from ..tables.table import Table
from ..tables.wording import count_of
from .figures import FusesRatings, describe_figures
from .tables import consensus_name, describe_tables, pair_matrix, raters_table
from .words import findings, headline, warnings

KIND = "description"
PAGE = "describe.html"
ROW_FILES = ("pairs.csv", "ratings.csv", "cases.csv", "suspicious.csv", "pair-matrix.csv")

SECTIONS: tuple[Section, ...] = (
    ("agreement", "Agreement", ("agreement", "pairs")),
    ("raters", "Raters", ("raters", "against")),
    ("look", "Files to look at", ("look-again",)),
    ("cases", "Cases", ("cases", "contested-1", "contested-2", "contested-3")),
    ("missing", "Missing", ("missing",)),
)
"""Each section's anchor and heading, and the tables and figures in it by name."""

OVER_CASES = frozenset({"raters", "against", "pairs", "missing"})
"""Tables and figures of single raters over cases, which mean nothing where raters are anonymous."""


def write_description(found: Description, dataset: Dataset, fusion: FusesRatings, folder: Path) -> Path:
    """Write ``describe.html``, tables and figures, and plain rows as CSV, together; returns the page.

    Raises:
        RaterbenchError: a file that raterbench did not write is in the way, or one cannot be written.
    """
    check_description_places(folder)
    tables, plots = describe_tables(found), describe_figures(found, dataset, fusion)
    if found.anonymous_raters:
        tables = [table for table in tables if table.name not in OVER_CASES]
        plots = [plot for plot in plots if plot.name not in OVER_CASES]
    figures = draw_figures(plots)
    files = files_of(tables, figures)
    rows = {"pairs": found.pairs, "ratings": found.ratings, "cases": found.cases, "suspicious": found.suspects}
    if not found.anonymous_raters:
        # A rater may be called as the first column is.
        rows["pair-matrix"] = pair_matrix(found).rename_axis("rater").reset_index(allow_duplicates=True)
    files |= {f"{name}.csv": spreadsheet_bytes(table) for name, table in rows.items()}
    text = (
        environment()
        .get_template("describe.html.j2")
        .render(
            found=found,
            consensus=consensus_name(found),
            size=f"{found.name} · {count_of(len(found.raters), 'rater')}, {count_of(len(found.cases), 'case')}",
            card=dataset.card,
            headline=headline(found),
            findings=findings(found),
            warnings=warnings(found),
            sections=_sections(tables, figures),
            version=__version__,
            files=sorted(files),
        )
    )
    WrittenFiles(folder, KIND).write({**files, PAGE: text.encode()}, only=True)
    return folder / PAGE


def check_description_places(folder: Path) -> None:
    """Whether a description can be written into a folder, for those who are about to look at many cases.

    Raises:
        RaterbenchError: the folder holds results, or something that raterbench did not write is in the way.
    """
    if os.path.lexists(folder / "experiment.json"):
        raise RaterbenchError(f"{folder} holds the results of an experiment: give another folder for the description")
    check_places(WrittenFiles(folder, KIND), (PAGE, *ROW_FILES), SECTIONS)


def print_description(found: Description, page: Path, console: Console) -> None:
    """Print what the page says in short, the table of raters, and where the page is."""
    size = f"{found.title}: {count_of(len(found.raters), 'rater')}, {count_of(len(found.cases), 'case')}"
    points = [f"- {line}" for line in [*findings(found), *(f"Please check: {line}" for line in warnings(found))]]
    for line in (size, headline(found), *points):
        console.print(terminal_text(line), soft_wrap=True)
    if found.anonymous_raters:
        console.print(terminal_text(f"page: {page}"), soft_wrap=True)
        return
    table = raters_table(found)
    shown = RichTable()
    for place, head in enumerate(table.head):
        shown.add_column(head, justify="left" if place in {0, *table.words} else "right", overflow="fold")
    for row in table.rows:
        shown.add_row(*(terminal_text(cell.shown) for cell in row))
    console.print(shown)
    about = (
        "medians over cases, the second Dice, sensitivity and specificity against the consensus of the others "
        f"({consensus_name(found)}); volume bias against the other raters, each alone"
    )
    console.print(terminal_text(about))
    console.print(terminal_text(f"page: {page}"), soft_wrap=True)


def _sections(tables: Sequence[Table], figures: Sequence[DrawnFigure]) -> list[tuple[str, str, list[Part]]]:
    parts = {table.name: table_part(table) for table in tables} | {figure.name: figure_part(figure) for figure in figures}
    sections = [(anchor, heading, [parts[name] for name in names if name in parts]) for anchor, heading, names in SECTIONS]
    return [section for section in sections if section[2]]
