"""Which candidate is ahead: mean ranks and the composite score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import pandas as pd

Values = TypeVar("Values", pd.DataFrame, pd.Series)


def goodness(values: Values, better: str) -> Values | None:
    """Values turned so that larger is better; ``zero`` is for signed errors; None for a metric without direction."""
    if better == "higher":
        return values
    if better == "lower":
        return -values
    return -values.abs() if better == "zero" else None


def mean_ranks(values: pd.DataFrame, better: str) -> pd.Series:
    """Mean over subjects of a candidate's rank within the subject (1 is best, ties share), from subjects x candidates.

    Subjects with a missing value are left out; NaN for a metric without direction.
    """
    good = goodness(values.dropna().round(12), better)
    if good is None or good.empty:
        return pd.Series(float("nan"), index=values.columns)
    return good.rank(axis=1, ascending=False).mean()


def composite_score(means: pd.DataFrame, better: Mapping[str, str], ddof: int = 1) -> pd.Series:
    """Mean over metrics of the z-score over candidates, from candidates x metrics; larger is better.

    It depends on which candidates take part: adding a bad one changes every score. Metrics without direction, and those in
    which all candidates are equal, are left out. (The score of the SoftSeg papers, which do not state ``ddof``.)
    """
    scores = {}
    for metric in means.columns:
        good = goodness(means[metric], better.get(str(metric), "none"))
        if good is not None and good.std(ddof=ddof) > 0:
            scores[str(metric)] = (good - good.mean()) / good.std(ddof=ddof)
    return pd.DataFrame(scores, index=means.index).mean(axis=1)
