"""The primary metric at the searched threshold and at one half, side by side: what the search did to the comparison."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...benchmark.statistics.ranking import goodness, without_rounding_error
from ...benchmark.statistics.shared_units import shared_units
from ...benchmark.statistics.subjects import subject_values
from ...benchmark.store.units import HALF, SEARCHED
from ..analysis import Analysis
from .table import Cell, Table
from .wording import words_of, write_number

COLUMNS = ["candidate", "threshold", "low", "high", "searched", "half", "difference", "rank_searched", "rank_half", "n"]


def threshold_values(analysis: Analysis) -> pd.DataFrame:
    """``COLUMNS`` of each candidate: the searched thresholds' mean, lowest and highest over units, and the primary metric.

    ``searched`` and ``half`` are means over the n subjects at that threshold, against the reference of the comparison. Empty
    where labels need no threshold (more than two classes), or the metric looks at probabilities.
    """
    rows = analysis.results.long_table
    rows = rows[(rows["kind"] == "method") & (rows["metric"] == analysis.metric) & (rows["reference"] == analysis.reference)]
    rows = shared_units(analysis.results.units).only(rows)
    found = {
        at: subject_values(rows[rows["threshold"] == at], analysis.metric, analysis.reference)
        for at in (SEARCHED, HALF)
        if (rows["threshold"] == at).any()
    }
    if len(found) < 2 or found[SEARCHED].equals(found[HALF]):
        return pd.DataFrame(columns=COLUMNS)
    units = analysis.results.units
    chosen = units.assign(threshold=pd.to_numeric(units["threshold"], errors="coerce")).groupby("candidate")["threshold"]
    both = found[SEARCHED].notna() & found[HALF].reindex_like(found[SEARCHED]).notna()
    table = pd.DataFrame({at: values.where(both).mean() for at, values in found.items()})
    table = table.assign(threshold=chosen.mean(), low=chosen.min(), high=chosen.max(), n=both.sum())
    table["difference"] = without_rounding_error(table["half"] - table["searched"])
    for at in (SEARCHED, HALF):
        good = goodness(without_rounding_error(table[at]), analysis.better(analysis.metric))
        table[f"rank_{at}"] = np.nan if good is None else good.rank(ascending=False)
    return table.rename_axis("candidate").reset_index()[COLUMNS]


def thresholds(analysis: Analysis) -> Table | None:
    """The primary metric at both thresholds; None where labels do not depend on one."""
    table = threshold_values(analysis)
    if table.empty:
        return None
    metric, rows = analysis.metric, []
    for row in table.to_dict("records"):
        ends = " to ".join(dict.fromkeys(write_number(row[k], 2) for k in ("low", "high")))
        cells = [Cell(str(row["candidate"])), Cell(str(row["n"]), sort=float(row["n"]))]
        cells.append(Cell(f"{write_number(row['threshold'], 2)} ({ends})", sort=float(row["threshold"])))
        for at in (SEARCHED, HALF):
            rank = f" ({row[f'rank_{at}']:g})" if np.isfinite(row[f"rank_{at}"]) else ""
            cells.append(Cell(f"{analysis.number(metric, row[at])}{rank}", row[f"rank_{at}"] == 1, sort=float(row[at])))
        cells.append(Cell(analysis.number(metric, row["difference"], sign=True), sort=float(row["difference"])))
        rows.append(cells)
    label = analysis.label(metric)
    gaps = [analysis.number(metric, float(table[at].max() - table[at].min())) for at in (SEARCHED, HALF)]
    spread = f" The best and the worst candidate are {gaps[0]} apart at the searched threshold and {gaps[1]} at one half."
    caption = (
        f"{label} against {words_of(analysis.reference)}, mean over the n subjects, with labels made at the threshold that "
        "validation cases chose (as in all other tables) and at one half; in brackets the rank, bold is rank 1. The threshold "
        "is searched for each trained model against the majority of the raters, which pulls all candidates to the majority and "
        f"can hide how they differ.{spread if len(table) > 1 else ''} Searched: mean over trained models, lowest to highest. "
        "Described, not tested."
    )
    head = ["Candidate", "n", "Searched threshold", f"{label}, searched", f"{label}, at 0.5", "0.5 minus searched"]
    return Table("thresholds", f"{label} at the searched threshold and at one half", caption, head, rows, table)
