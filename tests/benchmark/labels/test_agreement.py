import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from raterbench.benchmark.labels import agreement
from raterbench.benchmark.labels.agreement import (
    Suspect,
    fleiss_kappa,
    krippendorff_alpha,
    low_cases,
    low_raters,
    pair_counts,
    pair_dice,
    suspects,
    tally,
    tally_patterns,
    volume_bias,
)
from raterbench.datasets import IGNORE
from raterbench.methods.fusion.engine.patterns import find_patterns

FLEISS = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]
"""Ten items, fourteen raters, five categories: the example in which kappa is .210."""

KRIPPENDORFF = """
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 .
"""
"""Four observers, twelve units, five values, missing data: Krippendorff (2011), section C and D, alpha = .743."""


def votes_of(table):
    """How many raters chose each value, [N, K], of a table [R, N] of numbers from 0; negative is missing."""
    table = np.asarray(table)
    return np.stack([(table == k).sum(axis=0) for k in range(max(2, table.max() + 1))], axis=1).astype(float)


def by_hand(table):
    """Kappa and alpha from pairs of single ratings, without any counting of patterns."""
    units = [[v for v in column if v >= 0] for column in np.asarray(table).T]
    units = [u for u in units if len(u) > 1]
    n = sum(map(len, units))
    alike = [np.mean([a == b for i, a in enumerate(u) for j, b in enumerate(u) if i != j]) for u in units]
    shares = np.mean([[np.mean([v == k for v in u]) for k in range(9)] for u in units], axis=0)
    values = [v for u in units for v in u]
    differ = sum(a != b for i, a in enumerate(values) for j, b in enumerate(values) if i != j) / (n * (n - 1))
    observed = sum((1 - a) * len(u) for a, u in zip(alike, units, strict=True)) / n
    return (np.mean(alike) - (shares**2).sum()) / (1 - (shares**2).sum()), 1 - observed / differ


def test_fleiss_own_kind_of_example():
    assert fleiss_kappa(tally(np.array(FLEISS, float), np.ones(10, int))) == pytest.approx(0.210, abs=5e-4)


def test_krippendorffs_example_with_missing_data():
    table = [[-1 if v == "." else int(v) - 1 for v in line.split()] for line in KRIPPENDORFF.strip().splitlines()]
    assert krippendorff_alpha(tally(votes_of(table), np.ones(12, int))) == pytest.approx(0.743, abs=5e-4)


def test_krippendorffs_example_of_two_observers():
    table = [[0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]]
    assert krippendorff_alpha(tally(votes_of(table), np.ones(10, int))) == pytest.approx(0.095, abs=5e-4)


@settings(max_examples=60, deadline=None)
@given(arrays(np.int64, st.tuples(st.integers(2, 5), st.integers(2, 12)), elements=st.integers(-1, 3)))
def test_both_coefficients_are_what_single_pairs_say(table):
    rated = (table >= 0).sum(axis=0) > 1
    if len(np.unique(table[:, rated][table[:, rated] >= 0])) < 2:
        return
    found = tally(votes_of(table), np.ones(table.shape[1], int))
    kappa, alpha = by_hand(table)
    assert fleiss_kappa(found) == pytest.approx(kappa, abs=1e-9)
    assert krippendorff_alpha(found) == pytest.approx(alpha, abs=1e-9)


def test_label_maps_give_what_their_voxels_give():
    rng = np.random.default_rng(0)
    maps = {f"r{k}": rng.integers(0, 3, (6, 7)).astype(np.uint8) for k in range(4)}
    maps["r1"][0] = IGNORE
    found = tally_patterns(find_patterns(maps, 3))
    kappa, alpha = by_hand(np.array([np.where(m == IGNORE, -1, m.astype(int)).ravel() for m in maps.values()]))
    assert (fleiss_kappa(found), krippendorff_alpha(found)) == pytest.approx((kappa, alpha))
    halves = [tally_patterns(find_patterns({r: m[part] for r, m in maps.items()}, 3)) for part in (slice(3), slice(3, None))]
    assert krippendorff_alpha(halves[0] + halves[1]) == pytest.approx(alpha)


def test_perfect_agreement_is_one_and_a_single_class_is_unknown():
    both = tally(np.array([[3.0, 0], [0, 3]]), np.array([10, 5]))
    assert (fleiss_kappa(both), krippendorff_alpha(both)) == (1, 1)
    for votes in ([[3.0, 0]], [[1.0, 0]], np.zeros((0, 2))):
        one = tally(np.array(votes), np.full(len(votes), 10))
        assert np.isnan([fleiss_kappa(one), krippendorff_alpha(one)]).all()


def test_dice_of_pairs_where_both_judged():
    maps = {
        "a": np.array([1, 1, 1, 0, 2], np.uint8),
        "b": np.array([1, 0, IGNORE, 0, 0], np.uint8),
        "c": np.array([IGNORE, IGNORE, 1, IGNORE, IGNORE], np.uint8),
    }
    counts = pair_counts(find_patterns(maps, 3))
    for dice, empty in ((pair_dice(counts), np.nan), (pair_dice(counts, empty=1.0), 1.0)):
        assert dice[:, 0, 1] == pytest.approx([2 / 3, 0])
        assert dice[:, 0, 2] == pytest.approx([1, empty], nan_ok=True)  # class 2 is empty where both judged
        assert np.isnan(dice[:, 1, 2]).all()
        assert np.array_equal(dice, dice.transpose(0, 2, 1), equal_nan=True)


def bias_of(volumes, n=4000):
    """The bias of raters in one case, of masks that are runs of ``volumes`` voxels."""
    masks = {f"r{i:02d}": (np.arange(n) < volume).astype(np.uint8) for i, volume in enumerate(volumes)}
    return volume_bias(pair_counts(find_patterns(masks, 2)))[0]


def mean_bias(cases):
    """Each rater's bias from the biases of cases [N, R]."""
    return np.expm1(np.nanmean(np.log1p(np.array(cases)), axis=0))


def test_volume_bias_is_the_geometric_mean_over_the_others():
    assert bias_of([100, 50, 200]) == pytest.approx([0, 1 / math.sqrt(8) - 1, math.sqrt(8) - 1])
    assert bias_of([120, 100]) == pytest.approx([0.2, 1 / 1.2 - 1])
    assert bias_of([0, 100, 100]) == pytest.approx([1 / 8 - 1, math.sqrt(8) - 1, math.sqrt(8) - 1])
    assert bias_of([0, 0, 100]) == pytest.approx([1 / math.sqrt(8) - 1] * 2 + [7])
    assert np.isnan(bias_of([0, 0, 0])).all()
    assert np.isnan(bias_of([100])).all()


def test_volumes_are_compared_on_voxels_that_both_judged():
    maps = {
        "a": np.array([1, 1, 1, 1, 0, 0], np.uint8),
        "b": np.array([1, 1, 0, 0, IGNORE, IGNORE], np.uint8),
        "c": np.array([IGNORE] * 4 + [1, 1], np.uint8),
    }
    bias = volume_bias(pair_counts(find_patterns(maps, 2)))[0]
    assert bias == pytest.approx([2**0.5 * (1 / 8) ** 0.5 - 1, -0.5, 7])


@pytest.mark.parametrize("drawn", ["of one size", "skewed", "often empty", "with gaps"])
@pytest.mark.parametrize("n", [2, 3, 4, 5, 13])
def test_raters_who_differ_by_chance_have_no_volume_bias(n, drawn):
    """A thousand cases: the standard error of a rater's mean bias is at most 0.045, and that over the raters far smaller."""
    rng = np.random.default_rng(n)
    cases = []
    for _ in range(1000):
        volumes = rng.lognormal(6, 0.1, n) if drawn != "skewed" else 50 + 200 * rng.exponential(1.0, n)
        if drawn == "often empty":
            volumes *= rng.random(n) < 0.7
        bias = bias_of(volumes.astype(int) if drawn != "with gaps" else volumes[: max(2, n - 1)].astype(int))
        if drawn == "with gaps":  # a rater is missing, another one each time
            order = rng.permutation(n)[: len(bias)]
            full = np.full(n, np.nan)
            full[order] = bias
            bias = full
        cases.append(bias)
    errors = np.nanstd(np.log1p(np.array(cases)), axis=0) / math.sqrt(len(cases) / 2)
    assert (np.abs(np.log1p(mean_bias(cases))) < 4 * errors).all()
    if drawn != "with gaps":
        assert np.mean(np.log1p(mean_bias(cases))) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 13])
def test_a_rater_who_marks_a_fifth_more_has_that_bias(n):
    rng = np.random.default_rng(n)
    cases = []
    for _ in range(300):
        volumes = rng.lognormal(6.5, 0.15, n)
        volumes[0] *= 1.2
        cases.append(bias_of(volumes.round().astype(int)))
    assert mean_bias(cases)[0] == pytest.approx(0.2, abs=0.04)


def test_suspects_are_named_and_empty_masks_are_no_copies():
    base = np.zeros((4, 4), np.uint8)
    square, corner = base.copy(), base.copy()
    square[:2, :2], corner[3, 3] = 1, 1
    wide = square.copy()
    wide[2, 2] = 1
    maps = {"a": square, "b": square.copy(), "c": base, "d": corner, "e": base.copy(), "f": wide}
    assert suspects(find_patterns(maps, 2)) == [
        Suspect("a", "identical", "b"),
        Suspect("c", "empty"),
        Suspect("d", "touches nobody"),
        Suspect("e", "empty"),
    ]
    assert suspects(find_patterns({"c": base, "e": base}, 2)) == []
    assert suspects(find_patterns({"a": square}, 2)) == []


def test_a_rater_far_below_in_most_cases_stands_apart():
    rng = np.random.default_rng(1)
    dice = 0.8 + rng.normal(0, 0.02, (30, 5)) + rng.normal(0, 0.1, (30, 1))
    assert not low_raters(dice)[0].outlying.any()
    dice[:, 2] -= 0.2
    dice[4, 1] = 0.1
    dice[7, 3] = np.nan
    apart, below = low_raters(dice)
    assert apart.outlying.tolist() == [False, False, True, False, False]
    assert below[4, 1] > apart.limit
    assert np.isnan(below[7, 3])


def test_nobody_stands_apart_among_two_or_where_all_are_close():
    apart, _ = low_raters(np.array([[0.9, 0.1]] * 10))
    assert not apart.outlying.any()
    assert np.isnan(apart.below).all()
    assert not low_raters(np.array([[0.99, 0.99, 0.95]] * 10))[0].outlying.any()  # 0.04 is never far


def test_a_case_far_below_the_middle_one_stands_apart():
    agreement_of = np.array([0.8, 0.82, 0.79, 0.81, 0.3, np.nan, 0.8])
    assert np.flatnonzero(low_cases(agreement_of).outlying).tolist() == [4]
    assert not low_cases(np.full(3, np.nan)).outlying.any()


def test_disagreement_is_the_share_that_does_not_say_what_most_say():
    maps = {"a": np.array([0, 1, 1, IGNORE]), "b": np.array([0, 1, 0, IGNORE]), "c": np.array([0, 0, 2, IGNORE])}
    share = agreement.disagreement({r: m.astype(np.uint8) for r, m in maps.items()}, 3)
    assert share[:3] == pytest.approx([0, 1 / 3, 2 / 3])
    assert np.isnan(share[3])


def test_intervals_hold_the_estimate_and_need_five_subjects():
    rng = np.random.default_rng(0)
    tallies = [tally(rng.integers(0, 4, (6, 2)).astype(float), rng.integers(1, 50, 6)) for _ in range(8)]
    dice = rng.uniform(0.5, 0.9, 8)
    dice[2] = np.nan
    found = agreement.intervals(tallies, {"dice": dice, "filled": np.nan_to_num(dice, nan=1.0)})
    assert found["filled"][0] > found["dice"][0]
    total = sum(tallies[1:], tallies[0])
    for value, key in ((fleiss_kappa(total), "kappa"), (krippendorff_alpha(total), "alpha"), (np.nanmean(dice), "dice")):
        assert found[key][0] < value < found[key][1]
    assert np.isnan(list(agreement.intervals(tallies[:4], {"dice": dice[:4]}).values())).all()
