"""Which candidates have collapsed, so that a good number of theirs on something else is no merit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from .subjects import case_values, subject_means

OVERLAPS = {"dice": "Dice", "recall": "recall"}
"""Metrics that show a collapse: of a candidate that predicts almost nothing, or almost everything."""
SHARE = 0.5
"""A mean of at most this share of the best candidate's is a collapse."""
KINDS_WITHOUT_NETWORK = ("fusion", "rater")
RULE = "A candidate has collapsed if its mean Dice or recall of a class is at most half of the best candidate’s, or 0."


def far_behind(table: pd.DataFrame, better: str) -> list[str]:
    """Candidates that segment far worse than the best one, whose probabilities may be right because they say little.

    They are worse on the primary metric than every rater and all fused labels, and their interval lies wholly beyond that of
    the best candidate. ``table`` has ``kind candidate mean ci_low ci_high`` of that metric; ``better`` is what is better.
    """
    if better not in ("higher", "lower"):
        return []
    sign = 1 if better == "higher" else -1
    ends = sign * table[["ci_low", "ci_high"]].astype(float)
    table = table.assign(mean=sign * table["mean"].astype(float), low=ends.min(axis=1), high=ends.max(axis=1))
    methods = table[(table["kind"] == "method") & table["mean"].notna()]
    worst = table.loc[table["kind"].isin(KINDS_WITHOUT_NETWORK), "mean"].min()
    if methods.empty:
        return []
    best_low = methods["low"].iloc[int(methods["mean"].to_numpy().argmax())]
    behind = (methods["high"] < best_low) & ~(methods["mean"] >= worst)
    return [str(name) for name in methods.loc[behind, "candidate"]]


def overlap_means(rows: pd.DataFrame, references: Mapping[str, str], classes: Sequence[str]) -> dict[str, pd.Series]:
    """Each candidate's mean over subjects of every metric and class that shows a collapse, by what it is in words.

    ``references`` has what each measured metric is compared against.
    """
    methods, means = rows[rows["kind"] == "method"], {}
    for metric in [m for m in OVERLAPS if m in references]:
        mine = methods[(methods["metric"] == metric) & (methods["reference"] == references[metric])]
        for name in classes:
            words = OVERLAPS[metric] + (f" of {name}" if len(classes) > 1 else "")
            part = mine[mine["class"] == name]
            means[words] = subject_means(case_values(part, metric, references[metric], name)).mean()
    return means


def collapsed_candidates(means: Mapping[str, pd.Series]) -> dict[str, str]:
    """For each collapsed candidate the first mean that shows it, in words.

    ``means`` holds, for what is measured in words (``Dice``, ``recall of white matter``), the mean of every candidate. A
    collapsed network calls everything background, so its probabilities are mostly right and its false positives few: it may
    not be called the best on these. Where the best mean is 0 everybody has collapsed.
    """
    found: dict[str, str] = {}
    for words, values in means.items():
        best = values.max()
        for name, value in values[values <= SHARE * best].items():
            beside = f", at most half of the best candidate’s {best:.3f}" if best > 0 else ""
            found.setdefault(str(name), f"mean {words} {value:.3f}{beside}")
    return found
