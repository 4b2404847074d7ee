"""Which candidates have collapsed, so that a good number of theirs on something else is no merit."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

OVERLAPS = {"dice": "Dice", "recall": "recall"}
"""Metrics that show a collapse: of a candidate that predicts almost nothing, or almost everything."""
SHARE = 0.5
"""A mean of at most this share of the best candidate's is a collapse."""
RULE = "A candidate has collapsed if its mean Dice or recall of a class is at most half of the best candidate’s, or 0."


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
