"""Which candidate is ahead: mean ranks and the composite score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import pandas as pd

from .arithmetic import largest, mean_and_std, round_to_scale
from .subjects import case_values

Values = TypeVar("Values", pd.DataFrame, pd.Series)

COMPOSITE_METRICS = {"dice": "higher", "precision": "higher", "recall": "higher", "avd": "lower"}
"""The metrics of a composite score, and which of their values are better."""
COMPOSITE_COLUMNS = ["candidate", "repeat", "fold", "subject", "score", "defined"]


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
    good = goodness(without_rounding_error(values.dropna()), better)
    if good is None or good.empty:
        return pd.Series(float("nan"), index=values.columns)
    return good.rank(axis=1, ascending=False).mean()


def without_rounding_error(values: Values) -> Values:
    """The same values with 12 significant digits of the largest, so that equal ones are equal to the last bit."""
    numbers = values.to_numpy(dtype=float)
    rounded = round_to_scale(numbers, largest(numbers))
    if isinstance(values, pd.DataFrame):
        return pd.DataFrame(rounded, values.index, values.columns)
    return pd.Series(rounded, values.index, name=values.name)


def best_of(means: pd.Series, better: str) -> pd.Series:
    """Which of some means are the best, ties included: bool, same index. None is without a direction or a value."""
    good = goodness(without_rounding_error(means), better)
    if good is None:
        return pd.Series(False, index=means.index)
    return good.eq(good.max()) & good.notna()


def composite_score(means: pd.DataFrame, better: Mapping[str, str], ddof: int = 1) -> pd.Series:
    """Mean over metrics of the z-score over candidates, from candidates x metrics; larger is better.

    It depends on which candidates take part: adding a bad one changes every score. Metrics without direction, and those in
    which all candidates are equal, are left out. (The score of the SoftSeg papers, which do not state ``ddof``.)
    """
    scores = {}
    for metric in means.columns:
        good = goodness(without_rounding_error(means[metric]), better.get(str(metric), "none"))
        if good is None:
            continue
        mean, std = mean_and_std(good)
        if std > 0:
            n = int(good.notna().sum())
            scores[str(metric)] = (good - mean) / (std * ((n - 1) / (n - ddof)) ** 0.5)
    return pd.DataFrame(scores, index=means.index).mean(axis=1)


def composite_scores(rows: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Composite score of every candidate, subject and split: ``COMPOSITE_COLUMNS``.

    Each of ``COMPOSITE_METRICS`` is averaged over the foreground classes of a case and over the cases of a subject. Its z-score
    is that over the values of all candidates, subjects and splits together (``composite_score``); a score is the mean of the
    z-scores of the metrics that are ``defined`` there, which are counted. Empty unless all metrics were measured against
    ``reference``.
    """
    measured = rows[(rows["reference"] == reference) & (rows["kind"] == "method")]
    if not set(COMPOSITE_METRICS) <= set(measured["metric"]):
        return pd.DataFrame(columns=COMPOSITE_COLUMNS)
    index = COMPOSITE_COLUMNS[:4]
    found = {m: case_values(measured, m, reference).groupby(index, sort=False)["value"].mean() for m in COMPOSITE_METRICS}
    values = pd.DataFrame(found)
    scores = composite_score(values, COMPOSITE_METRICS)
    return pd.DataFrame({"score": scores, "defined": values.notna().sum(axis=1)}).reset_index()[COMPOSITE_COLUMNS]
