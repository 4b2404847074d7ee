"""How often tests call two equally good candidates different in diagnosis, and how often intervals cover the true area."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from ..significance import corrected_resampled_t
from .area_test import area_test, difference_test
from .network_scores import FoldScores, NetworkScores
from .these_models import delong_p

COMMON, OWN, REST = 0.8, 0.5, 0.4
"""Standard deviations of the score of a case: its difficulty for both candidates, that for one, and what a training adds."""
GAP = 1.5
"""How much higher positives score on average."""
WAYS = {"model_t": "model t", "corrected_t": "corrected resampled t", "delong": "DeLong"}


@dataclass(frozen=True)
class NullDiagnosis:
    """Two equally good candidates in stratified cross-validation; half of the cases are positive, one case a subject.

    ``model_spread``: the standard deviation over trained models of the gap between positives and negatives. ``advantage``: what
    one candidate's gap has more, for the power of tests. With one fold it is a hold-out.
    """

    n_cases: int = 60
    folds: int = 5
    repeats: int = 3
    model_spread: float = 0.0
    advantage: float = 0.0

    @property
    def area(self) -> float:
        """The expected area under the curve of a candidate without advantage."""
        spread = 2 * (COMMON**2 + OWN**2 + REST**2) + self.model_spread**2
        return float(special.ndtr(GAP / np.sqrt(spread)))

    def draw(self, rng: np.random.Generator) -> tuple[NetworkScores, NetworkScores]:
        """The scores of both, the one with the advantage first."""
        positive = np.arange(self.n_cases) % 2 == 0
        case = np.array([f"{number:05}" for number in range(self.n_cases)], object)
        common = rng.normal(0, COMMON, self.n_cases) + rng.normal(0, OWN, (2, self.n_cases))
        folds: list[list[FoldScores]] = [[], []]
        for repeat in range(self.repeats):
            place = np.empty(self.n_cases, int)
            for side in (positive, ~positive):
                place[side] = rng.permutation(np.arange(side.sum()) % self.folds)
            for fold in range(self.folds):
                here = place == fold
                gaps = rng.normal((GAP + self.advantage, GAP), self.model_spread)
                scores = gaps[:, None] * positive[here] + common[:, here] + rng.normal(0, REST, (2, here.sum()))
                for mine, score in zip(folds, scores, strict=True):
                    mine.append(FoldScores((repeat, fold), case[here], case[here], positive[here], score))
        return NetworkScores(folds[0]), NetworkScores(folds[1])


def rejection_rates(design: NullDiagnosis, *, simulations: int = 1000, alpha: float = 0.05, seed: int = 0) -> pd.Series:
    """Shares of simulations: significant differences by ``WAYS``, and ``coverage`` of the area by its interval.

    Without an advantage the first are errors of type I. The standard error of each is sqrt(p (1 - p) / simulations).
    """
    rng, rows = np.random.default_rng(seed), []
    for _ in range(simulations):
        ours, theirs = design.draw(rng)
        gaps = [one.area - other.area for one, other in zip(ours.folds, theirs.folds, strict=True)]
        corrected = corrected_resampled_t(gaps, 1 / (design.folds - 1)) if design.folds > 1 else np.nan
        p = np.array([difference_test(ours, theirs).p, corrected, delong_p(ours, theirs)])
        low, high = area_test(theirs).interval(1 - alpha)
        rows.append([*np.where(np.isnan(p), np.nan, p <= alpha), low <= design.area <= high])
    return pd.DataFrame(rows, columns=[*WAYS, "coverage"], dtype=float).mean()
