"""How far each estimate of a rater's confusion is from the true one: one value a fold, and its mean and interval over folds.

The tables of confusions have the columns ``candidate repeat fold rater observed true estimate truth reference``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from .significance import corrected_t_interval

IDENTITY = "Identity matrix"
"""The trivial estimate: every rater is always right."""
FOLD = ["candidate", "repeat", "fold", "rater"]


@dataclass(frozen=True)
class MeanInterval:
    """A mean over folds and repeats with its interval (NaN with one fold), and how many folds there were."""

    mean: float
    low: float
    high: float
    n: int


def compared_with(confusions: pd.DataFrame) -> str:
    """What estimates are compared with: ``truth``, ``others`` where the truth is unknown, or nothing (empty)."""
    have = set(confusions.loc[confusions["truth"].notna(), "reference"].unique())
    return next((name for name in ("truth", "others") if name in have), "")


def estimators(confusions: pd.DataFrame, candidates: Sequence[str]) -> list[str]:
    """Who estimates raters: candidates in their order, then fusions."""
    have = list(dict.fromkeys(map(str, confusions["candidate"])))
    return [c for c in candidates if c in have] + [c for c in have if c not in candidates]


def rater_errors(confusions: pd.DataFrame) -> pd.DataFrame:
    """``candidate repeat fold rater rmse``: the error of every estimate, and of the identity; NaN for a rater never seen.

    Entries that are NaN in the estimate or in the truth (a class that does not occur) are left out.
    """
    trivial = confusions.drop_duplicates(["repeat", "fold", "rater", "observed", "true"])
    right = (trivial["observed"] == trivial["true"]).astype(float)
    both = pd.concat([confusions, trivial.assign(candidate=IDENTITY, estimate=right)], ignore_index=True)
    both["rmse"] = np.square(both["estimate"].astype(float) - both["truth"].astype(float))
    found = both.groupby(FOLD, sort=False)["rmse"].mean().reset_index()
    return found.assign(rmse=np.sqrt(found["rmse"]))


def over_raters(errors: pd.DataFrame) -> pd.DataFrame:
    """``candidate repeat fold rmse``: the mean over raters in each fold."""
    return errors.groupby(FOLD[:3], sort=False)["rmse"].mean().reset_index()


def over_folds(errors: pd.DataFrame) -> dict[tuple[str, str], float]:
    """The error of each (candidate, rater): the mean over folds and repeats."""
    means = errors.groupby(["candidate", "rater"], sort=False)["rmse"].mean()
    return {(str(row["candidate"]), str(row["rater"])): float(row["rmse"]) for _, row in means.reset_index().iterrows()}


def mean_entries(confusions: pd.DataFrame, candidate: str) -> pd.DataFrame:
    """``rater observed true estimate truth`` of one estimator, means over folds and repeats, where both are known."""
    mine = confusions[confusions["candidate"] == candidate]
    return mine.groupby(["rater", "observed", "true"], sort=False)[["estimate", "truth"]].mean().dropna().reset_index()


def mean_matrix(confusions: pd.DataFrame, rater: str, classes: Sequence[str], column: str) -> npt.NDArray[np.float64]:
    """A rater's matrix [K, K], mean over folds and repeats: observed down, true across; NaN where nothing is known.

    ``column`` is ``estimate`` or ``truth``.
    """
    mine = confusions[confusions["rater"] == rater]
    wide = mine.pivot_table(index="observed", columns="true", values=column, aggfunc="mean", dropna=False)
    return wide.reindex(index=list(classes), columns=list(classes)).to_numpy(dtype=float)


def mean_interval(values: pd.Series, test_to_train: float, alpha: float) -> MeanInterval:
    """Mean and interval of values, one a fold and repeat.

    Folds share training cases, which widens the interval (``significance.corrected_t_interval``). ``test_to_train`` is 0 for
    repeats of training on a data set's own training part.
    """
    values = values.dropna()
    low, high = corrected_t_interval(values.to_numpy(float), test_to_train, 1 - alpha)
    return MeanInterval(float(values.mean()) if len(values) else np.nan, low, high, len(values))
