"""One candidate under several names, each trained with a seed of its own: how often a test calls chance a difference."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..arithmetic import largest, round_to_scale
from ..significance import wilcoxon
from .model_t import model_t_in
from .shared_cells import CaseValues


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
    over_subjects, model_t, ratios = [], [], []
    for one, other in combinations(values.candidates, 2):
        if (both := values.entries([one, other])) is None:
            continue
        gaps = round_to_scale(both.values[:, 0] - both.values[:, 1], largest(both.values))
        test = model_t_in(both.design, gaps)
        over_subjects.append(wilcoxon(both.design.subject_means(gaps[:, None])[:, 0]).p)
        model_t.append(test.p)
        ratios.append(test.variance_ratio)

    def share(p: list[float]) -> float:
        known = np.array(p)[np.isfinite(p)]
        return float((known <= alpha).mean()) if known.size else np.nan

    known = [ratio for ratio in ratios if not np.isnan(ratio)]
    return SameCandidate(len(model_t), share(over_subjects), share(model_t), float(np.median(known)) if known else np.nan)
