"""How often a test calls two equally good candidates different: benchmarks simulated under the null hypothesis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .significance import corrected_resampled_t, wilcoxon

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class NullBenchmark:
    """Two candidates without a true difference, scored in repeated cross-validation grouped by subject.

    A score is the sum of independent normal parts, each with its standard deviation: how the candidate fares on a subject
    (``subject_spread``) and on one of its slices (``slice_spread``), the same in each repeat; and the luck of the one model
    that was trained for a (repeat, fold), which all its test cases share (``model_spread``): only training again averages it
    out. How difficult a subject is for both cancels in pairs and is left out.
    """

    n_subjects: int = 36
    n_slices: int = 5
    folds: int = 5
    repeats: int = 1
    subject_spread: float = 1.0
    slice_spread: float = 1.0
    model_spread: float = 0.5

    def draw(self, rng: np.random.Generator) -> tuple[Floats, npt.NDArray[np.intp]]:
        """Differences of the two candidates [repeats, subjects, slices], and each subject's fold [repeats, subjects]."""
        both = np.sqrt(2)  # a difference of two candidates has twice the variance of one
        subjects = rng.normal(0, both * self.subject_spread, (self.n_subjects, 1))
        slices = rng.normal(0, both * self.slice_spread, (self.n_subjects, self.n_slices))
        models = rng.normal(0, both * self.model_spread, (self.repeats, self.folds))
        in_turn = np.arange(self.n_subjects) % self.folds
        fold = np.stack([rng.permutation(in_turn) for _ in range(self.repeats)])
        return subjects + slices + np.take_along_axis(models, fold, axis=1)[:, :, None], fold


class TypeOneError(NamedTuple):
    """Share of significant results under the null, for each way of testing.

    ``subjects``: Wilcoxon over one value a subject. ``cases``: over every slice. ``models``: over the mean of each (repeat,
    fold), as papers do. ``corrected_t``: the corrected resampled t-test over the same means.
    """

    subjects: float
    cases: float
    models: float
    corrected_t: float


def type_one_error(benchmark: NullBenchmark, *, simulations: int = 1000, alpha: float = 0.05, seed: int = 0) -> TypeOneError:
    """Type-I error of four ways to test; its standard error is sqrt(p (1 - p) / simulations)."""
    rng = np.random.default_rng(seed)
    found = np.zeros(4)
    for _ in range(simulations):
        difference, fold = benchmark.draw(rng)
        means = fold_means(difference.mean(axis=2), fold, benchmark.folds)
        over_repeats = difference.mean(axis=0)
        p = (
            wilcoxon(over_repeats.mean(axis=1)).p,
            wilcoxon(over_repeats.ravel()).p,
            wilcoxon(means.ravel()).p,
            corrected_resampled_t(means.ravel(), 1 / (benchmark.folds - 1)),
        )
        found += np.array(p) <= alpha
    return TypeOneError(*(float(share) for share in found / simulations))


def fold_means(values: Floats, fold: npt.NDArray[np.intp], folds: int) -> Floats:
    """Mean over the subjects of each (repeat, fold), [repeats, folds], from values and folds [repeats, subjects]."""
    inside = fold[:, None, :] == np.arange(folds)[:, None]
    means: Floats = (inside * values[:, None, :]).sum(axis=2) / inside.sum(axis=2)
    return means
