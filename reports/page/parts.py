"""What every page is made of: tables and figures as HTML in one self-contained file."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ...benchmark.store.own_files import WrittenFiles
from ...names import visible
from ..figures.files.drawn_figure import DrawnFigure
from ..tables.table import Cell, Table
from .comparison_view import ComparisonView
from .escaping import ACCENTS, LACKING, latex_letters
from .part_maker import BrokenPart

Section = tuple[str, str, tuple[str, ...]]
"""A section's anchor and heading, and the tables and figures in it by name."""


@dataclass(frozen=True, eq=False)
class Part:
    """A table (its rows grouped by rules), the comparison, the case browser's data, a figure (its picture as text), or a part
    that could not be made. ``folded`` figures are a click away.
    """

    table: Table | None = None
    comparison: ComparisonView | None = None
    groups: Sequence[Sequence[Sequence[Cell]]] = ()
    figure: DrawnFigure | None = None
    picture: str = ""
    folded: bool = False
    cases: Mapping[str, Any] | None = None
    broken: BrokenPart | None = None


def environment() -> Environment:
    """Where templates are found, and how they are read: what they show is escaped, and one line."""
    made = Environment(
        loader=PackageLoader("raterbench.reports.page", "templates"),
        autoescape=True, finalize=_finished, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.globals |= {"latex": latex_rules(), "newline": Markup("\n")}
    return made


def latex_rules() -> dict[str, object]:
    """What the page needs to copy a table as ``Table.latex`` writes it: how letters are written, and the frame of a table."""
    frame = Table("NAME", "TITLE", "CAPTION", ["HEAD"], [[Cell("BODY")]], pd.DataFrame()).latex()
    return {"letters": latex_letters(), "accents": ACCENTS, "lacking": LACKING, "frame": frame}


def _finished(value: object) -> object:
    """What templates show, before it is escaped; what macros made already has its line breaks on purpose."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def table_part(table: Table) -> Part:
    """A table of a page."""
    groups: list[list[Sequence[Cell]]] = [[]]
    for number, row in enumerate(table.rows):
        if number in table.rules:
            groups.append([])
        groups[-1].append(row)
    return Part(table=table, groups=groups)


def figure_part(figure: DrawnFigure, *, folded: bool = False) -> Part:
    """A figure of a page."""
    picture = base64.b64encode(figure.picture).decode()
    return Part(figure=figure, picture=f"data:image/png;base64,{picture}", folded=folded)


def files_of(tables: Sequence[Table], figures: Sequence[DrawnFigure]) -> dict[str, bytes]:
    """The files of tables and figures, by their names relative to the page."""
    files: dict[str, bytes] = {}
    for table in tables:
        files |= table.files
    for figure in figures:
        files |= figure.files
    return files


def belongs(part: str, name: str) -> bool:
    """Whether a table or figure is called ``name``, or ``name-2`` and so on."""
    return part == name or (part.startswith(f"{name}-") and part.removeprefix(f"{name}-").isdigit())


def check_places(written: WrittenFiles, files: Sequence[str], sections: Sequence[Section]) -> None:
    """Before anything is computed: whether ``files``, and all tables and figures that the sections may have, can be written.

    Raises:
        RaterbenchError: something that raterbench did not write is in the way of one of them (``WrittenFiles.check``).
    """
    parts = [name for _, _, names in sections for name in names]
    found = [*files]
    for folder, endings in (("tables", (".md", ".csv", ".tex")), ("figures", (".png", ".pdf", ".svg"))):
        there = [file for file in sorted(written.folder.glob(f"{folder}/*")) if file.suffix in endings]
        stems = {parts[0] + endings[0], *(file.name for file in there if any(belongs(file.stem, part) for part in parts))}
        found += [f"{folder}/{stem}" for stem in sorted(stems)]
    written.check(found)
