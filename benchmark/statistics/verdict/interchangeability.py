"""May a candidate stand in for a rater? Whether it is as close to each rater as the raters are to one another."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ....errors import RaterbenchError
from ..arithmetic import LARGEST
from .model_t import ModelT
from .shared_cells import ROW, CaseValues
from .verdicts import Better

ALL_RATERS = "all raters"
"""The row of the mean over raters."""
_NOTHING = "\0"
COLUMNS = [
    *("candidate", "rater", "difference", "low", "high", "p", "df", "words", "n_subjects", "n_models"),
    *("reason", "exploratory"),
]


def interchangeability(
    candidates: pd.DataFrame,
    panel: pd.DataFrame,
    *,
    better: Better,
    smallest_difference: float,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Leave one rater out: compare each candidate with the other raters, as segmentations of that rater's labels.

    Args:
        candidates: ``candidate rater repeat fold subject case value``: a candidate's prediction measured against one rater.
        panel: ``rater other case value``: the labels of the rater ``other`` measured against those of ``rater``.
        better: Whether larger or smaller values are closer.
        smallest_difference: What a candidate may be farther from a rater than the others are, and still stand in for one.
        alpha: One minus the level of the interval.

    Returns:
        ``COLUMNS``, a row for each candidate and rater, and one for the mean over the raters of a case. ``difference`` is the
        candidate's value minus the mean of the other raters', over the same cases, by ``model_t``; ``low`` to ``high`` its
        unadjusted 1 - ``alpha`` interval. ``words``: ``superior`` where that interval is on the better side of 0;
        ``not inferior`` where the 1 - 2 ``alpha`` interval stays above -``smallest_difference``; else ``neither``. A claim
        about every rater needs every row, so no correction is due. (As the alternative annotator test of Calderon et al.,
        2025, with the test of this benchmark.)

    Raises:
        RaterbenchError: no case was labelled by two raters, or by one of those that candidates were measured against.
    """
    others = panel[panel["rater"] != panel["other"]]
    others = others.assign(value=others["value"].where(others["value"].abs() <= LARGEST))
    among_raters = others.groupby(["rater", "case"], sort=False)["value"].mean().rename("among_raters").dropna()
    if among_raters.empty:
        raise RaterbenchError("no case has labels of two raters, so how close raters are to one another is not known")
    both = candidates.merge(among_raters.reset_index(), on=["rater", "case"])
    if both.empty:
        raise RaterbenchError("no candidate was measured against a rater on a case that another rater labelled")
    both = both.assign(gap=both["value"].where(both["value"].abs() <= LARGEST) - both["among_raters"])
    everyone = both.groupby(["candidate", *ROW], sort=False, dropna=False)["gap"].mean().reset_index()
    parts = pd.concat([both, everyone.assign(rater=ALL_RATERS)], ignore_index=True)
    rows = []
    for candidate, part in parts.groupby("candidate", sort=False):
        # A column for each rater, and one of zeros that they are compared with.
        gaps = part[[*ROW, "gap", "rater"]].rename(columns={"gap": "value", "rater": "candidate"})
        zeros = gaps[gaps["candidate"] == ALL_RATERS].assign(value=0.0, candidate=_NOTHING)
        values = CaseValues.of(pd.concat([gaps, zeros], ignore_index=True))
        for rater in pd.unique(part["rater"]):
            if (found := values.difference(str(rater), _NOTHING)) is None:
                continue
            test = found.test
            low, high = test.interval(1 - alpha)
            row = {"candidate": candidate, "rater": rater, "difference": test.mean, "low": low, "high": high, "p": test.p}
            row |= {"df": test.df, "words": _words(test, better, smallest_difference, alpha)}
            row |= {"n_subjects": test.n_subjects, "n_models": test.n_models}
            rows.append(row | {"reason": test.reason, "exploratory": test.exploratory})
    return pd.DataFrame(rows, columns=COLUMNS)


def _words(test: ModelT, better: Better, smallest_difference: float, alpha: float) -> str:
    def worst_end(level: float) -> float:
        low, high = test.interval(level)
        return low if better == "higher" else -high

    if np.isnan(test.p):
        return "neither"
    if worst_end(1 - alpha) > 0:
        return "superior"
    return "not inferior" if worst_end(1 - 2 * alpha) > -smallest_difference else "neither"
