"""What every page is made of: tables and figures as HTML in one self-contained file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ..datasets.names import visible
from .part_maker import BrokenPart
from .style import Plot
from .table import Cell, Table


@dataclass(frozen=True, eq=False)
class Part:
    """A table (its rows grouped by rules), a figure (its picture as text) or one that could not be made, of a section."""

    table: Table | None = None
    groups: Sequence[Sequence[Sequence[Cell]]] = ()
    plot: Plot | None = None
    picture: str = ""
    broken: BrokenPart | None = None


def environment() -> Environment:
    """Where templates are found, and how they are read: what they show is escaped, and one line."""
    return Environment(
        loader=PackageLoader("raterbench.reports", "templates"),
        autoescape=True, finalize=_finished, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip


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


def plot_part(plot: Plot, folder: Path) -> Part:
    """A figure of a page, from the PNG of its name in ``folder``."""
    picture = base64.b64encode((folder / f"{plot.name}.png").read_bytes()).decode()
    return Part(plot=plot, picture=f"data:image/png;base64,{picture}")
