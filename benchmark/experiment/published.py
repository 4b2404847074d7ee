"""Tables as papers printed them, with their sources, for reports to show beside the measured values."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from typing import Any, Literal

from ...errors import RaterbenchError, nearest
from .settings import build

COMPOSITE_SCORE = "composite score"
"""As a column's metric: the composite score of a subject and a trained model (z-scores over all candidates)."""
SIGNIFICANT = "*"
"""Third in a cell that the paper marks as different from the table's baseline."""


@dataclass(frozen=True)
class PublishedColumn:
    """One column of a table: which metric on which data set, and which experiments measure it (the largest first; maybe none).

    A printed value is ``scale`` times the metric, with ``decimals``. ``tolerance``, in printed units, is what counts as a
    difference where a standard deviation is unknown. ``data`` says how to get the data if they cannot be downloaded.

    ``metric`` is a metric, a value of trained models (``CALIBRATION``, ``REPAIR`` and ``DIAGNOSIS`` of
    ``reports.published.measurements``) or ``composite score``; it is against ``reference`` (``network:NAME`` for a diagnosis),
    of the class ``class_name`` (empty: the mean over foreground classes).
    ``stand_in`` is another data set that is measured in the place of ``dataset``: only orders and signs can then be compared.
    """

    key: str
    head: str
    metric: str
    dataset: str
    experiments: tuple[str, ...]
    tolerance: float
    scale: float = 1.0
    decimals: int = 4
    data: str = ""
    class_name: str = ""
    reference: str = "truth"
    stand_in: str = ""


@dataclass(frozen=True)
class PublishedRow:
    """One row: its printed name and the candidate that stands for it.

    ``cells``: column key to (mean, standard deviation), and ``*`` as a third where the paper marks a difference to the
    table's baseline (p < .05). A column without a cell has only a measured value. ``fusion`` is the fused labels' row that
    stands in on a metric which the candidate itself does not have. ``mean_of``: the row is the mean of these candidates.
    ``also``: what the candidate is called in other experiments, as where the number of classes decides the activation.
    """

    name: str
    candidate: str = ""
    cells: Mapping[str, Any] = field(default_factory=dict)
    fusion: str = ""
    mean_of: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class PublishedNote:
    """Why measured values may differ, in a few words and in a sentence, for some rows and columns; an empty list is all.

    With ``alarm`` it holds only where a unit of the candidate warned of what it learned.
    """

    text: str
    detail: str = ""
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    alarm: bool = False


@dataclass(frozen=True)
class PublishedTable:
    """A printed table: ``citation`` and ``title`` say where it stands, ``spread`` what its ± is; special notes come first.

    ``over``: whether that ± is over repeats or over single trained models (a repeat has one for each fold). ``baseline`` is the
    candidate that the paper tests all others against, if it tests.
    """

    name: str
    citation: str
    title: str
    spread: str
    over: Literal["repeats", "trainings"] = "repeats"
    baseline: str = ""
    columns: tuple[PublishedColumn, ...] = ()
    rows: tuple[PublishedRow, ...] = ()
    notes: tuple[PublishedNote, ...] = field(default=())

    def named_as(self, candidates: Collection[str]) -> PublishedTable:
        """The table whose rows have the names of these candidates, of the names that each row may have."""
        rows = []
        for row in self.rows:
            known = [name for name in (row.candidate, *row.also) if name in candidates]
            rows.append(replace(row, candidate=known[0]) if known else row)
        return replace(self, rows=tuple(rows))

    def note(self, row: PublishedRow, column: PublishedColumn, *, alarmed: bool) -> PublishedNote:
        """The first note that speaks of this cell, or an empty one; ``alarmed``: a unit of the row's candidate warned."""
        notes = [note for note in self.notes if alarmed or not note.alarm]
        fitting = (n for n in notes if row.name in (n.rows or [row.name]) and column.key in (n.columns or [column.key]))
        return next(fitting, PublishedNote(""))


def published_names() -> list[str]:
    """Names of all printed tables: the file's and the table's, with a hyphen between."""
    return sorted(f"{paper}-{table}" for paper, content in _papers().items() for table in content["tables"])


def read_published(name: str) -> PublishedTable:
    """The printed table called ``name``.

    Raises:
        RaterbenchError: there is none of that name; or its file has an unknown key, or a cell of no row or column.
    """
    paper, _, key = name.rpartition("-")
    content = _papers().get(paper, {"tables": {}})
    if key not in content["tables"]:
        raise RaterbenchError(f"there is no published table {name!r}{nearest(name, published_names())}")
    values = dict(content["tables"][key])
    for part, kind in (("columns", PublishedColumn), ("rows", PublishedRow), ("notes", PublishedNote)):
        values[part] = tuple(build(kind, v, f"published {name}: {part}") for v in values.get(part, ()))
    table = build(PublishedTable, {**values, "name": name, "citation": content["citation"]}, f"published {name}")
    _check(table)
    return table


def _check(table: PublishedTable) -> None:
    """Check that cells and notes name rows and columns of the table."""
    columns, rows = [c.key for c in table.columns], [r.name for r in table.rows]
    used = [(key, columns) for row in table.rows for key in row.cells]
    for note in table.notes:
        used += [(key, columns) for key in note.columns] + [(key, rows) for key in note.rows]
    for key, known in used:
        if key not in known:
            raise RaterbenchError(f"published {table.name}: {key!r} is no row or column of it{nearest(key, known)}")


def _papers() -> dict[str, dict[str, Any]]:
    folder = files(__package__.rpartition(".")[0]) / "published"
    found = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    return {f.name.removesuffix(".toml"): tomllib.loads(f.read_text(encoding="utf-8")) for f in found}
