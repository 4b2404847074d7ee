"""One candidate under several names, each trained with a seed of its own: how often a test calls chance a difference."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from ..arithmetic import largest, round_to_scale
from ..significance import bootstrap_interval, wilcoxon
from .model_t import model_t_in
from .shared_cells import CaseValues

PAIR_COLUMNS = ["p_subjects", "covers_subjects", "p_model_t", "covers_model_t", "variance_ratio"]
WAYS = ("subjects", "model_t")


@dataclass(frozen=True)
class SameCandidate:
    """Shares of the pairs of names that are called different: by Wilcoxon over subjects, and by the confirmatory test.

    ``variance_ratio``: the median over pairs of the variance of trained models / of subjects. Pairs share names, so the shares
    vary more than those of as many independent comparisons would.
    """

    n_pairs: int
    subjects: float
    model_t: float
    variance_ratio: float


def same_candidate(values: CaseValues, alpha: float = 0.05) -> SameCandidate:
    """Test all pairs of names at the level ``alpha``; NaN where no pair has a test."""
    pairs = pair_tests(values, alpha)
    subjects, model_t = (_share(pairs[f"p_{way}"], alpha) for way in WAYS)
    return SameCandidate(len(pairs), subjects, model_t, float(pairs["variance_ratio"].median()))


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


def _share(p: pd.Series, alpha: float) -> float:
    known = p.dropna()
    return float((known <= alpha).mean()) if len(known) else np.nan


def same_candidate_table(values: CaseValues, alpha: float = 0.05) -> pd.DataFrame:
    """What all pairs of names give, as ``simulation.simulation_table`` has it for simulations.

    Columns ``design spread way type_one coverage pairs subjects variance_ratio``. The designs are one repeat (every repeat
    alone, their pairs taken together) and all repeats. ``variance_ratio`` is the median over pairs, ``spread`` its root.
    """
    repeats, n_subjects = list(values.rows["repeat"].unique()), int(values.rows["subject"].nunique())
    folds = int(values.rows.groupby("repeat")["fold"].nunique().max())
    alone = [values.of_repeat(repeat) for repeat in repeats]
    designs = {"1 repeat": pd.concat([pair_tests(each, alpha) for each in alone], ignore_index=True)}
    if len(repeats) > 1:
        designs[f"{len(repeats)} repeats"] = pair_tests(values, alpha)
    rows = []
    for name, pairs in designs.items():
        ratio = float(pairs["variance_ratio"].median())
        for way in WAYS:
            found = _share(pairs[f"p_{way}"], alpha), float(pairs[f"covers_{way}"].mean())
            rows.append([f"same candidate, {name} x {folds} folds", ratio**0.5, way, *found, len(pairs), n_subjects, ratio])
    columns = ["design", "spread", "way", "type_one", "coverage", "pairs", "subjects", "variance_ratio"]
    return pd.DataFrame(rows, columns=columns)
