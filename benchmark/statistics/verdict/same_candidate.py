"""One candidate under several names, each trained with a seed of its own: how often a test calls chance a difference."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from ..arithmetic import largest, round_to_scale
from ..significance import bootstrap_interval, wilcoxon
from .model_t import model_t_in
from .shared_cells import CaseValues

PAIR_COLUMNS = ["p_subjects", "covers_subjects", "p_model_t", "covers_model_t", "variance_ratio"]


@dataclass(frozen=True)
class SameCandidate:
    """Shares of the pairs of names that are called different: by Wilcoxon over subjects, and by the confirmatory test.

    The coverages are shares of the pairs whose interval contains 0: the bootstrap interval over subjects, and that of the
    confirmatory test. ``variance_ratio``: the median over pairs of the variance of trained models / of subjects. Pairs share
    names, so all shares vary more than those of as many independent comparisons would.
    """

    n_pairs: int
    subjects: float
    model_t: float
    subjects_coverage: float
    model_t_coverage: float
    variance_ratio: float


def same_candidate(values: CaseValues, alpha: float = 0.05) -> SameCandidate:
    """Test all pairs of names at the level ``alpha``; NaN where no pair has a test."""
    return _summary(pair_tests(values, alpha), alpha)


def pair_tests(values: CaseValues, alpha: float = 0.05) -> pd.DataFrame:
    """One row a pair of names that share something: columns ``PAIR_COLUMNS``.

    ``subjects`` is Wilcoxon's test and the bootstrap interval over one value a subject, ``model_t`` the confirmatory test and
    its interval; ``covers`` says whether the interval of level 1 - ``alpha`` contains 0, NaN where there is no interval.
    """
    rows = []
    for one, other in combinations(values.candidates, 2):
        if (both := values.entries([one, other])) is None:
            continue
        gaps = round_to_scale(both.values[:, 0] - both.values[:, 1], largest(both.values))
        by_subject = both.design.subject_means(gaps[:, None])[:, 0]
        test = model_t_in(both.design, gaps)
        intervals = bootstrap_interval(by_subject, confidence=1 - alpha), test.interval(1 - alpha)
        covers = [np.nan if np.isnan(low) else float(low <= 0 <= high) for low, high in intervals]
        rows.append([wilcoxon(by_subject).p, covers[0], test.p, covers[1], test.variance_ratio])
    return pd.DataFrame(rows, columns=PAIR_COLUMNS, dtype=float)


def _summary(pairs: pd.DataFrame, alpha: float) -> SameCandidate:
    p = pairs[["p_subjects", "p_model_t"]]
    shares = (p <= alpha).where(p.notna()).astype(float).mean()
    covered = pairs[["covers_subjects", "covers_model_t"]].mean()
    return SameCandidate(len(pairs), *map(float, [*shares, *covered, pairs["variance_ratio"].median()]))


def same_candidate_table(cases: pd.DataFrame, alpha: float = 0.05) -> pd.DataFrame:
    """One row a design: columns ``design n_subjects`` and those of :class:`SameCandidate`.

    ``cases`` is a table as ``CaseValues.of`` takes it. The designs, repeats x folds, are one repeat (every repeat
    alone, their pairs taken together) and all repeats.
    """
    of_repeats = dict(iter(cases.groupby("repeat")))
    folds = int(cases.groupby("repeat")["fold"].nunique().max())
    alone = [pair_tests(CaseValues.of(of_one), alpha) for of_one in of_repeats.values()]
    found = {f"1 x {folds} folds": _summary(pd.concat(alone, ignore_index=True), alpha)}
    if len(of_repeats) > 1:
        found[f"{len(of_repeats)} x {folds} folds"] = same_candidate(CaseValues.of(cases), alpha)
    n_subjects = int(cases["subject"].nunique())
    return pd.DataFrame([{"design": name, "n_subjects": n_subjects, **asdict(rates)} for name, rates in found.items()])
