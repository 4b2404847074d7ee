"""The units that have no result: failed, skipped, missing or damaged ones, each with its reason."""

from __future__ import annotations

import pandas as pd

from ..analysis import Analysis
from .table import Cell, Table
from .wording import count_of

STATES = ("failed", "damaged", "missing", "skipped")
MOST_ALIKE = 3
"""Units of one candidate, state and reason that are named; of more it says how many."""


def unfinished_units(analysis: Analysis) -> Table | None:
    """A row for each candidate, state and reason, with the units that it is about; None if every planned unit is done."""
    units = analysis.results.units
    left = units[units["status"] != "done"]
    if left.empty:
        return None
    left = left.assign(reason=left["reason"].fillna(""))
    rows = []
    for (name, status, reason), part in left.groupby(["candidate", "status", "reason"], sort=False):
        owner = "Raters and fused labels" if name == "labels" else str(name)
        rows.append([Cell(owner), Cell(str(status)), Cell(_which(part)), Cell(str(reason) or "not recorded")])
    counts = left["status"].value_counts()
    said = ", ".join(f"{counts[state]} {state}" for state in STATES if state in counts)
    caption = (
        f"Of {count_of(len(units), 'planned unit')} these have no result: {said}. Comparisons leave out the folds "
        "that not every compared candidate has. Running the experiment again computes what failed or is missing."
    )
    plain = left[["candidate", "repeat", "fold", "status", "reason"]]
    head = ["Candidate", "State", "Units", "Reason"]
    return Table("unfinished", "Units without a result", caption, head, rows, plain, words=frozenset({1, 2, 3}))


def _which(units: pd.DataFrame) -> str:
    """``repeat 0 fold 3``, or how many."""
    if len(units) > MOST_ALIKE:
        return count_of(len(units), "unit")
    return ", ".join(f"repeat {r} fold {f}" for r, f in zip(units["repeat"], units["fold"], strict=True))
