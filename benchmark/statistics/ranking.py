"""Which candidate is ahead: mean ranks and composite scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import pandas as pd

from .arithmetic import largest, mean_and_std, round_to_scale
from .long_rows import LongRows
from .shared_units import LEAST

Values = TypeVar("Values", pd.DataFrame, pd.Series)

COMPOSITE = {"dice": "higher", "precision": "higher", "recall": "higher", "avd": "lower"}
"""The metrics of the published composite score, and what is better."""
ENTRY = ["repeat", "fold", "subject"]


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


def z_scores(values: pd.DataFrame, better: Mapping[str, str], ddof: int = 1) -> pd.DataFrame:
    """The z-score of each value over its column, from rows x metrics, turned so that larger is better.

    Metrics without direction, and those of which all values are equal, are left out.
    """
    scores = {}
    for metric in values.columns:
        good = goodness(without_rounding_error(values[metric]), better.get(str(metric), "none"))
        if good is None:
            continue
        mean, std = mean_and_std(good)
        if std > 0:
            n = int(good.notna().sum())
            scores[str(metric)] = (good - mean) / (std * ((n - 1) / (n - ddof)) ** 0.5)
    return pd.DataFrame(scores, index=values.index)


def composite_score(values: pd.DataFrame, better: Mapping[str, str], ddof: int = 1) -> pd.Series:
    """Mean over metrics of the z-scores (``z_scores``) of each row; larger is better.

    It depends on what takes part: adding a bad candidate changes every score. (The score of the SoftSeg papers, which do not
    state ``ddof``.)
    """
    return z_scores(values, better, ddof).mean(axis=1)


@dataclass(frozen=True, eq=False)
class CompositeScores:
    """The composite score of each candidate for every subject of every trained model.

    ``scores``: (repeat, fold, subject) x candidates. ``parts``: candidates x metrics, the mean z-score of each. ``mean_ranks``:
    a candidate's mean over subjects, trained models and metrics of its rank (1 is best, ties share). ``n_left_out`` subjects of
    trained models lack a value of some candidate. ``apart``: candidates that lack too many, and have no score.
    """

    scores: pd.DataFrame
    parts: pd.DataFrame
    mean_ranks: pd.Series
    n_left_out: int
    apart: Sequence[str]


def composite_scores(rows: LongRows, reference: str, better: Mapping[str, str] = COMPOSITE) -> CompositeScores | None:
    """Composite scores as the SoftSeg papers have them: z-scores over the values of all candidates, subjects and trainings.

    A value is the mean over a subject's cases of one trained model, on the mean over foreground classes. All candidates with
    at least half of the fullest one's values are compared, on what they share. None where nothing is shared, or all is equal.

    Raises:
        RaterbenchError: a metric was not measured against the reference.
    """
    columns = []
    for metric in better:
        values, _ = rows.values(metric, reference)
        candidates = pd.Index(values.candidates, name="candidate")
        table = pd.DataFrame(values.values, pd.MultiIndex.from_frame(values.rows[ENTRY]), candidates)
        columns.append(pd.Series(table.groupby(level=ENTRY).mean().stack(), name=metric))
    known = pd.concat(columns, axis=1).dropna()
    counts = known.groupby(level="candidate").size()
    complete = [name for name in rows.methods if counts.get(name, 0) >= max(1, LEAST * counts.max())]
    n_entries = known.groupby(level=ENTRY).ngroups
    known = known[known.index.get_level_values("candidate").isin(complete)]
    whole = known.groupby(level=ENTRY).transform("size") == len(complete)
    known = known[whole.to_numpy()]
    z = z_scores(known, better) if len(known) else known.iloc[:, :0]
    if z.empty:
        return None
    wide = {metric: known[str(metric)].unstack("candidate")[complete] for metric in better}
    ranks = pd.DataFrame({metric: mean_ranks(table, better[metric]) for metric, table in wide.items()})
    return CompositeScores(
        scores=z.mean(axis=1).unstack("candidate")[complete],
        parts=z.groupby(level="candidate").mean().loc[complete],
        mean_ranks=ranks.mean(axis=1),
        n_left_out=n_entries - len(wide[next(iter(better))]),
        apart=[name for name in rows.methods if name not in complete],
    )
