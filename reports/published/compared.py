"""Published beside measured: the cells of a paper's table, and what this suite measures in their place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from ...benchmark.experiment.published import (
    SIGNIFICANT,
    PublishedColumn,
    PublishedNote,
    PublishedRow,
    PublishedTable,
    read_published,
)
from ...benchmark.statistics.verdict.as_published import as_published
from ...benchmark.statistics.verdict.compare_table import compare
from ...benchmark.statistics.verdict.shared_cells import MODEL
from ...benchmark.store.results import Results, read_results
from ...errors import RaterbenchError
from .measurements import Measurements, measurements_of

FAR = 2.0
"""Standard deviations, of both values together, beyond which they differ."""


@dataclass(frozen=True)
class Measured:
    """A value in printed units: the mean over repeats or trained models, and its standard deviation over them.

    ``n`` of them were counted. Each is the mean over ``subjects``, or is one number for all of them (then 0). ``kind`` is
    ``method``, or ``fusion`` for fused labels that stand in.
    """

    mean: float
    std: float
    n: int
    subjects: int
    kind: str = "method"


@dataclass(frozen=True)
class Against:
    """A candidate and the table's baseline, in printed units: their difference, and two tests of it.

    ``p_trainings``: Wilcoxon's test over trained models as papers do it, which takes them as independent. ``p``: ``model t``,
    after Holm over the candidates of the column.
    """

    difference: float
    p_trainings: float
    p: float


@dataclass(frozen=True)
class Compared:
    """One printed cell and what was measured in its place; ``absent`` says in words why nothing was.

    ``published_difference`` is that to the baseline, and ``marked`` whether the paper calls it significant.
    """

    row: PublishedRow
    column: PublishedColumn
    published: float
    published_std: float
    measured: Measured | None
    experiment: str
    absent: str
    note: PublishedNote
    stands_in: bool = False
    published_difference: float = math.nan
    marked: bool = False
    against: Against | None = None

    @property
    def difference(self) -> float:
        """Measured minus published, in printed units."""
        return self.measured.mean - self.published if self.measured else math.nan

    @property
    def differs(self) -> bool:
        """Whether the two are far apart: by their spread where both have one, else by the column's tolerance.

        Values of another data set are not expected to be alike, so they never differ in this sense.
        """
        if self.measured is None or self.stands_in or math.isnan(self.published):
            return False
        spread = FAR * math.hypot(self.published_std, self.measured.std)
        return abs(self.difference) > (spread if math.isfinite(spread) else self.column.tolerance)

    @property
    def why(self) -> str:
        """The reason where they differ, or why there is nothing to compare."""
        return self.absent or (self.note.text if self.differs else "")


@dataclass(frozen=True, eq=False)
class ComparedTable:
    """All cells of a published table that are of one data set; ``source`` is None where nothing was measured."""

    printed: PublishedTable
    cells: Sequence[Compared]
    source: Measurements | None

    @property
    def stand_in(self) -> str:
        """The data set that was measured in place of the paper's; empty if it is the paper's own."""
        return self.source.dataset if self.source is not None and any(cell.stands_in for cell in self.cells) else ""


def compared_tables(results: Results) -> list[ComparedTable]:
    """The experiment's published table beside its results, one for each data set, its own first; none if it declares none.

    A column is measured by these results where the data set is theirs, else by the results of its experiments in the folders
    beside them.
    """
    if not results.experiment.published:
        return []
    printed = read_published(results.experiment.published)
    own = results.experiment.dataset
    if not any(own in {c.dataset, c.stand_in} for c in printed.columns):
        return []
    datasets = list(dict.fromkeys(c.dataset for c in printed.columns))
    mine = next(d for d in sorted(datasets, key=lambda d: d != own) if own in _measured_on(printed, d))
    measurements, found = measurements_of(results), []
    for dataset in sorted(datasets, key=lambda d: d != mine):
        source = measurements if dataset == mine else _beside(results, printed, dataset)
        found.append(compared_table(printed, dataset, source))
    return found


def compared_table(printed: PublishedTable, dataset: str, source: Measurements | None) -> ComparedTable:
    """The cells of the columns of one data set beside what a source measured.

    Where several experiments share the columns, as those with other options of one data set do, only the columns of the
    source's own experiment are shown; all, and empty, where it has none.
    """
    columns = [column for column in printed.columns if column.dataset == dataset]
    if source is not None:
        printed = printed.named_as(set(source.rows["candidate"]))
    filling = source
    if source is not None and len({column.experiments for column in columns}) > 1:
        own = [column for column in columns if source.experiment in column.experiments]
        columns, filling = (own, source) if own else (columns, None)
    cells = [cell for column in columns for cell in _Column(printed, column, filling).cells()]
    return ComparedTable(printed, cells, source)


def _measured_on(printed: PublishedTable, dataset: str) -> set[str]:
    """The data sets on which the columns of the paper's data set are measured."""
    return {name for c in printed.columns if c.dataset == dataset for name in (c.dataset, c.stand_in) if name}


def _beside(results: Results, printed: PublishedTable, dataset: str) -> Measurements | None:
    """Finished results on another data set in a folder beside this one; None if there are none."""
    names = dict.fromkeys(n for column in printed.columns if column.dataset == dataset for n in column.experiments)
    for name in names:
        try:
            found = read_results(results.folder.resolve().parent / name)
        except RaterbenchError:
            continue  # It never ran, or not to an end: the table says how to run it.
        if found.experiment.dataset in _measured_on(printed, dataset):
            return measurements_of(found)
    return None


@dataclass(frozen=True, eq=False)
class _Column:
    """A printed column and what a source measured for its rows."""

    printed: PublishedTable
    column: PublishedColumn
    source: Measurements | None

    def cells(self) -> list[Compared]:
        """A cell for each row that the paper prints or that was measured."""
        found = []
        for row in self.printed.rows:
            measured = self._measured(row)
            if self.column.key in row.cells or (measured is not None and not row.mean_of):
                found.append(self._compared(row, measured))
        return found

    def _compared(self, row: PublishedRow, measured: Measured | None) -> Compared:
        source, column = self.source, self.column
        value, std, marked = _cell(row, column)
        baseline = _cell(self._baseline, column)[0] if self._baseline is not None else math.nan
        absent = ""
        if source is None:
            absent = f"no data: see raterbench run {column.experiments[-1]}" if column.experiments else "no data"
        elif measured is None:
            absent = "not measured"
        note = self.printed.note(row, column, alarmed=source is not None and source.alarmed(row.candidate))
        return Compared(
            row, column, value, std, measured,
            experiment=source.experiment if source is not None else "",
            absent=absent, note=note,
            stands_in=source is not None and source.dataset != column.dataset,
            published_difference=value - baseline if row is not self._baseline else math.nan,
            marked=marked,
            against=self._against.get(row.candidate),
        )  # fmt: skip

    @cached_property
    def _values(self) -> pd.DataFrame:
        assert self.source is not None
        return self.source.values(self.column.metric, self.column.reference, self.column.class_name)

    @cached_property
    def _trainings(self) -> pd.DataFrame:
        """(repeat, fold) x candidates: the mean over subjects of each trained model."""
        return self._values.groupby(["candidate", *MODEL], sort=False)["value"].mean().unstack("candidate")

    def _measured(self, row: PublishedRow) -> Measured | None:
        """The value of a row, by its candidate or else by the fused labels that stand for it; None if there is none."""
        if self.source is None:
            return None
        names, kind = row.mean_of or (row.candidate,), "method"
        mine = self._values[self._values["candidate"].isin(names)].dropna(subset="value")
        if mine.empty and row.fusion:
            kind = "fusion"
            fused = self.source.values(self.column.metric, self.column.reference, self.column.class_name, "fusion")
            mine = fused[fused["candidate"] == row.fusion].dropna(subset="value")
        if mine.empty or not set(names if kind == "method" else [row.fusion]) <= set(mine["candidate"]):
            return None
        keys = ["repeat"] if self.printed.over == "repeats" else MODEL
        means = self.column.scale * mine.groupby(keys)["value"].mean()
        std = float(means.std(ddof=1)) if len(means) > 1 else math.nan
        subjects = set(mine["subject"]) - {""}
        return Measured(float(means.mean()), std, len(means), len(subjects), kind)

    @cached_property
    def _baseline(self) -> PublishedRow | None:
        return next((row for row in self.printed.rows if row.name == self.printed.baseline), None)

    @cached_property
    def _against(self) -> dict[str, Against]:
        """Each candidate of the table against its baseline; empty where the paper tests nothing or nothing was measured."""
        if self._baseline is None or self.source is None or self._values["value"].isna().all():
            return {}
        baseline = self._baseline.candidate
        names = [row.candidate for row in self.printed.rows if row.candidate in set(self._values["candidate"])]
        if baseline not in names or len(names) < 2:
            return {}
        mine = self._values[self._values["candidate"].isin(names)]
        subject = "subject" if mine["subject"].any() else None
        judged = compare(
            mine.dropna(subset="value"), candidate="candidate", value="value", subject=subject, repeat="repeat", fold="fold",
            baseline=baseline,
        ).table.set_index("candidate")  # fmt: skip
        found = {}
        for name in names:
            if name != baseline:
                p = as_published(self._trainings[name], self._trainings[baseline]).p
                difference = self.column.scale * float(judged["difference"][name])
                found[name] = Against(difference, p, float(judged["p_holm"][name]))
        return found


def _cell(row: PublishedRow, column: PublishedColumn) -> tuple[float, float, bool]:
    """The printed mean, standard deviation and mark; NaN where the paper prints nothing."""
    mean, std, *mark = row.cells.get(column.key, (np.nan, np.nan))
    return float(mean), float(std), SIGNIFICANT in mark
