"""How often tests call two equally good candidates different, and how often intervals cover the truth, in simulation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from .arithmetic import Floats
from .significance import expanded_quantiles, signed_rank_p
from .verdict.design import Design

RUNS_PER_DESIGN = 25
"""Simulations that share their folds, so that what depends on the folds alone is computed once."""
RESAMPLES = 2000

SPREADS = (0.0, 0.5, 1.0)
"""Standard deviations of the luck of training, in units of that of subjects."""


@dataclass(frozen=True)
class NullBenchmark:
    """Two candidates without a true difference, scored in repeated cross-validation grouped by subject.

    A score is the sum of independent normal parts, each with its standard deviation: how the candidate fares on a subject
    (``subject_spread``) and on one of its slices (``slice_spread``), the same in each repeat; the luck of the one model that
    was trained for a (repeat, fold), which all its test cases share (``model_spread``): only training again averages it out;
    and what is new for each subject in each repeat (``rest_spread``). How difficult a subject is for both cancels in pairs
    and is left out. With one fold it is a hold-out: one model a repeat tests all subjects. ``missing_folds`` says how many
    folds are missing from each of the last repeats, so (1,) is a failed fold, and (1, 3) makes repeats of unequal size.
    """

    n_subjects: int = 36
    n_slices: int = 5
    folds: int = 5
    repeats: int = 1
    subject_spread: float = 1.0
    slice_spread: float = 1.0
    model_spread: float = 0.5
    rest_spread: float = 0.0
    missing_folds: tuple[int, ...] = ()

    def draw(self, rng: np.random.Generator, runs: int = 1) -> tuple[Floats, npt.NDArray[np.intp]]:
        """Differences of the two candidates [runs, repeats, subjects, slices], and subjects' folds [repeats, subjects]."""
        both = np.sqrt(2)  # a difference of two candidates has twice the variance of one
        subjects = rng.normal(0, both * self.subject_spread, (runs, 1, self.n_subjects, 1))
        slices = rng.normal(0, both * self.slice_spread, (runs, 1, self.n_subjects, self.n_slices))
        models = rng.normal(0, both * self.model_spread, (runs, self.repeats, self.folds))
        rest = rng.normal(0, both * self.rest_spread, (runs, self.repeats, self.n_subjects, 1))
        in_turn = np.arange(self.n_subjects) % self.folds
        fold = np.stack([rng.permutation(in_turn) for _ in range(self.repeats)])
        return subjects + slices + rest + np.take_along_axis(models, fold[None], axis=2)[..., None], fold

    def tested(self, fold: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
        """Which subjects have a value in which repeat [repeats, subjects], of their folds [repeats, subjects]."""
        missing = (0,) * (self.repeats - len(self.missing_folds)) + self.missing_folds
        there: npt.NDArray[np.bool_] = fold >= np.array(missing)[:, None]
        return there


@dataclass(frozen=True)
class ErrorRates:
    """Shares of simulations: significant results where nothing differs, and intervals that cover the true difference.

    ``subjects``: Wilcoxon over one value a subject, and the bootstrap over subjects. ``cases``: Wilcoxon over every slice.
    ``models``: Wilcoxon over the mean of each (repeat, fold), as papers do. ``corrected_t``: the corrected resampled t-test
    over the same means (of cross-validation alone). ``model_t``: the confirmatory test. NaN where a design gives no p.
    """

    subjects: float
    cases: float
    models: float
    corrected_t: float
    model_t: float
    subjects_coverage: float
    corrected_t_coverage: float
    model_t_coverage: float


def error_rates(benchmark: NullBenchmark, *, simulations: int = 1000, alpha: float = 0.05, seed: int = 0) -> ErrorRates:
    """Type-I errors and coverages; the standard error of each is sqrt(p (1 - p) / simulations)."""
    rng = np.random.default_rng(seed)
    parts = []
    for start in range(0, simulations, RUNS_PER_DESIGN):
        runs = min(RUNS_PER_DESIGN, simulations - start)
        parts.append(_outcomes(benchmark, *benchmark.draw(rng, runs), alpha))
    return ErrorRates(*np.concatenate(parts, axis=1).mean(axis=1))


def _outcomes(benchmark: NullBenchmark, differences: Floats, fold: npt.NDArray[np.intp], alpha: float) -> Floats:
    """What happened in each run, 1 or 0 [fields of ``ErrorRates``, runs], of differences [runs, repeats, subjects, slices]."""
    there = benchmark.tested(fold)
    tested = there.any(axis=0)
    scores = differences.mean(axis=3)
    by_subject = (scores * there).sum(axis=1)[:, tested] / there.sum(axis=0)[tested]
    by_case = (differences * there[..., None]).sum(axis=1)[:, tested] / there.sum(axis=0)[tested][:, None]
    repeat, subject = np.nonzero(there)
    model = np.unique(repeat * benchmark.folds + fold[there], return_inverse=True)[1]
    entries = scores[:, there]
    by_model = (entries @ (model[:, None] == np.arange(model.max() + 1))) / np.bincount(model)
    p_corrected = corrected_covers = p_model_t = model_t_covers = np.full(len(entries), np.nan)
    if benchmark.folds > 1:
        p_corrected, corrected_covers = _corrected_t(by_model, 1 / (benchmark.folds - 1), alpha)
    if (moments := Design.of(subject, model).moments(entries.T)) is not None:
        p_model_t, model_t_covers = moments.p, np.abs(moments.mean) <= moments.half_width(1 - alpha)
    low, high = _bootstrap(by_subject, 1 - alpha)
    over_cases = signed_rank_p(by_case.reshape(len(entries), -1))
    p = np.stack([signed_rank_p(by_subject), over_cases, signed_rank_p(by_model), p_corrected, p_model_t])
    significant = np.where(np.isnan(p), np.nan, p <= alpha)
    return np.vstack([significant, (low <= 0) & (high >= 0), corrected_covers, model_t_covers])


def _corrected_t(by_model: Floats, test_to_train: float, alpha: float) -> tuple[Floats, Floats]:
    """p, and whether the interval covers 0, of the corrected resampled t-test over means of models [runs, M]."""
    models = by_model.shape[1]
    t = np.abs(by_model.mean(axis=1)) / np.sqrt((1 / models + test_to_train) * by_model.var(axis=1, ddof=1))
    return 2 * stats.t.sf(t, models - 1), t <= stats.t.ppf(1 - alpha / 2, models - 1)


def _bootstrap(values: Floats, level: float) -> tuple[Floats, Floats]:
    """``significance.bootstrap_interval`` of each row of values [runs, n], with the same subjects drawn."""
    n = values.shape[1]
    low, high = np.quantile(values @ _drawn_weights(n), expanded_quantiles(n, level), axis=1)
    return low, high


@cache
def _drawn_weights(n: int) -> Floats:
    """Share of each of n subjects in each resample [n, RESAMPLES]."""
    drawn = np.random.default_rng(0).integers(0, n, (RESAMPLES, n))
    return np.stack([np.bincount(row, minlength=n) for row in drawn], axis=1) / n


CROSS_VALIDATION = NullBenchmark(n_slices=1, slice_spread=0.0, rest_spread=0.5)
DESIGNS: Mapping[str, NullBenchmark] = {
    "1 x 5 folds": CROSS_VALIDATION,
    "3 x 5 folds": replace(CROSS_VALIDATION, repeats=3),
    "10 x 5 folds": replace(CROSS_VALIDATION, repeats=10),
    "one fold failed": replace(CROSS_VALIDATION, repeats=3, missing_folds=(1,)),
    "5 + 4 + 2 folds": replace(CROSS_VALIDATION, repeats=3, missing_folds=(1, 3)),
    "5 x hold-out": replace(CROSS_VALIDATION, n_subjects=60, folds=1, repeats=5),
}
"""The designs of the documentation's figure, repeats x folds: 36 subjects, 60 in the hold-out.

Where one fold failed there are three repeats, and so there are where 5, 4 and 2 folds of them ended.
"""
WAYS = {
    "subjects": "Wilcoxon, bootstrap over subjects",
    "corrected_t": "corrected resampled t",
    "model_t": "model t",
}


def simulation_table(*, simulations: int = 10_000, alpha: float = 0.05, seed: int = 0) -> pd.DataFrame:
    """``design spread way type_one coverage`` of every design of ``DESIGNS``, spread of ``SPREADS`` and way of ``WAYS``."""
    rows = []
    for design, benchmark in DESIGNS.items():
        for spread in SPREADS:
            found = error_rates(replace(benchmark, model_spread=spread), simulations=simulations, alpha=alpha, seed=seed)
            rows += [(design, spread, way, getattr(found, way), getattr(found, f"{way}_coverage")) for way in WAYS]
    return pd.DataFrame(rows, columns=["design", "spread", "way", "type_one", "coverage"])
