"""The confirmatory test: closed cases, edges, properties, and its errors in small simulations."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from raterbench.benchmark.statistics.verdict.model_t import ModelT, model_t

RNG = np.random.default_rng(3)
FOLD = np.repeat(np.arange(5), 6)


def crossed(seed: int, n: int = 12, folds: int = 3, repeats: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    subject = np.tile(np.arange(n), repeats)
    model = np.concatenate([r * folds + rng.permutation(np.arange(n) % folds) for r in range(repeats)])
    values = 0.3 + rng.normal(size=n)[subject] + 0.5 * rng.normal(size=folds * repeats)[model] + rng.normal(size=len(subject))
    return values, subject, model


def numbers(test: ModelT) -> tuple[float, ...]:
    return test.mean, test.standard_error, test.df, test.p, test.subject_std, test.model_std, test.rest_std, test.within_std


def test_one_repeat_with_equal_folds_is_the_t_test_over_fold_means() -> None:
    y = RNG.normal(0.4, 1, 30)
    expected = stats.ttest_1samp([y[k == FOLD].mean() for k in range(5)], 0)
    found = model_t(y, np.arange(30), FOLD)
    assert (found.p, found.df) == pytest.approx((expected.pvalue, 4))
    assert found.interval(0.95) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert found.exploratory == "one repeat"


def test_one_subject_a_fold_is_the_t_test_over_subjects() -> None:
    y = RNG.normal(0.4, 1, 12)
    expected = stats.ttest_1samp(y, 0)
    for model in (np.arange(12), np.arange(12)[::-1]):
        found = model_t(y, np.arange(12), model)
        assert (found.p, found.df) == pytest.approx((expected.pvalue, 11))
        assert math.isnan(found.variance_ratio)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("spread", [0, 1])
def test_a_hold_out_with_all_cells_is_the_two_way_analysis_of_variance(seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    n, repeats = 20, 6
    table = 0.3 + rng.normal(size=(n, 1)) + spread * rng.normal(size=repeats) + rng.normal(size=(n, repeats))
    found = model_t(table.ravel(), np.repeat(np.arange(n), repeats), np.tile(np.arange(repeats), n))
    gaps = table - table.mean()
    of_subjects, of_models = repeats * gaps.mean(axis=1) ** 2, n * gaps.mean(axis=0) ** 2
    rest = (gaps**2).sum() - of_subjects.sum() - of_models.sum()
    squares = of_subjects.sum() / (n - 1), of_models.sum() / (repeats - 1), rest / ((n - 1) * (repeats - 1))
    expected = max(squares[0], squares[0] + squares[1] - squares[2]) / (n * repeats)
    assert found.kind == "hold-out"
    assert found.standard_error**2 == pytest.approx(expected)
    if squares[1] > squares[2]:
        assert found.model_std**2 == pytest.approx((squares[1] - squares[2]) / n)
    assert found.exploratory == ""


@pytest.mark.parametrize(
    ("repeats", "reason", "exploratory"),
    [
        (1, "one trained model", ""),
        (2, "needs at least 3", ""),
        (3, "", "hold-out with 3"),
        (4, "", "hold-out with 4"),
        (5, "", ""),
    ],
)
def test_a_hold_out_with_few_repeats_says_so(repeats: int, reason: str, exploratory: str) -> None:
    y = RNG.normal(0.4, 1, 20 * repeats)
    found = model_t(y, np.tile(np.arange(20), repeats), np.repeat(np.arange(repeats), 20))
    assert reason in found.reason and exploratory in found.exploratory
    assert math.isnan(found.p) == bool(reason)
    assert all(map(math.isnan, found.interval(0.95))) == bool(reason)
    assert found.mean == pytest.approx(y.reshape(repeats, 20).mean())


def test_a_hold_out_with_a_missing_value_is_still_one() -> None:
    y, subject, model = RNG.normal(size=40), np.tile(np.arange(20), 2), np.repeat(np.arange(2), 20)
    y[7] = np.nan
    found = model_t(y, subject, model)
    assert (found.n_entries, found.reason) == (39, "a hold-out with 2 repeats, where a test needs at least 3")


def test_differences_of_0_have_p_1_and_equal_ones_no_p() -> None:
    nothing = model_t(np.zeros(30), np.arange(30), FOLD)
    assert (nothing.p, nothing.interval(0.95), nothing.reason) == (1, (0, 0), "")
    equal = model_t(np.full(30, 0.1), np.arange(30), FOLD)
    assert equal.mean == 0.1 and math.isnan(equal.p) and equal.reason.startswith("no variation")
    noisy = model_t(0.1 + 1e-16 * RNG.normal(size=30), np.arange(30), FOLD)
    assert noisy.reason == equal.reason


def test_where_there_is_no_test_it_says_why() -> None:
    assert model_t([], [], []).reason == "there is no value of both candidates"
    assert model_t([np.nan, np.inf], [0, 1], [0, 1]).reason == "there is no value of both candidates"
    assert model_t([0.1, 0.2], [0, 0], [0, 1]).reason.startswith("one subject")
    assert model_t([0.0, 0.0], [0, 1], [0, 0]).reason.startswith("one trained model")
    cancelling = model_t([1.0, -1.0, 2.0, -2.0], [0, 1, 2, 3], [0, 0, 1, 1])
    assert "independent parts" in cancelling.reason


@pytest.mark.parametrize("size", [1e-300, 1e-13, 1, 1e13, 1e299])
def test_the_unit_does_not_matter(size: float) -> None:
    y, subject, model = crossed(1)
    one, other = model_t(y, subject, model), model_t(y * size, subject, model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model_t(y * size, subject, model)
    assert (other.p, other.df, other.variance_ratio) == pytest.approx((one.p, one.df, one.variance_ratio))
    scaled = np.array([other.mean, other.standard_error, *other.interval(0.9), other.subject_std, other.rest_std]) / size
    assert scaled == pytest.approx([one.mean, one.standard_error, *one.interval(0.9), one.subject_std, one.rest_std])


@given(st.integers(0, 2**31), st.sampled_from([(12, 3, 3), (9, 2, 4), (10, 5, 1), (8, 1, 5)]))
@settings(max_examples=40, deadline=None)
def test_order_and_names_do_not_matter_and_a_flip_changes_only_the_sign(seed: int, shape: tuple[int, int, int]) -> None:
    y, subject, model = crossed(seed, *shape)
    expected = numbers(model_t(y, subject, model))
    order = np.random.default_rng(seed).permutation(len(y))
    names = np.array([f"s{(7 * k) % 13}" for k in range(13)])
    moved = model_t(y[order], names[subject[order]], -model[order])
    assert numbers(moved) == pytest.approx(expected, rel=1e-7, abs=1e-9, nan_ok=True)
    flipped = numbers(model_t(-y, subject, model))
    assert flipped == pytest.approx((-expected[0], *expected[1:]), rel=1e-9, abs=1e-12, nan_ok=True)


@given(st.lists(st.sampled_from([0.0, -0.0, 5e-324, -1e-310, 1e-13, 1.0, -1e300, 1e300, np.nan]), min_size=12, max_size=12))
@settings(max_examples=60, deadline=None)
def test_no_values_make_it_raise_or_warn(values: list[float]) -> None:
    subject, model = np.tile(np.arange(4), 3), np.array([0, 0, 1, 1, 2, 3, 2, 3, 4, 5, 5, 4])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = model_t(values, subject, model)
        low, high = found.interval(0.95)
    assert math.isnan(found.p) == bool(found.reason)
    assert math.isnan(found.p) or low <= found.mean <= high
