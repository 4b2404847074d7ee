"""Published beside measured: the cells of a paper's table, and what this suite measures in their place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...benchmark.experiment.published import PublishedColumn, PublishedNote, PublishedRow, PublishedTable, read_published
from ...benchmark.statistics.subjects import case_values
from ...benchmark.store.results import Results, read_results
from ...errors import RaterbenchError
from .table import Cell, Table
from .wording import NO_VALUE, count_of, write_number

HEAD = ("Row of the paper", "Column", "Published", "Measured", "Repeats × images", "Difference", "Why they differ")
TRUTH = "truth"
FAR = 2.0
"""Standard deviations, of both values together, beyond which they differ."""


@dataclass(frozen=True)
class Measured:
    """A value in printed units: the mean over repeats of the mean over test images, and its standard deviation over repeats.

    ``kind`` is ``method``, or ``fusion`` for fused labels that stand in.
    """

    mean: float
    std: float
    repeats: int
    images: int
    kind: str = "method"


@dataclass(frozen=True)
class Compared:
    """One printed cell and what was measured in its place; ``absent`` says in words why nothing was."""

    row: PublishedRow
    column: PublishedColumn
    published: float
    published_std: float
    measured: Measured | None
    experiment: str
    absent: str
    note: PublishedNote

    @property
    def difference(self) -> float:
        """Measured minus published, in printed units."""
        return self.measured.mean - self.published if self.measured else math.nan

    @property
    def differs(self) -> bool:
        """Whether the two are far apart: by their spread where both have one, else by the column's tolerance."""
        if self.measured is None:
            return False
        spread = FAR * math.hypot(self.published_std, self.measured.std)
        return abs(self.difference) > (spread if math.isfinite(spread) else self.column.tolerance)

    @property
    def why(self) -> str:
        """The reason where they differ, or why there is nothing to compare."""
        return self.absent or (self.note.text if self.differs else "")


def published_tables(results: Results) -> list[Table]:
    """A table for each data set of the experiment's published table, its own first; none if it declares none.

    A column is measured by these results where the data set is theirs, else by the results of its experiments in the folders
    beside them.
    """
    name = results.experiment.published
    if not name:
        return []
    printed = read_published(name)
    own = results.experiment.dataset
    datasets = list(dict.fromkeys(c.dataset for c in printed.columns))
    if own not in datasets:
        return []
    tables = []
    for number, dataset in enumerate(sorted(datasets, key=lambda d: d != own)):
        source = results if dataset == own else _beside(results, printed, dataset)
        cells = [
            _compared(row, column, printed, source)
            for column in printed.columns
            for row in printed.rows
            if column.dataset == dataset and column.key in row.cells
        ]
        gaps = source.completeness.gaps() if source is not None else []
        tables.append(_table(printed, cells, number, gaps, source))
    return tables


def _beside(results: Results, printed: PublishedTable, dataset: str) -> Results | None:
    """Finished results on another data set in a folder beside this one; None if there are none."""
    names = dict.fromkeys(n for column in printed.columns if column.dataset == dataset for n in column.experiments)
    for name in names:
        try:
            found = read_results(results.folder.resolve().parent / name)
        except RaterbenchError:
            continue  # It never ran, or not to an end: the table says how to run it.
        if found.experiment.dataset == dataset:
            return found
    return None


def _compared(row: PublishedRow, column: PublishedColumn, printed: PublishedTable, source: Results | None) -> Compared:
    value, std = map(float, row.cells[column.key])
    measured = measure(source, row, column) if source is not None else None
    absent = ""
    if source is None:
        absent = f"no data: see raterbench run {column.experiments[-1]}"
    elif measured is None:
        absent = "not measured"
    name = source.experiment.name if source is not None else ""
    note = printed.note(row, column, alarmed=source is not None and _alarmed(source, row.candidate))
    return Compared(row, column, value, std, measured, name, absent, note)


def _alarmed(results: Results, candidate: str) -> bool:
    """Whether a unit of the candidate warned of what it learned."""
    units = results.units[(results.units["candidate"] == candidate) & (results.units["status"] == "done")]
    return any(isinstance(said, list) and bool(said) for said in units["alarms"])


def measure(results: Results, row: PublishedRow, column: PublishedColumn) -> Measured | None:
    """The value of a cell against the truth, by the candidate or else by the fused labels that stand for it, or None."""
    rows = results.rows
    rows = rows[(rows["metric"] == column.metric) & (rows["reference"] == TRUTH)]
    for kind, name in (("method", row.candidate), ("fusion", row.fusion)):
        mine = rows[(rows["kind"] == kind) & (rows["candidate"] == name)]
        if mine.empty:
            continue
        cases = case_values(mine, column.metric, TRUTH, kind=kind).dropna(subset="value")
        if len(cases):
            means = column.scale * cases.groupby("repeat")["value"].mean()
            std = float(means.std(ddof=1)) if len(means) > 1 else math.nan
            return Measured(float(means.mean()), std, len(means), int(cases["case"].nunique()), kind)
    return None


def _table(
    printed: PublishedTable, cells: Sequence[Compared], number: int, gaps: Sequence[str], source: Results | None
) -> Table:
    rows = [_row(cell) for cell in cells]
    columns = [cell.column.key for cell in cells]
    rules = frozenset(i for i in range(1, len(cells)) if columns[i] != columns[i - 1])
    name = "published" if number == 0 else f"published-{number + 1}"
    data = cells[0].column.head.partition(",")[0]
    title = f"Published beside measured: {data}"
    words = frozenset({1, len(HEAD) - 1})
    caption = [*_caption(printed, cells, source), *gaps]
    return Table(name, title, caption, list(HEAD), rows, _plain(cells), rules, words)


def _row(cell: Compared) -> list[Cell]:
    decimals, found = cell.column.decimals, cell.measured
    return [
        Cell(cell.row.name),
        Cell(_short(cell.column)),
        Cell(_value(cell.published, cell.published_std, decimals), sort=cell.published),
        Cell(_value(found.mean, found.std, decimals), sort=found.mean) if found else Cell(NO_VALUE),
        Cell(f"{found.repeats} × {found.images}", sort=float(found.repeats)) if found else Cell(NO_VALUE),
        Cell(write_number(cell.difference, decimals, sign=True), bold=cell.differs, sort=cell.difference),
        Cell(cell.why),
    ]


def _short(column: PublishedColumn) -> str:
    """A column's head without the data set, which the title names."""
    return column.head.rpartition(", ")[2]


def _value(mean: float, std: float, decimals: int) -> str:
    text = write_number(mean, decimals)
    return f"{text} ± {write_number(std, decimals)}" if np.isfinite(std) else text


def _caption(printed: PublishedTable, cells: Sequence[Compared], source: Results | None) -> Sequence[str]:
    """Where both values come from, what counts as a difference, and why values differ."""
    found = [cell.measured for cell in cells if cell.measured]
    tolerances = dict.fromkeys(f"{c.column.tolerance:g} in {_short(c.column)}" for c in cells)
    names = dict.fromkeys(f"{c.row.name} is {c.row.candidate}" for c in cells if c.row.name != c.row.candidate)
    lines = [f"The published values are from {printed.citation}, {printed.title}; their ± is the {printed.spread}."]
    if found:
        far = f"a difference in bold is beyond {FAR:g} standard deviations of both together"
        lines.append(
            f"{_measured_words(cells)} A difference is measured minus published; {far}, or, where one is unknown, beyond "
            f"{' and '.join(tolerances)}. Only such a difference gets a reason: what is known of the paper. Nothing is tested, "
            "because a paper prints no values of single images."
        )
        reasons = dict.fromkeys(f"{c.note.text} – {c.note.detail}" for c in cells if c.differs and c.note.detail)
        if reasons:
            lines.append(f"Why they differ: {'; '.join(reasons)}.")
        metrics = dict.fromkeys(cell.column.metric for cell in cells if cell.measured)
        facts = [source.metric(metric) for metric in metrics] if source is not None else []
        if policies := [known.empty for known in facts if known is not None and known.empty]:
            lines.append(f"As measured here: {' '.join(policies)}")
    else:
        lines += [text for text in dict.fromkeys(c.column.data for c in cells) if text]
        lines[1:] = [f"{text}, then run it beside this experiment." for text in lines[1:]]
    if names:
        lines.append(f"The paper calls candidates by other names: {'; '.join(names)}.")
    return lines


def _measured_words(cells: Sequence[Compared]) -> str:
    """What the measured values are, and which of them need no network."""
    found = [cell.measured for cell in cells if cell.measured]
    sources = ", ".join(dict.fromkeys(cell.experiment for cell in cells if cell.experiment))
    repeats = count_of(max(m.repeats for m in found), "repeat")
    images = count_of(max(m.images for m in found), "test image")
    words = (
        f"The measured values are those of {sources} against the truth: mean ± standard deviation over {repeats} of training "
        f"of the mean over all {images}."
    )
    stand_ins = [cell for cell in cells if cell.measured and cell.measured.kind == "fusion"]
    fused = dict.fromkeys(f"{_short(cell.column)} of {cell.row.name}" for cell in stand_ins)
    if fused:
        words += f" Without a network, from the ratings of the test images themselves: {' and '.join(fused)}."
    return words


def _plain(cells: Sequence[Compared]) -> pd.DataFrame:
    nothing = Measured(math.nan, math.nan, 0, 0)
    rows = []
    for cell in cells:
        found = cell.measured or nothing
        rows.append({
            "row": cell.row.name, "candidate": cell.row.candidate, "dataset": cell.column.dataset, "metric": cell.column.metric,
            "column": cell.column.head, "published": cell.published, "published_std": cell.published_std,
            "measured": found.mean, "measured_std": found.std, "repeats": found.repeats, "images": found.images,
            "difference": cell.difference, "differs": cell.differs, "experiment": cell.experiment, "why": cell.why,
        })  # fmt: skip
    return pd.DataFrame(rows)
