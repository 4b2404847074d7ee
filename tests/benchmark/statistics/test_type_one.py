"""What the tests do where there is nothing to find: their type-I error in simulated benchmarks, at a nominal .05."""

from functools import cache

import numpy as np
import pytest

from raterbench.benchmark.statistics.simulation import NullBenchmark, TypeOneError, fold_means, type_one_error

SIMULATIONS = 700  # standard error .008 at .05, .014 at .17


@cache
def measured(repeats: int, model_spread: float) -> TypeOneError:
    return type_one_error(NullBenchmark(repeats=repeats, model_spread=model_spread), simulations=SIMULATIONS)


@pytest.mark.parametrize("repeats", [1, 3, 10])
def test_one_value_a_subject_is_honest_where_training_varies_little(repeats: int) -> None:
    assert 0.025 <= measured(repeats, 0.1).subjects <= 0.08


def test_repeats_average_out_the_luck_of_training() -> None:
    once, thrice, ten_times = (measured(repeats, 0.5).subjects for repeats in (1, 3, 10))
    assert once == pytest.approx(0.17, abs=0.045)
    assert thrice == pytest.approx(0.10, abs=0.035)
    assert ten_times == pytest.approx(0.066, abs=0.03)
    assert once > thrice > ten_times


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
    assert type_one_error(small, simulations=20, seed=1) == type_one_error(small, simulations=20, seed=1)


def test_the_spreads_are_what_they_say() -> None:
    rng = np.random.default_rng(0)
    benchmark = NullBenchmark(n_subjects=4000, n_slices=3, folds=4000, subject_spread=2, slice_spread=1, model_spread=3)
    difference, _ = benchmark.draw(rng)
    assert difference[0].var(axis=1, ddof=1).mean() == pytest.approx(2, rel=0.1)
    assert difference[0].mean(axis=1).var() == pytest.approx(2 * (4 + 9 + 1 / 3), rel=0.1)


def test_fold_means_equal_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    values, fold = rng.normal(size=(2, 11)), np.stack([rng.permutation(np.arange(11) % 3) for _ in range(2)])
    loop = [[values[r][fold[r] == f].mean() for f in range(3)] for r in range(2)]
    assert fold_means(values, fold, 3) == pytest.approx(np.array(loop))
