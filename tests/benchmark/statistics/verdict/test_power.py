"""What a design finds, and what would be needed."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from raterbench.benchmark.statistics.verdict.model_t import ModelT, model_t
from raterbench.benchmark.statistics.verdict.power import power_of


def cross_validated(spread: float, repeats: int, mean: float = 0.3, seed: int = 0, n: int = 36, folds: int = 5) -> ModelT:
    rng = np.random.default_rng(seed)
    subject = np.tile(np.arange(n), repeats)
    model = np.concatenate([r * folds + rng.permutation(np.arange(n) % folds) for r in range(repeats)])
    y = mean + rng.normal(size=n)[subject] + spread * rng.normal(size=folds * repeats)[model]
    return model_t(y + 0.5 * rng.normal(size=len(y)), subject, model)


@pytest.mark.parametrize(("df", "alpha"), [(1.0, 0.05), (4.0, 0.05), (35.0, 0.01)])
def test_the_smallest_difference_is_found_with_80_percent_power(df: float, alpha: float) -> None:
    test = ModelT(0.1, 0.2, df, 0.5, 36, 15, 108, "crossed")
    found = power_of(test, repeats=3, alpha=alpha)
    shift, limit = found.smallest_found / 0.2, stats.t.ppf(1 - alpha / 2, df)
    assert stats.nct.sf(limit, df, shift) + stats.nct.cdf(-limit, df, shift) == pytest.approx(0.8, abs=2e-3)


def test_more_subjects_help_only_where_subjects_are_what_varies() -> None:
    base = ModelT(0.3, 0.18, 25.0, 0.1, 36, 15, 108, "crossed")
    subjects = power_of(replace(base, subject_std=1.0, model_std=0.0, rest_std=0.0, within_std=1.0), repeats=3)
    assert 36 < subjects.subjects_needed < 200 and subjects.repeats_needed is None
    trainings = power_of(replace(base, subject_std=0.0, model_std=0.7, rest_std=0.0, within_std=0.0), repeats=3)
    assert trainings.subjects_needed is None and 3 < trainings.repeats_needed < 20
    assert (subjects.variance_ratio, trainings.variance_ratio) == (0, math.inf)


def test_as_many_subjects_as_the_formula_of_the_normal_distribution_asks_for() -> None:
    test = replace(
        ModelT(0.1, 1 / 6, 35.0, 0.5, 36, 15, 108, "crossed"), subject_std=1.0, model_std=0.0, rest_std=0.0, within_std=1.0
    )
    assert power_of(test, repeats=3).subjects_needed == pytest.approx((1.96 + 0.8416) ** 2 / 0.1**2, rel=0.01)


@pytest.mark.parametrize("repeats", [1, 3])
@pytest.mark.parametrize("spread", [0, 1])
def test_what_is_needed_is_enough_and_one_less_is_not(repeats: int, spread: float) -> None:
    test = cross_validated(spread, repeats)
    found = power_of(test, repeats=repeats)
    assert found.smallest_found > 2 * test.standard_error
    for needed, now in ((found.subjects_needed, 36), (found.repeats_needed, repeats)):
        assert needed is None or needed >= now or abs(test.mean) > found.smallest_found * 0.8


def test_a_hold_out_is_never_told_to_train_less_than_three_times() -> None:
    rng = np.random.default_rng(0)
    test = model_t(1 + 0.1 * rng.normal(size=100), np.tile(np.arange(20), 5), np.repeat(np.arange(5), 20))
    assert power_of(test, repeats=5).repeats_needed == 3


def test_nothing_is_promised_where_there_is_no_test() -> None:
    for test in (model_t([0.1, 0.2], [0, 1], [0, 0]), model_t(np.zeros(6), np.arange(6), np.arange(6) % 3)):
        found = power_of(test, repeats=1)
        assert math.isnan(found.smallest_found)
        assert (found.subjects_needed, found.repeats_needed) == (None, None)
    alone = power_of(model_t([0.1, 0.2, 0.4, -0.1], np.arange(4), np.arange(4)), repeats=1)
    assert alone.smallest_found > 0 and alone.subjects_needed is None


@pytest.mark.parametrize("size", [1e-300, 1e250])
def test_the_unit_does_not_matter(size: float) -> None:
    test = cross_validated(0.5, 3)
    parts = {
        name: getattr(test, name) * size
        for name in ("mean", "standard_error", "subject_std", "model_std", "rest_std", "within_std")
    }
    one, other = power_of(test, repeats=3), power_of(replace(test, **parts), repeats=3)
    assert (other.subjects_needed, other.repeats_needed) == (one.subjects_needed, one.repeats_needed)
    assert other.smallest_found / size == pytest.approx(one.smallest_found)
