"""What could overturn the answer: other trainings, and another reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from ...benchmark.statistics.verdict.shared_cells import CaseValues
from ..tables.wording import joined, words_of


def other_trainings(rows: pd.DataFrame, repeats: pd.DataFrame) -> str:
    """Between which ranks the best candidates may lie, and how often each was first; empty where nothing is known.

    ``rows`` has ``rank rank_low rank_high`` by candidate, ``repeats`` [repeats x candidates] the means in each repeat, turned
    so that larger is better.
    """
    known = rows[rows["rank_low"].notna()].sort_values("rank", kind="stable")
    if known.empty:
        return ""
    best = known[known["rank"] == known["rank"].min()]
    places = joined([f"{name} ranks {_range(row['rank_low'], row['rank_high'])}" for name, row in best.iterrows()])
    said = f"With other subjects and trainings {places} of {len(known)}"
    if len(repeats) < 2:
        return f"{said}."
    first = repeats.idxmax(axis=1).value_counts()
    wins = joined([f"{name} in {n}" for name, n in first.items()])
    return f"{said}; of the {len(repeats)} repeats, the best mean has {wins}."


def repeat_means(values: CaseValues) -> pd.DataFrame:
    """Repeats x candidates: the mean over subjects of what all candidates share, in each repeat."""
    shared = pd.DataFrame(values.values, columns=list(values.candidates)).dropna()
    keys = values.rows.loc[shared.index, ["repeat", "subject"]]
    by_subject = shared.groupby([keys["repeat"], keys["subject"]]).mean()
    return by_subject.groupby(level=0).mean()


def another_reference(best: Mapping[str, Sequence[str]], primary: str) -> str:
    """Who is first against which reference; ``best`` has the first candidates of each reference. Empty with one reference."""
    others = {reference: list(names) for reference, names in best.items() if reference != primary and names}
    if not others or not best.get(primary):
        return ""
    same = [words_of(r) for r, names in others.items() if set(names) & set(best[primary])]
    first = joined(list(best[primary]))
    if len(same) == len(others):
        return f"{first} has the best mean against each of the {len(best)} references."
    changed: dict[str, list[str]] = {}
    for reference, names in others.items():
        if not set(names) & set(best[primary]):
            changed.setdefault(joined(names), []).append(words_of(reference))
    parts = [f"against {joined(references)} it is {names}" for names, references in changed.items()]
    where = joined([words_of(primary), *same])
    return f"The best mean depends on the reference: against {where} it is that of {first}, {'; '.join(parts)}."


def _range(low: float, high: float) -> str:
    return f"{low:.0f}" if low == high else f"{low:.0f} to {high:.0f}"
