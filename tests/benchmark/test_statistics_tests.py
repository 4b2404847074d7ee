"""Tests, corrections, effects and intervals, against published numbers, brute force and scipy."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from raterbench.benchmark.statistics.tests import (
    bootstrap_interval,
    corrected_resampled_t,
    holm,
    paired_differences,
    wilcoxon,
)

EXAMPLE = [0.02, 0.01, 0.03, -0.005, 0.04, 0.015, 0.025, 0.035]
whole = st.lists(st.integers(-6, 6), min_size=1, max_size=10)


def all_sign_flips(differences: list[int]) -> float:
    """p by brute force: the share of sign flips whose rank sum is at least as far from the middle."""
    d = np.array(differences, float)
    ranks = stats.rankdata(np.abs(d))[d != 0]
    signs = d[d != 0] > 0
    observed = abs(ranks[signs].sum() - ranks.sum() / 2)
    sums = np.array([np.dot(flip, ranks) for flip in itertools.product((0, 1), repeat=len(ranks))])
    return float(np.mean(np.abs(sums - ranks.sum() / 2) >= observed - 1e-9))


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


def test_more_than_fifty_differences_follow_scipys_approximation() -> None:
    d = np.round(np.random.default_rng(0).normal(0.1, 1, 80), 1)
    assert wilcoxon(d).p == pytest.approx(stats.wilcoxon(d, zero_method="pratt", method="approx").pvalue)
    assert wilcoxon(d, "wilcox").p == pytest.approx(stats.wilcoxon(d, zero_method="wilcox", method="approx").pvalue)


def test_the_smallest_p_that_few_subjects_can_give() -> None:
    assert wilcoxon(np.arange(1, 6)).p == wilcoxon(np.arange(1, 6)).smallest_p == 0.0625
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


def test_floating_dust_is_not_a_difference() -> None:
    a = np.array([0.1 + 0.2, 0.5, 0.7])
    assert paired_differences(a, [0.3, 0.5, 0.7]).tolist() == [0, 0, 0]
    assert paired_differences(a * 1e6, np.array([0.3, 0.5, 0.7]) * 1e6).tolist() == [0, 0, 0]
    assert paired_differences([1e-9, 2e-9], [0, 0]) == pytest.approx([1e-9, 2e-9])
    ties = paired_differences([0.3, 0.4], [0.1, 0.2])
    assert ties[0] == ties[1]


def test_missing_pairs_are_left_out() -> None:
    assert paired_differences([1, np.nan, 3], [0.5, 1, np.nan]).tolist() == [0.5]


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
    assert np.isnan(corrected_resampled_t([1.0], 0.25))
