"""Which trained models are described together: those of the folds and repeats that every compared candidate has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

LEAST = 0.5
"""A candidate with less than this share of the fullest one's units, or subjects, is set apart: one that failed on most folds
must not take everybody's away."""
FOLD = ["repeat", "fold"]


@dataclass(frozen=True, eq=False)
class SharedUnits:
    """The (repeat, fold)s that all compared candidates have; None in ``folds`` means all that anybody has.

    ``apart``: candidates that are set apart.
    """

    folds: pd.Index[Any] | None
    apart: Sequence[str]

    def only(self, table: pd.DataFrame) -> pd.DataFrame:
        """The rows of ``table`` without those of methods on other folds; fused labels and raters stay as they are."""
        if self.folds is None:
            return table
        return table[(table["kind"] != "method") | pd.MultiIndex.from_frame(table[FOLD]).isin(self.folds)]


def shared_units(units: pd.DataFrame) -> SharedUnits:
    """The shared units of a table of units (``candidate kind repeat fold status``). Skipped candidates have no part in it."""
    planned = units[(units["kind"] == "method") & (units["status"] != "skipped")] if len(units) else units
    done = planned[planned["status"] == "done"] if len(units) else units
    if done.empty:
        return SharedUnits(None, ())
    counts = done.groupby("candidate").size()
    compared = counts.index[counts >= LEAST * counts.max()]
    apart = [str(name) for name in counts.index if name not in compared]
    have = done[done["candidate"].isin(compared)].groupby(FOLD)["candidate"].nunique()
    shared = have.index[have == len(compared)]
    if shared.empty or len(shared) == len(done.drop_duplicates(FOLD)):
        # Nothing shared: then no subject has values of all, and that is what is said.
        return SharedUnits(None, apart)
    return SharedUnits(shared, apart)
