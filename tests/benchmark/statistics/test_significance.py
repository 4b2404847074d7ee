"""Tests, corrections, effects and intervals, against published numbers, brute force and scipy."""

import itertools
import warnings

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from raterbench.benchmark.statistics.arithmetic import largest, round_to_scale
from raterbench.benchmark.statistics.significance import (
    bootstrap_interval,
    corrected_resampled_t,
    corrected_t_interval,
    holm,
    signed_rank_p,
    wilcoxon,
)

EXAMPLE = [0.02, 0.01, 0.03, -0.005, 0.04, 0.015, 0.025, 0.035]
whole = st.lists(st.integers(-6, 6), min_size=1, max_size=10)


def all_sign_flips(differences: npt.ArrayLike) -> float:
    """p by brute force: the share of sign flips whose rank sum is at least as far from the middle."""
    d = np.array(differences, float)
    ranks = stats.rankdata(np.abs(d))[d != 0]
    signs = d[d != 0] > 0
    observed = abs(ranks[signs].sum() - ranks.sum() / 2)
    sums = np.array([np.dot(flip, ranks) for flip in itertools.product((0, 1), repeat=len(ranks))])
    return float(np.mean(np.abs(sums - ranks.sum() / 2) >= observed - 1e-9))


def rounded_differences(values: npt.NDArray[np.float64], baseline: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Differences as comparisons round them."""
    return round_to_scale(values - baseline, largest(values, baseline))


def test_the_worked_example_has_its_known_statistic_and_p() -> None:
    test = wilcoxon(EXAMPLE)
    assert (test.statistic, test.p) == (1, 0.015625)
    assert test.effect == pytest.approx((35 - 1) / 36)


def test_holm_of_the_worked_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(whole)
@settings(max_examples=150, deadline=None)
def test_p_equals_brute_force_with_ties_and_zeros(differences: list[int]) -> None:
    assert wilcoxon(differences).p == pytest.approx(all_sign_flips(differences), abs=1e-12)


@pytest.mark.parametrize("n", [6, 12, 25, 50])
def test_untied_p_equals_scipys_exact_test(n: int) -> None:
    d = np.random.default_rng(n).normal(0.3, 1, n)
    assert wilcoxon(d).p == pytest.approx(stats.wilcoxon(d, method="exact").pvalue, rel=1e-9)


@pytest.mark.parametrize("n_zeros", [0, 1, 7, 55, 600])
@pytest.mark.parametrize("nonzero", [[3], [1, 2, -3, 4, 5], [2, 2, 2, -1, 2, 5, 5], [-1, -1, -1, 4, 4, 9, 9, 9, 2, 2]])
@pytest.mark.parametrize("sign", [1, -1])
def test_zeros_never_change_what_the_other_differences_can_give(n_zeros: int, nonzero: list[int], sign: int) -> None:
    d = [sign * v for v in nonzero] + [0] * n_zeros
    for zeros, ranked in (("pratt", d), ("wilcox", nonzero)):
        test = wilcoxon(d, zeros)
        assert test.p == pytest.approx(all_sign_flips(ranked), abs=1e-12)
        assert test.n_nonzero == len(nonzero)
        assert test.p >= 2.0 ** (1 - len(nonzero))


def test_sixty_subjects_of_which_five_differ() -> None:
    d = np.zeros(60)
    d[[3, 14, 22, 41, 57]] = [0.02, 0.04, 0.01, 0.05, 0.03]
    test = wilcoxon(d)
    assert (test.p, test.n, test.n_nonzero) == (0.0625, 60, 5)
    d[41] = -d[41]
    assert wilcoxon(d).p == all_sign_flips(d)


def test_fifty_differences_among_a_thousand_zeros_are_counted_exactly() -> None:
    d = np.concatenate([np.arange(1, 51), np.zeros(1000)])
    assert wilcoxon(d).p == 2.0**-49
    d[:10] *= -1
    # Drawing the signs at random, the share of sums at least as far from the middle comes close to p.
    ranks = stats.rankdata(np.abs(d))[:50]
    sums = np.random.default_rng(0).integers(0, 2, (200_000, 50)) @ ranks
    gap = abs(ranks[d[:50] > 0].sum() - ranks.sum() / 2)
    assert wilcoxon(d).p == pytest.approx(np.mean(np.abs(sums - ranks.sum() / 2) >= gap), rel=0.5, abs=2e-4)


@pytest.mark.parametrize(("n", "n_zeros", "step"), [(51, 0, 1e-6), (80, 0, 0.1), (60, 40, 0.1), (120, 300, 0.5)])
def test_above_fifty_differences_p_is_close_to_drawing_the_signs_at_random(n: int, n_zeros: int, step: float) -> None:
    rng = np.random.default_rng(n)
    d = np.append(np.ceil(np.abs(rng.normal(0, 1, n)) / step) * step * np.where(rng.random(n) < 0.4, -1, 1), np.zeros(n_zeros))
    ranks = stats.rankdata(np.abs(d))[:n]
    sums = rng.integers(0, 2, (100_000, n), dtype=np.int8) @ ranks
    gap = abs(ranks[d[:n] > 0].sum() - ranks.sum() / 2)
    expected = float(np.mean(np.abs(sums - ranks.sum() / 2) >= gap - 1e-9))
    assert 0.001 < expected < 0.999
    assert wilcoxon(d).p == pytest.approx(expected, abs=0.012)


def test_the_rank_sums_agree_with_scipys() -> None:
    d = np.round(np.random.default_rng(0).normal(0.1, 1, 80), 1)
    for zeros in ("pratt", "wilcox"):
        theirs = stats.wilcoxon(d, zero_method=zeros, method="approx")
        assert wilcoxon(d, zeros).statistic == theirs.statistic
        assert wilcoxon(d, zeros).p == pytest.approx(theirs.pvalue)


def test_the_smallest_p_that_few_subjects_can_give() -> None:
    assert wilcoxon(np.arange(1, 6)).p == 0.0625
    assert wilcoxon(np.arange(1, 7)).p == 0.03125


@given(whole)
@settings(max_examples=100, deadline=None)
def test_swapping_the_two_candidates_keeps_p_and_turns_the_effect(differences: list[int]) -> None:
    ours, theirs = wilcoxon(differences), wilcoxon([-d for d in differences])
    assert ours.p == theirs.p
    assert ours.effect == -theirs.effect
    assert 0 < ours.p <= 1
    assert -1 <= ours.effect <= 1


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=12), st.randoms())
@settings(max_examples=100, deadline=None)
def test_the_order_of_subjects_does_not_matter(values: list[float], random: object) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert wilcoxon(shuffled) == wilcoxon(values)


def test_no_difference_is_no_evidence() -> None:
    assert wilcoxon([0.0, 0.0, 0.0]).p == 1
    assert wilcoxon([0.0, 0.0], "wilcox").p == 1
    assert np.isnan(wilcoxon([]).p)


@pytest.mark.parametrize("n", [1, 2, 5, 60, 500])
@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_nothing_but_zeros_is_no_evidence(n: int, zero: float) -> None:
    d = np.full(n, zero)
    for zeros in ("pratt", "wilcox"):
        test = wilcoxon(d, zeros)
        assert (test.p, test.effect) == (1, 0)
    assert bootstrap_interval(d, resamples=10) == ((0, 0) if n > 1 else pytest.approx((np.nan, np.nan), nan_ok=True))
    assert n == 1 or corrected_resampled_t(d, 0.25) == 1


@pytest.mark.parametrize("size", [5e-324, 1e-320, 1e-308, 1e-299, 1e-150, 1e-12, 1.0, 1e12, 1e150, 1e299])
def test_differences_of_any_size_keep_their_ranks(size: float) -> None:
    d = rounded_differences(np.arange(1, 8) * size, np.zeros(7))
    assert wilcoxon(d).p == 2.0**-6
    assert (rounded_differences(np.zeros(7), np.arange(1, 8) * size) == -d).all()
    low, high = bootstrap_interval(d, resamples=50)
    assert d.min() <= low <= high <= d.max()


@pytest.mark.parametrize("size", [1e-200, 1e-13, 1.0, 1e200])
def test_the_corrected_t_test_does_not_depend_on_the_unit(size: float) -> None:
    d = np.array([1.0, 2, 3, 4, 5])
    assert corrected_resampled_t(d * size, 0.25) == pytest.approx(corrected_resampled_t(d, 0.25))
    low, high = corrected_t_interval(d * size, 0.25)
    assert (low / size, high / size) == pytest.approx(corrected_t_interval(d, 0.25))


def test_missing_values_are_left_out_and_infinite_ones_allow_no_test() -> None:
    assert wilcoxon([1.0, np.nan, 2.0]) == wilcoxon([1.0, 2.0])
    assert np.isnan(corrected_resampled_t([np.inf, 1.0], 0.2))


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=12))
@settings(max_examples=300, deadline=None)
def test_no_values_make_a_test_raise_or_warn(values: list[float]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        d = np.array(values)
        d = d[~np.isnan(d)]
        for zeros in ("pratt", "wilcox"):
            test = wilcoxon(d, zeros)
            assert 0 < test.p <= 1 if d.size else np.isnan(test.p)
        # What is more than two of the largest numbers apart has no mean that a float can hold.
        finite = d[np.abs(d) <= 1e300]
        for low, high in (bootstrap_interval(finite, resamples=5), corrected_t_interval(finite, 0.2)):
            assert np.isnan(low) if finite.size < 2 else low <= high
        t = corrected_resampled_t(finite, 0.2)
        assert np.isnan(t) or 0 <= t <= 1


def test_floating_dust_is_not_a_difference() -> None:
    a, b = np.array([0.1 + 0.2, 0.5, 0.7]), np.array([0.3, 0.5, 0.7])
    assert rounded_differences(a, b).tolist() == [0, 0, 0]
    assert rounded_differences(a * 1e6, b * 1e6).tolist() == [0, 0, 0]
    assert rounded_differences(np.array([1e-9, 2e-9]), np.zeros(2)) == pytest.approx([1e-9, 2e-9])
    ties = rounded_differences(np.array([0.3, 0.4]), np.array([0.1, 0.2]))
    assert ties[0] == ties[1]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@settings(max_examples=150, deadline=None)
def test_holm_keeps_the_order_and_lies_between_raw_and_bonferroni(p: list[float]) -> None:
    adjusted, raw = holm(p), np.array(p)
    order = np.argsort(raw, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()
    assert (adjusted >= raw).all()
    assert (adjusted <= np.minimum(1, raw * len(p)) + 1e-15).all()
    assert holm(p[::-1])[::-1].tolist() == adjusted.tolist()


def test_a_failed_candidate_still_counts_in_the_family() -> None:
    adjusted = holm([0.02, np.nan, 0.01])
    assert adjusted[[0, 2]] == pytest.approx([0.04, 0.03])
    assert np.isnan(adjusted[1])
    assert np.isnan(holm([np.nan, np.nan])).all()
    assert holm([]).size == 0


def test_the_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    inside = 0
    for number in range(400):
        low, high = bootstrap_interval(rng.normal(size=8), resamples=400, seed=number)
        inside += low <= 0 <= high
    assert 0.92 <= inside / 400 <= 0.98


def test_the_interval_of_normal_data_is_close_to_students() -> None:
    x = np.random.default_rng(2).normal(size=30)
    half = stats.t.ppf(0.975, 29) * x.std(ddof=1) / np.sqrt(30)
    assert bootstrap_interval(x, resamples=20000) == pytest.approx((x.mean() - half, x.mean() + half), abs=0.04)


def test_the_interval_is_seeded_and_needs_two_values() -> None:
    assert bootstrap_interval(EXAMPLE, seed=3) == bootstrap_interval(EXAMPLE, seed=3)
    assert np.isnan(bootstrap_interval([1.0])).all()
    assert bootstrap_interval([0.5, 0.5, np.nan]) == (0.5, 0.5)


def test_the_corrected_t_test_is_the_plain_one_without_overlap() -> None:
    assert corrected_resampled_t(EXAMPLE, 0.0) == pytest.approx(stats.ttest_1samp(EXAMPLE, 0).pvalue)


def test_the_corrected_t_test_by_hand() -> None:
    d = np.array([1.0, 2, 3, 4, 5])
    t = 3 / np.sqrt((1 / 5 + 1 / 4) * 2.5)
    assert corrected_resampled_t(d, 0.25) == pytest.approx(2 * stats.t.sf(t, 4))
    assert corrected_resampled_t(d, 0.25) > corrected_resampled_t(d, 0.1)
    assert corrected_resampled_t([0, 0, 0], 0.25) == 1
    assert np.isnan(corrected_resampled_t([0.1, 0.1, 0.1], 0.25)), "without variation there is no test"
    assert np.isnan(corrected_resampled_t(d, np.nan))
    assert np.isnan(corrected_resampled_t([1.0], 0.25))


@pytest.mark.parametrize("n", [1, 5, 36, 51])
def test_many_signed_rank_tests_at_once_equal_each(n: int) -> None:
    d = np.random.default_rng(n).normal(0.2, 1, (20, n))
    assert signed_rank_p(d) == pytest.approx([wilcoxon(row).p for row in d])
