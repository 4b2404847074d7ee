"""What the tests do where there is nothing to find: type-I errors at a nominal .05, and coverage at a nominal .95."""

from functools import cache

import numpy as np
import pytest

from raterbench.benchmark.statistics.significance import (
    bootstrap_interval,
    corrected_resampled_t,
    corrected_t_interval,
    wilcoxon,
)
from raterbench.benchmark.statistics.simulation import (
    DESIGNS,
    SPREADS,
    WAYS,
    ErrorRates,
    NullBenchmark,
    _bootstrap,
    _corrected_t,
    error_rates,
    simulation_table,
)
from raterbench.benchmark.statistics.verdict.model_t import model_t

SIMULATIONS = 1000  # standard error .007 at .05, .012 at .17


@cache
def measured(repeats: int, model_spread: float) -> ErrorRates:
    return error_rates(NullBenchmark(repeats=repeats, model_spread=model_spread), simulations=SIMULATIONS)


@pytest.mark.parametrize("repeats", [1, 3, 10])
def test_one_value_a_subject_is_honest_where_training_varies_little(repeats: int) -> None:
    assert 0.025 <= measured(repeats, 0.1).subjects <= 0.08


def test_repeats_average_out_the_luck_of_training() -> None:
    once, thrice, ten_times = (measured(repeats, 0.5).subjects for repeats in (1, 3, 10))
    assert once == pytest.approx(0.17, abs=0.045)
    assert thrice == pytest.approx(0.10, abs=0.035)
    assert ten_times == pytest.approx(0.066, abs=0.03)
    assert once > thrice > ten_times


@pytest.mark.parametrize("repeats", [1, 3, 10])
@pytest.mark.parametrize("model_spread", [0.0, 0.5, 1.0])
def test_the_confirmatory_test_holds_its_level_and_its_interval_covers(repeats: int, model_spread: float) -> None:
    found = measured(repeats, model_spread)
    assert 0.03 <= found.model_t <= 0.07
    assert 0.93 <= found.model_t_coverage <= 0.97


def test_intervals_over_subjects_are_too_short_where_training_varies() -> None:
    assert measured(1, 0.5).subjects_coverage == pytest.approx(0.83, abs=0.04)
    assert measured(3, 0.5).subjects_coverage == pytest.approx(0.91, abs=0.03)


@pytest.mark.parametrize("design", ["one fold failed", "5 + 4 + 2 folds", "5 x hold-out"])
def test_failed_folds_unequal_repeats_and_hold_outs(design: str) -> None:
    found = error_rates(DESIGNS[design], simulations=SIMULATIONS)
    assert 0.025 <= found.model_t <= 0.085
    assert found.model_t_coverage == pytest.approx(1 - found.model_t)


def test_a_hold_out_over_subjects_calls_chance_significant() -> None:
    assert error_rates(NullBenchmark(n_subjects=500, folds=1, repeats=3, model_spread=0.25), simulations=300).subjects > 0.35


def test_tests_over_trained_models_are_clearly_anti_conservative() -> None:
    assert measured(10, 0.1).models > 0.45
    assert measured(10, 0.5).models > 0.28
    assert measured(3, 0.1).models > 0.15


def test_five_models_cannot_be_significant() -> None:
    assert measured(1, 0.5).models == 0


def test_tests_over_slices_are_clearly_anti_conservative() -> None:
    assert all(measured(repeats, 0.1).cases > 0.15 for repeats in (1, 3, 10))


def test_the_corrected_t_test_stays_below_its_level() -> None:
    assert all(measured(repeats, spread).corrected_t <= 0.07 for repeats in (1, 3, 10) for spread in (0.1, 0.5))


def test_a_seed_fixes_the_simulation() -> None:
    small = NullBenchmark(n_subjects=10, n_slices=2)
    assert error_rates(small, simulations=20, seed=1) == error_rates(small, simulations=20, seed=1)


def test_unequal_repeats_test_some_subjects_more_often() -> None:
    benchmark = NullBenchmark(n_subjects=20, folds=5, repeats=3, missing_folds=(1, 3), n_slices=1)
    difference, fold = benchmark.draw(np.random.default_rng(0))
    there = benchmark.tested(fold)
    assert there.sum(axis=1).tolist() == [20, 16, 8]
    repeat, subject = np.nonzero(there)
    test = model_t(difference[0, ..., 0][there], subject, 10 * repeat + fold[there])
    assert (test.n_models, test.n_entries, test.kind) == (11, 44, "crossed")


def test_the_spreads_are_what_they_say() -> None:
    rng = np.random.default_rng(0)
    benchmark = NullBenchmark(
        n_subjects=4000, n_slices=3, folds=4000, subject_spread=2, slice_spread=1, model_spread=3, rest_spread=1.5
    )
    difference, _ = benchmark.draw(rng)
    assert difference.shape == (1, 1, 4000, 3)
    assert difference[0, 0].var(axis=1, ddof=1).mean() == pytest.approx(2, rel=0.1)
    assert difference[0, 0].mean(axis=1).var() == pytest.approx(2 * (4 + 9 + 2.25 + 1 / 3), rel=0.1)


def test_what_is_computed_for_many_runs_is_what_each_gives_alone() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(5, 12))
    low, high = _bootstrap(values, 0.95)
    p, covers = _corrected_t(values, 0.25, 0.05)
    for run in range(5):
        assert (low[run], high[run]) == pytest.approx(bootstrap_interval(values[run]))
        assert p[run] == pytest.approx(corrected_resampled_t(values[run], 0.25))
        ends = corrected_t_interval(values[run], 0.25)
        assert covers[run] == (ends[0] <= 0 <= ends[1])


def test_the_simulated_test_is_the_one_of_the_tables() -> None:
    benchmark = NullBenchmark(n_subjects=12, n_slices=1, folds=3, repeats=2, missing_folds=(1,))
    found = error_rates(benchmark, simulations=8, alpha=0.3, seed=4)
    difference, fold = benchmark.draw(np.random.default_rng(4), 8)
    there = np.stack([np.ones(12, bool), fold[1] >= 1])
    repeat, subject = np.nonzero(there)
    tests = [model_t(run[..., 0][there], subject, 10 * repeat + fold[there]) for run in difference]
    assert found.model_t == np.mean([test.p <= 0.3 for test in tests])
    means = [np.nanmean(np.where(there, run[..., 0], np.nan), axis=0) for run in difference]
    assert found.subjects == np.mean([wilcoxon(mean).p <= 0.3 for mean in means])


def test_one_table_has_every_cell_of_the_figure() -> None:
    table = simulation_table(simulations=25)
    assert len(table) == len(DESIGNS) * len(SPREADS) * len(WAYS)
    unknown = table[table[["type_one", "coverage"]].isna().any(axis=1)]
    assert set(zip(unknown["design"], unknown["way"], strict=True)) == {("5 x hold-out", "corrected_t")}
