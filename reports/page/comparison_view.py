"""The comparison on the page: one table with every column that the report has, of which a reader chooses a few at a time.

The tables by class, reference and centre have the same rows as the comparison. On the page they are columns of it, as files
they stay apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ...benchmark.metrics import METRICS
from ..analysis import Analysis
from ..tables.table import Cell, Table
from ..tables.tables import Key, metric_cells, row_keys
from ..tables.wording import NO_VALUE, name_of

OVERVIEW, EVERYTHING = "overview", "everything"
FAMILIES = {
    "overlap": "Overlap",
    "surface": "Distances of surfaces",
    "volume": "Volumes",
    "probabilistic": "Probabilities",
    "energy_distance": "Samples and raters",
    "sample_sets": "Samples and raters",
    "sample_ncc": "Samples and raters",
    "volume_crps": "Samples and raters",
    "soft_overlap": "Overlap",
    "calibration": "Calibration",
    "confusion": "Estimates of the raters",
}
"""What a metric measures, by the module that it is declared in."""
OTHER = "Other metrics"
PARTS = {"by-class": "each class", "by-reference": "each reference", "by-centre": "each centre"}
"""Tables whose columns join the comparison, and what they are of."""
KINDS = {"method": "candidates", "fusion": "fused labels", "rater": "raters"}
WIDTH, PER_LETTER, AIR, NAMES = 1160, 6.9, 16, 260
"""Pixels: of the page at 1200, of a letter and of the air beside it in a cell, and of the column of names."""
WORDS = 16
"""Letters in a line of a column of words."""


@dataclass(frozen=True, eq=False)
class Column:
    """A column, and the views that it is shown in; one of ``words`` has no numbers."""

    head: str
    cells: Mapping[Key, Cell]
    views: Sequence[str]
    words: bool = False

    @property
    def width(self) -> float:
        """About how wide it is, in pixels."""
        widest = max((len(f"{cell.text} {cell.mark}".rstrip()) for cell in self.cells.values()), default=0)
        # Words are broken into lines.
        widest = min(widest, WORDS) if self.words else widest
        return max(widest, *map(len, self.head.split())) * PER_LETTER + AIR


@dataclass(frozen=True, eq=False)
class View:
    """A choice of columns: its name among the choices, the heading of its group of choices, and what has to be said of it."""

    name: str
    label: str
    group: str
    notes: Sequence[str]


@dataclass(frozen=True, eq=False)
class ComparisonView:
    """The comparison with all its ``columns``; ``bodies`` are the rows of each kind. The first of ``views`` is shown first."""

    title: str
    views: Sequence[View]
    columns: Sequence[Column]
    bodies: Sequence[tuple[str, Sequence[Key]]]

    @property
    def choices(self) -> list[tuple[str, list[tuple[int, str]]]]:
        """The views by the headings of their groups: places and labels."""
        groups: dict[str, list[tuple[int, str]]] = {}
        for place, view in enumerate(self.views):
            groups.setdefault(view.group, []).append((place, view.label))
        return list(groups.items())

    @property
    def captions(self) -> list[tuple[list[int], Sequence[str]]]:
        """What has to be said, with the places of the views that it is said in."""
        found: dict[tuple[str, ...], list[int]] = {}
        for place, view in enumerate(self.views):
            found.setdefault(tuple(view.notes), []).append(place)
        return [(places, notes) for notes, places in found.items()]

    def places(self, column: Column) -> list[int]:
        """The places of the views that show a column."""
        return [place for place, view in enumerate(self.views) if view.name in column.views]

    def classes(self, column: Column) -> str:
        """How the page marks the cells of a column: of words, and not shown at first."""
        return " ".join((["words"] if column.words else []) + ([] if self.views[0].name in column.views else ["off"]))

    @property
    def kinds(self) -> list[tuple[str, str]]:
        """The kinds of rows that there are, and their plural."""
        return [(kind, KINDS.get(kind, kind)) for kind, _ in self.bodies]

    def cell(self, column: Column, key: Key) -> Cell:
        """What stands in a place."""
        return column.cells.get(key, Cell(NO_VALUE))

    @staticmethod
    def name(key: Key) -> str:
        """What a row is called."""
        return name_of(key[1], key[0])


def comparison_view(analysis: Analysis, tables: Sequence[Table]) -> ComparisonView | None:
    """The view made of the comparison and the tables with the same rows; None where there is no comparison."""
    by_name = {table.name: table for table in tables}
    if "comparison" not in by_name:
        return None
    table, keys = by_name["comparison"], row_keys(analysis)
    columns = _with_overview(_of_comparison(analysis, table, keys))
    columns += _other_metrics(analysis, columns)
    views = [View(OVERVIEW, "Overview", "", table.paragraphs)]
    families = dict.fromkeys(view for column in columns for view in column.views if view not in (OVERVIEW, EVERYTHING))
    views += [View(name, name, "Metrics", table.paragraphs) for name in families]
    for name, of_what in PARTS.items():
        if name in by_name:
            columns += _of_part(by_name[name])
            views.append(View(name, of_what.capitalize(), analysis.label(analysis.metric), by_name[name].paragraphs))
    views.append(View(EVERYTHING, "All columns", "", table.paragraphs))
    bodies = [(kind, [key for key in keys if key[0] == kind]) for kind in dict.fromkeys(kind for kind, _ in keys)]
    return ComparisonView(table.title, views, columns, bodies)


def _of_comparison(analysis: Analysis, table: Table, keys: Sequence[Key]) -> list[Column]:
    """The columns of the comparison, each in the family of its metric."""
    families = {analysis.head(metric): family_of(metric) for metric in analysis.metrics}
    columns = []
    for place, head in enumerate(table.head[1:], start=1):
        cells = {key: row[place] for key, row in zip(keys, table.rows, strict=True)}
        family = families.get(head) or (FAMILIES["calibration"] if head.startswith("ECE ") else "")
        columns.append(Column(head, cells, [name for name in (family, EVERYTHING) if name], place in table.words))
    return columns


def _with_overview(columns: Sequence[Column]) -> list[Column]:
    """The columns, as many of them in the overview as have room: the primary metric, what is said of it, other metrics."""
    without_family = [column for column in columns[1:] if column.views == [EVERYTHING]]
    order = [columns[0], *reversed(without_family), *(column for column in columns[1:] if column not in without_family)]
    room = float(WIDTH - NAMES)
    chosen: list[Column] = []
    for column in order:
        if not chosen or column.width <= room:
            chosen.append(column)
            room -= column.width
    return [replace(c, views=[OVERVIEW, *c.views]) if c in chosen else c for c in columns]


def _other_metrics(analysis: Analysis, shown: Sequence[Column]) -> list[Column]:
    """A column for each metric that the comparison leaves to its CSV file."""
    heads = {column.head for column in shown}
    others = [metric for metric in analysis.metrics if analysis.head(metric) not in heads]
    return [Column(analysis.head(m), metric_cells(analysis, m), [family_of(m), EVERYTHING]) for m in others]


def _of_part(table: Table) -> list[Column]:
    """The columns of a table by class, reference or centre. Its rows stand in the order of its plain numbers."""
    keys = list(dict.fromkeys(zip(table.plain["kind"], table.plain["candidate"], strict=True)))
    columns = []
    for place, head in enumerate(table.head[1:], start=1):
        cells = {(str(kind), str(name)): row[place] for (kind, name), row in zip(keys, table.rows, strict=True)}
        columns.append(Column(head, cells, [table.name]))
    return columns


def family_of(metric: str) -> str:
    """What a metric measures: one of ``FAMILIES``, or other."""
    name = metric.partition(" (")[0]
    if name not in METRICS.names():
        return OTHER
    return FAMILIES.get(METRICS.get(name).__module__.rpartition(".")[2], OTHER)
