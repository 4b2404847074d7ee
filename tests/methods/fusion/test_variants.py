"""STAPLE's relatives: each against STAPLE where they coincide, and against brute force where they do not."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from raterbench.benchmark.checks.fusions import make_example
from raterbench.datasets.base import IGNORE, Case, Geometry
from raterbench.errors import RaterbenchError
from raterbench.methods import MAPSTAPLE, STAPLE, ContestedSTAPLE, LogOpinionPoolSTAPLE, OneCoinSTAPLE, SoftSTAPLE
from raterbench.methods.fusion.soft_staple import with_ring

BINARY = [[1, 1, 1, 1, 0, 0, 0, 0, 0, 0], [1, 1, 1, 0, 1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 1, 1, 0, 0, 0]]
RELATIVES = [OneCoinSTAPLE, MAPSTAPLE, ContestedSTAPLE, LogOpinionPoolSTAPLE, SoftSTAPLE, STAPLE]


def named(rows):
    return {f"r{i}": np.array(row, dtype=np.uint8) for i, row in enumerate(rows)}


def evidence(votes, confusion, prior):
    """Log-likelihood of votes [R, N], every truth of every voxel written out."""
    total = 0.0
    for said in np.asarray(votes).T:
        total += np.log(sum(prior[k] * np.prod([c[s, k] for c, s in zip(confusion, said, strict=True)]) for k in range(2)))
    return total


@pytest.mark.parametrize("relative", RELATIVES)
@pytest.mark.parametrize("prior", ["fixed", "estimated"])
@settings(max_examples=10, deadline=None, derandomize=True)
@given(
    example=st.builds(
        make_example,
        st.integers(0, 2**32 - 1),
        n_raters=st.integers(2, 6),
        n_classes=st.integers(2, 4),
        shape=st.just((7, 9)),
        missing=st.sampled_from([0.0, 0.2]),
    )
)
def test_what_is_maximised_never_falls(relative, prior, example):
    assume(len(example.ratings) >= relative().min_raters())
    fused = relative(prior=prior, max_iterations=300).fuse(example.ratings, example.n_classes)
    rise = np.diff(fused.log_likelihood)
    assert (rise >= -1e-9 * np.abs(fused.log_likelihood[1:]) - 1e-9).all()
    assert len(fused.log_likelihood) == fused.iterations and np.isfinite(fused.log_likelihood).all()


def test_one_coin_is_the_likeliest_accuracy_of_every_rater():
    fused = OneCoinSTAPLE(tolerance=1e-10).fuse(named(BINARY), 2)
    assert (fused.confusion[:, 0, 0] == fused.confusion[:, 1, 1]).all()
    prior = [0.6, 0.4]

    def loss(accuracy):
        return -evidence(BINARY, [np.array([[a, 1 - a], [1 - a, a]]) for a in accuracy], prior)

    best = minimize(loss, [0.8, 0.8, 0.7], bounds=[(1e-9, 1 - 1e-9)] * 3)
    assert fused.log_likelihood[-1] == pytest.approx(-best.fun, abs=1e-6)


def test_one_coin_errs_evenly_among_the_other_classes():
    example = make_example(0, n_raters=4, n_classes=4, shape=(400,))
    confusion = OneCoinSTAPLE().fuse(example.ratings, 4).confusion
    for matrix in confusion:
        off = matrix[~np.eye(4, dtype=bool)]
        assert np.ptp(off) < 1e-12 and np.ptp(np.diag(matrix)) < 1e-12 and off[0] < matrix[0, 0]


def test_the_mode_is_the_likeliest_with_the_prior():
    fused = MAPSTAPLE(tolerance=1e-10).fuse(named(BINARY), 2)

    def loss(performance):
        pairs = performance.reshape(3, 2)
        confusion = [np.array([[q, 1 - p], [1 - q, p]]) for p, q in pairs]
        return -evidence(BINARY, confusion, [0.6, 0.4]) - (4 * np.log(pairs) + 0.5 * np.log(1 - pairs)).sum()

    best = minimize(loss, fused.confusion[:, [1, 0], [1, 0]].ravel(), bounds=[(1e-6, 1 - 1e-6)] * 6)
    assert fused.log_likelihood[-1] == pytest.approx(-best.fun, abs=1e-6)
    np.testing.assert_allclose(fused.confusion[:, [1, 0], [1, 0]].ravel(), best.x, atol=1e-3)


def test_beliefs_drown_in_evidence_and_hold_small_objects():
    example = make_example(3, n_raters=5, n_classes=3, shape=(30, 30, 40))
    free, held = STAPLE().fuse(example.ratings, 3), MAPSTAPLE().fuse(example.ratings, 3)
    np.testing.assert_allclose(held.confusion, free.confusion, atol=1e-3)
    small = named([[1, 1, 0] + [0] * 50, [1, 0, 0] + [0] * 50, [1, 0, 1] + [0] * 50])
    assert STAPLE().fuse(small, 2).confusion[:, 1, 1].max() > 1 - 1e-6
    assert MAPSTAPLE().fuse(small, 2).confusion[:, 1, 1].max() < 0.95


def test_contested_voxels_are_staple_without_the_others():
    random = np.random.default_rng(0)
    stack = (np.arange(600) % 2) ^ (random.random((5, 600)) < np.array([0.05, 0.1, 0.2, 0.3, 0.1])[:, None])
    contested = ~(stack == stack[0]).all(axis=0)
    fused, alone = ContestedSTAPLE().fuse(named(stack), 2), STAPLE().fuse(named(stack[:, contested]), 2)
    np.testing.assert_allclose(fused.probability[:, contested], alone.probability, atol=1e-7)
    np.testing.assert_allclose(fused.confusion, alone.confusion, atol=1e-9)
    assert np.array_equal(fused.probability[1, ~contested], stack[0, ~contested])


def test_a_weight_of_two_is_two_raters():
    doubled = LogOpinionPoolSTAPLE(weights={"r0": 2}).fuse(named(BINARY), 2)
    twice = STAPLE().fuse(named([*BINARY, BINARY[0]]), 2)
    np.testing.assert_allclose(doubled.probability, twice.probability, atol=1e-7)
    np.testing.assert_allclose(doubled.confusion, twice.confusion[:3], atol=1e-9)
    assert doubled.log_likelihood == pytest.approx(twice.log_likelihood) and doubled.weights.tolist() == [2, 1, 1]


def test_weights_are_known_by_name_and_in_a_pool():
    fusion = LogOpinionPoolSTAPLE(weights={"r1": 3.0, "elsewhere": 2.0}, pool="dataset")
    ratings = named(BINARY)
    case = Case("c", "c", "", np.zeros((1, 10), np.float32), ratings, Geometry.axis_aligned(1))
    alone = LogOpinionPoolSTAPLE(weights={"r1": 3.0}).fuse(ratings, 2)
    np.testing.assert_allclose(fusion.fit([case], 2).fuse(ratings, 2).probability, alone.probability, atol=1e-6)
    with pytest.raises(RaterbenchError, match="'r1' has weight 0"):
        LogOpinionPoolSTAPLE(weights={"r1": 0}).fuse(ratings, 2)


@pytest.mark.parametrize("relative", [LogOpinionPoolSTAPLE, SoftSTAPLE])
def test_without_weights_and_doubts_they_are_staple(relative):
    fused, staple = relative().fuse(named(BINARY), 2), STAPLE().fuse(named(BINARY), 2)
    np.testing.assert_array_equal(fused.probability, staple.probability)


def test_a_ring_is_background_near_the_foreground():
    labels = np.array([0, 0, 0, 1, 0, IGNORE, 0, 2, 0], dtype=np.uint8)
    ring = with_ring(labels, 3, radius=1, value=0.4)
    nan = np.nan
    np.testing.assert_allclose(ring[0], [1, 1, 0.6, 0, 0.6, nan, 0.6, 0, 0.6], atol=1e-6)
    np.testing.assert_allclose(ring[1], [0, 0, 0.4, 1, 0.4, nan, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(ring[2], [0, 0, 0, 0, 0, nan, 0.4, 1, 0.4], atol=1e-6)
    between = with_ring(np.array([1, 0, 2], dtype=np.uint8), 3, radius=1, value=0.4)
    np.testing.assert_allclose(between[:, 1], [0.6, 0.2, 0.2], atol=1e-6)


def test_rings_soften_what_raters_say_but_not_what_they_agree_on():
    ratings = named(BINARY)
    rings = {rater: with_ring(labels, 2, 1, 0.3) for rater, labels in ratings.items()}
    fused, expected = SoftSTAPLE(ring_radius=1, ring_value=0.3).fuse(ratings, 2), STAPLE().fuse(rings, 2)
    np.testing.assert_array_equal(fused.probability, expected.probability)
    soft = {rater: np.stack([labels == 0, labels == 1]).astype(float) for rater, labels in ratings.items()}
    np.testing.assert_allclose(SoftSTAPLE(ring_radius=1).fuse(soft, 2).probability, STAPLE().fuse(ratings, 2).probability)
    same = SoftSTAPLE(ring_radius=2).fuse(dict.fromkeys("ab", ratings["r0"]), 2)
    assert same.status == "degenerate" and same.probability[1].tolist() == BINARY[0]
    with pytest.raises(RaterbenchError, match="ring_value = 1"):
        SoftSTAPLE(ring_radius=1, ring_value=1).fuse(ratings, 2)


def test_dawid_and_skene_estimate_how_common_the_classes_are():
    """The end of the estimate is a fixed point: the prior is the mean posterior, over the voxels that anybody judged."""
    example = make_example(4, n_raters=4, n_classes=3, shape=(500,), missing=0.1)
    fusion = STAPLE(pool="dataset", prior="estimated", tolerance=1e-10)
    case = Case("c", "c", "", np.zeros((1, 500), np.float32), example.ratings, Geometry.axis_aligned(1))
    fused = fusion.fit([case], 3).fuse(example.ratings, 3)
    judged = np.any([labels != IGNORE for labels in example.ratings.values()], axis=0)
    np.testing.assert_allclose(fused.probability[:, judged].mean(axis=1), fusion.estimate_.prior, atol=1e-6)


@pytest.mark.parametrize("relative", [OneCoinSTAPLE, MAPSTAPLE, ContestedSTAPLE])
def test_pooling_over_one_case_is_the_case_itself(relative):
    example = make_example(5, n_raters=5, n_classes=2, shape=(40, 40))
    case = Case("c", "c", "", np.zeros((1, 40, 40), np.float32), example.ratings, Geometry.axis_aligned(2))
    alone = relative().fuse(example.ratings, 2)
    pooled = relative(pool="dataset").fit([case], 2).fuse(example.ratings, 2)
    np.testing.assert_allclose(pooled.probability, alone.probability, atol=1e-5)
    np.testing.assert_allclose(pooled.confusion, alone.confusion, atol=1e-6)


def test_what_unanimous_raters_leave_open():
    mask = np.array([0, 1, 1, 0], dtype=np.uint8)
    nan = np.nan
    both = {"a": mask, "b": np.array([0, IGNORE, IGNORE, 0], dtype=np.uint8)}
    assert OneCoinSTAPLE().fuse(both, 2).confusion.tolist() == [[[1, 0], [0, 1]]] * 2
    np.testing.assert_array_equal(ContestedSTAPLE().fuse(both, 2).confusion[1], [[1, nan], [0, nan]])
    np.testing.assert_allclose(MAPSTAPLE().fuse(both, 2).confusion[1], [[6 / 6.5, nan], [0.5 / 6.5, nan]])
    with pytest.raises(RaterbenchError, match="greater than 1"):
        MAPSTAPLE(beta=1).fuse(both, 2)


def test_every_order_of_raters_is_the_same_to_the_last_bit():
    example = make_example(6, n_raters=4, n_classes=3, shape=(6, 7))
    for relative in RELATIVES:
        first = relative().fuse(example.ratings, 3).probability
        for order in itertools.permutations(example.ratings):
            assert np.array_equal(relative().fuse({r: example.ratings[r] for r in order}, 3).probability, first)
