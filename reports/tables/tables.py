"""The tables of a report: the comparison first, then what stands behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..analysis import Analysis
from . import captions
from .table import CONFIRMED, EXPLORED, Cell, Table
from .wording import NO_VALUE, name_of, p_number, write_number

MAIN = ("dice", "surface dice", "hd95", "avd", "brier", "entropy error", "entropy error against truth", "confusion rmse")
"""The metrics of the comparison table, beside the primary one; the CSV has all that were measured."""
MOST_CLASSES = 4
"""Up to this many foreground classes each has its own column of the primary metric."""
Key = tuple[str, str]
"""The kind and the name of a row."""


@dataclass(frozen=True, eq=False)
class Column:
    """A column of the comparison: its head, and a cell for each row that has a value."""

    head: str
    cells: Mapping[Key, Cell]


def comparison_table(analysis: Analysis) -> Table:
    """The main table: candidates, then below a rule what needs no network."""
    shown = [analysis.metric, *(m for m in MAIN if m in analysis.metrics and m != analysis.metric)]
    columns = [_metric_column(analysis, shown[0]), *_class_columns(analysis)]
    columns += [_metric_column(analysis, m) for m in shown[1:]]
    columns += [_ece_column(analysis, last_bin) for last_bin in ("open", "closed") if len(analysis.calibration.image(last_bin))]
    columns.append(_p_column(analysis))
    keys = row_keys(analysis)
    rows = [[Cell(name_of(name, kind)), *(c.cells.get((kind, name), Cell(NO_VALUE)) for c in columns)] for kind, name in keys]
    rules = frozenset(i for i in range(1, len(keys)) if keys[i][0] != keys[i - 1][0])
    return Table(
        "comparison", "Comparison of the candidates", captions.main_caption(analysis, shown),
        ["Candidate", *(c.head for c in columns)], rows, plain_comparison(analysis), rules,
    )  # fmt: skip


def row_keys(analysis: Analysis) -> list[Key]:
    """Candidates (those without any result included), fused labels, raters."""
    of_metric = analysis.table[analysis.table["metric"] == analysis.metric]
    found = []
    for kind in ("method", "fusion", "rater"):
        found += [(kind, str(name)) for name in of_metric.loc[of_metric["kind"] == kind, "candidate"]]
    return found


def mark_of(row: pd.Series) -> str:
    """The sign of a significant difference; which one depends on whether it was declared beforehand."""
    if not bool(row["significant"]):
        return ""
    return CONFIRMED if row["family"] == "confirmatory" else EXPLORED


def value_cell(analysis: Analysis, metric: str, row: pd.Series) -> Cell:
    """``mean ± std`` with bold and mark."""
    if not np.isfinite(row["mean"]):
        return Cell(NO_VALUE, note=row.get("why_no_mean", ""))
    text = analysis.number(metric, row["mean"])
    if np.isfinite(row["std"]):
        text += f" ± {analysis.number(metric, row['std'])}"
    return Cell(text, bool(row.get("best", False)), mark_of(row), float(row["mean"]))


def _metric_column(analysis: Analysis, metric: str) -> Column:
    return Column(analysis.head(metric), metric_cells(analysis, metric))


def metric_cells(analysis: Analysis, metric: str) -> dict[Key, Cell]:
    """The cell of each row on one metric."""
    table = analysis.table[analysis.table["metric"] == metric]
    return {(str(r["kind"]), str(r["candidate"])): value_cell(analysis, metric, r) for _, r in table.iterrows()}


def _class_columns(analysis: Analysis) -> list[Column]:
    """The primary metric of each class, described and not tested."""
    table = analysis.by_class
    if table.empty or not 2 <= len(analysis.classes) <= MOST_CLASSES:
        return []
    columns = []
    for name in analysis.classes:
        part = table[table["group"] == name]
        cells = {(str(r["kind"]), str(r["candidate"])): described_cell(analysis, r) for _, r in part.iterrows()}
        columns.append(Column(f"{analysis.head(analysis.metric).split(' ')[0]} {name}", cells))
    return columns


def described_cell(analysis: Analysis, row: pd.Series) -> Cell:
    """``mean ± std`` of the primary metric, neither bold nor marked, because it is not tested."""
    return value_cell(analysis, analysis.metric, pd.concat([row, pd.Series({"best": False, "significant": False})]))


def _ece_column(analysis: Analysis, last_bin: str) -> Column:
    table = analysis.calibration.table
    best = analysis.calibration.lowest(last_bin)
    cells = {
        (str(r["kind"]), str(r["candidate"])): Cell(
            write_number(100 * r["ece"], 2), r["kind"] == "method" and r["candidate"] in best, sort=float(r["ece"])
        )
        for _, r in table[(table["region"] == "image") & (table["last_bin"] == last_bin)].iterrows()
    }
    return Column(f"ECE {last_bin} (%) ↓", cells)


def _p_column(analysis: Analysis) -> Column:
    corrected = analysis.protocol == "model-t"
    name = "p_holm" if corrected else "p"
    cells = {
        ("method", str(candidate)): Cell(p_number(row[name]), sort=float(row[name]), note=row["why_no_p"])
        for candidate, row in analysis.rows_for(analysis.metric).iterrows()
        if np.isfinite(row[name]) or row["why_no_p"]
    }
    cells["method", analysis.baseline] = Cell("baseline")
    return Column("p (Holm)" if corrected else "p (uncorrected)", cells)


def plain_comparison(analysis: Analysis) -> pd.DataFrame:
    """Every metric as tidy numbers, the pooled calibration errors below (their interval is a bootstrap over subjects)."""
    table = analysis.table
    pooled = analysis.calibration.table
    if pooled.empty:
        return table
    pooled = pooled[pooled["region"] == "image"]
    names = {"ece": "mean", "ece_low": "ci_low", "ece_high": "ci_high", "n_subjects": "n"}
    pooled = pooled.rename(columns=names).assign(metric="ece " + pooled["last_bin"], family="exploratory", **{"class": "all"})
    return pd.concat([table, pooled[[c for c in table.columns if c in pooled]]], ignore_index=True)
