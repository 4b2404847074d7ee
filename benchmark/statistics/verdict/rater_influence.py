"""How the order of candidates depends on who the raters are: without each rater, and with fewer raters."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pandas as pd

from ..arithmetic import LARGEST, Floats, largest, round_to_scale
from .verdicts import Better

NOBODY = ""
"""In the column ``left_out``: the whole panel."""
MOST_PANELS = 200
"""Panels of one size that are looked at; of more, so many are drawn."""
MOST_SIZES = 20
"""Sizes of panels that are looked at; of more raters, so many evenly spread ones."""


def leave_a_rater_out(values: pd.DataFrame, *, better: Better) -> pd.DataFrame:
    """Means and ranks of the candidates against the panel, and against the panel without each rater.

    Args:
        values: ``candidate rater repeat fold subject case value``: a prediction measured against one rater.
        better: Whether larger or smaller values are better.

    Returns:
        ``left_out candidate mean rank``; ``left_out`` is empty for the whole panel. A mean is over subjects of the mean over
        raters of a subject's mean over cases and repeats. Nothing is trained or predicted anew.
    """
    candidates, raters, means = _subject_means(values)
    parts = []
    for left_out in [NOBODY, *(raters if len(raters) > 1 else [])]:
        panel = _panel_means(means[:, [rater != left_out for rater in raters]])
        part = {"left_out": left_out, "candidate": candidates, "mean": panel, "rank": _ranks(panel, better)}
        parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


def rater_curve(values: pd.DataFrame, *, better: Better, seed: int = 0) -> pd.DataFrame:
    """How often a smaller panel gives the same answer: ``n_raters panels same_best agreement``, arguments as above.

    ``same_best``: share of panels of that size with the best candidate of the whole panel; ``agreement``: mean of Kendall's tau
    between their order of candidates and the whole panel's. At most ``MOST_PANELS`` panels of a size, drawn by ``seed``, and
    ``MOST_SIZES`` sizes, one rater and all of them included.
    """
    _, raters, means = _subject_means(values)
    random = np.random.default_rng(seed)
    whole = _ranks(_panel_means(means), better)
    rows = []
    for size in np.unique(np.linspace(1, len(raters), min(len(raters), MOST_SIZES)).round().astype(int)).tolist():
        if comb(len(raters), size) <= MOST_PANELS:
            panels = [list(panel) for panel in combinations(range(len(raters)), size)]
        else:
            panels = [list(random.choice(len(raters), size, replace=False)) for _ in range(MOST_PANELS)]
        ranks = _ranks(np.stack([_panel_means(means[:, panel]) for panel in panels]), better)
        ranks = ranks[np.isfinite(ranks).any(axis=1)]
        # fmin ignores NaN and gives NaN without a warning where nothing else is there.
        same = ((whole == np.fmin.reduce(whole)) & (ranks == np.fmin.reduce(ranks, axis=1, keepdims=True))).any(axis=1)
        tau = _kendall(whole, ranks)
        tau = tau[np.isfinite(tau)]
        rows.append((size, len(panels), same.mean() if len(same) else np.nan, tau.mean() if len(tau) else np.nan))
    return pd.DataFrame(rows, columns=["n_raters", "panels", "same_best", "agreement"])


def _subject_means(values: pd.DataFrame) -> tuple[list[str], list[str], Floats]:
    """Candidates, raters, and means over repeats and cases [candidates, raters, subjects]; NaN where there is no value.

    A (rater, subject) that one candidate lacks is left out for all, so that candidates are compared on the same.
    """
    value = values["value"].where(values["value"].abs() <= LARGEST)
    by_case = values.assign(value=value).groupby(["candidate", "rater", "subject", "case"], sort=True)["value"].mean()
    by_subject = by_case.groupby(["candidate", "rater", "subject"], sort=True).mean()
    candidates = [str(c) for c in pd.unique(values["candidate"])]
    wide = by_subject.unstack(["rater", "subject"]).reindex(candidates).sort_index(axis=1)
    raters = [str(r) for r in wide.columns.unique("rater")]
    full = pd.MultiIndex.from_product([wide.columns.unique("rater"), wide.columns.unique("subject")])
    means = wide.reindex(columns=full).to_numpy(dtype=float).reshape(len(candidates), len(raters), -1)
    return candidates, raters, np.where(np.isnan(means).any(axis=0), np.nan, means)


def _panel_means(means: Floats) -> Floats:
    """Mean over subjects of the mean over raters [candidates] of means [candidates, raters, subjects]."""
    known = np.isfinite(means)
    count = known.sum(axis=1)
    subjects = np.where(known, means, 0).sum(axis=1) / np.where(count > 0, count, 1)
    rated = count > 0
    found: Floats = np.where(rated.any(axis=1), (subjects * rated).sum(axis=1) / np.maximum(rated.sum(axis=1), 1), np.nan)
    return round_to_scale(found, largest(found))


def _ranks(means: Floats, better: Better) -> Floats:
    """1 is best within the last axis, ties share; NaN without a mean."""
    ranks: Floats = pd.DataFrame(np.atleast_2d(means)).rank(axis=1, ascending=better == "lower").to_numpy()
    return ranks.reshape(means.shape)


def _kendall(whole: Floats, ranks: Floats) -> Floats:
    """Kendall's tau b [n] of ranks [candidates] with some others [n, candidates]; NaN where all are tied or one is missing."""
    i, j = np.triu_indices(len(whole), 1)
    one, other = np.sign(whole[i] - whole[j]), np.sign(ranks[:, i] - ranks[:, j])
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = (one * other).sum(axis=1) / np.sqrt((one**2).sum() * (other**2).sum(axis=1))
    return found
