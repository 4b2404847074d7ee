"""Means that are described and not tested: of classes and centres, of raters, and of single cases."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from .comparison import breakdown
from .pooled import KINDS
from .subjects import FOREGROUND, case_values, subject_means


def breakdowns(rows: pd.DataFrame, metric: str, reference: str, by: str) -> pd.DataFrame:
    """One metric for each ``class`` or ``centre`` of networks, fused labels and raters, where these were measured.

    Columns ``kind candidate group n mean std``.
    """
    rows = rows[(rows["metric"] == metric) & (rows["reference"] == reference)]
    if by == "class":
        rows = rows[rows["class"] != "all"]
    parts = [
        breakdown(rows, metric, reference, by, kind=kind).assign(kind=kind) for kind in KINDS if (rows["kind"] == kind).any()
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["kind", "candidate", "group", "mean"])


def means_by_subject(rows: pd.DataFrame, metric: str, reference: str, kind: str = "method") -> pd.DataFrame:
    """Subjects x candidates, one mean value each over the foreground; empty if there are no such rows."""
    found = rows[(rows["metric"] == metric) & (rows["reference"] == reference) & (rows["kind"] == kind)]
    return subject_means(case_values(found, metric, reference, FOREGROUND, kind)) if len(found) else pd.DataFrame()


def entropy_pairs(rows: pd.DataFrame, candidates: Sequence[str]) -> dict[str, pd.DataFrame]:
    """For each candidate, case by case: ``raters``, the entropy of their soft average, and ``network``, the predicted one.

    Means over repeats of the cases that have both; a candidate without such a case is left out.
    """
    rows = rows[rows["metric"] == "entropy"]
    raters = rows[(rows["kind"] == "fusion") & (rows["candidate"] == "soft-average")].groupby("case")["value"].mean()
    predicted = {c: rows[(rows["kind"] == "method") & (rows["candidate"] == c)] for c in candidates}
    pairs = {
        c: pd.concat({"raters": raters, "network": mine.groupby("case")["value"].mean()}, axis=1).dropna()
        for c, mine in predicted.items()
    }
    return {c: pair for c, pair in pairs.items() if len(pair)}
