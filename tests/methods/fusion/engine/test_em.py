"""Laws of the expectation maximisation, on any input."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raterbench.methods.fusion.engine.em import Votes, expect, expectation_maximisation, initial_truth, label_frequency
from raterbench.methods.fusion.engine.patterns import mean_vote


@st.composite
def votes(draw, max_voxels=12):
    """Votes [R, K, P] of any kind: hard, soft, with entries missing, tied or not."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (draw(st.integers(1, 5)), draw(st.integers(2, 4)), draw(st.integers(1, max_voxels)))
    soft = random.dirichlet([0.5] * shape[1], size=(shape[0], shape[2])).transpose(0, 2, 1)
    hard = (soft == soft.max(axis=1, keepdims=True)).astype(float)
    shares = soft if draw(st.booleans()) else hard
    shares *= random.random((shape[0], 1, shape[2])) >= draw(st.sampled_from([0, 0.3]))
    return Votes(shares, random.integers(1, 50, size=shape[2]))


def run(data, **changes):
    return expectation_maximisation(data, **{"max_iterations": 300, "tolerance": 1e-7, **changes})


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=votes())
def test_likelihood_never_falls_and_probabilities_are_probabilities(data):
    found = run(data)
    rise = np.diff(found.log_likelihood)
    assert (rise >= -1e-9 * abs(found.log_likelihood[-1]) - 1e-9).all()
    assert np.allclose(found.posterior.sum(axis=0), 1) and (found.posterior >= 0).all()
    assert np.allclose(found.confusion.sum(axis=1), 1) and (found.confusion >= 0).all()
    assert np.isnan(found.performance).any() == (not found.estimable.all())


@settings(max_examples=30, deadline=None, derandomize=True)
@given(data=votes())
def test_a_voxel_that_occurs_n_times_is_n_voxels(data):
    apart = Votes(np.repeat(data.votes, data.counts, axis=2), np.ones(data.counts.sum(), dtype=np.int64))
    one, other = run(data), run(apart)
    assert one.log_likelihood[:20] == pytest.approx(other.log_likelihood[:20], rel=1e-9)
    assert label_frequency(data) == pytest.approx(label_frequency(apart))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(data=votes(max_voxels=5))
def test_agrees_with_every_possible_truth_written_out(data):
    """The evidence is a sum over all K^P truths, and the posterior the share of those with class k at voxel p."""
    confusion, prior = run(data, max_iterations=3).confusion, label_frequency(data)
    n_raters, n_classes, n_voxels = data.votes.shape
    weight = np.zeros((n_classes, n_voxels))
    for truth in itertools.product(range(n_classes), repeat=n_voxels):
        chance = 1.0
        for voxel, k in enumerate(truth):
            chance *= prior[k]
            for r, said in itertools.product(range(n_raters), range(n_classes)):
                chance *= confusion[r, said, k] ** data.votes[r, said, voxel]
        weight[list(truth), range(n_voxels)] += chance
    posterior, evidence = expect(data.votes, confusion, prior)
    np.testing.assert_allclose(posterior, weight / weight.sum(axis=0), atol=1e-9)
    assert evidence.sum() == pytest.approx(np.log(weight.sum(axis=0)[0]), abs=1e-9)


def test_the_end_is_a_maximum():
    """No small change of the raters' matrices makes the observed votes likelier."""
    random = np.random.default_rng(5)
    truth = random.integers(3, size=400)
    said = np.where(random.random((4, 400)) < 0.2, random.integers(3, size=(4, 400)), truth)
    data = Votes((said[:, None] == np.arange(3)[:, None]).astype(float), np.ones(400, dtype=np.int64))
    found = run(data, max_iterations=10_000, tolerance=1e-10)
    assert found.converged
    for _ in range(200):
        nearby = np.abs(found.confusion + random.normal(scale=1e-3, size=found.confusion.shape))
        _, evidence = expect(data.votes, nearby / nearby.sum(axis=1, keepdims=True), found.prior)
        assert evidence.sum() < found.log_likelihood[-1]


def test_a_class_that_nobody_names_keeps_its_column_and_gets_no_voxel():
    data = Votes(np.array([[[1, 0, 1.0], [0, 1, 0], [0, 0, 0]], [[1, 0, 0], [0, 1, 1], [0, 0, 0]]]), np.array([5, 5, 1]))
    found = run(data)
    assert (found.posterior[2] == 0).all() and not found.estimable[:, 2].any() and found.estimable[:, :2].all()
    np.testing.assert_allclose(found.confusion[:, :, 2], 1 / 3)


def test_raters_share_a_voxel_whatever_their_votes_weigh():
    """Two votes that count a third each are two votes; a soft vote that sums to a little more than 1 is one."""
    both = np.array([[[1.0, 0, 0], [0, 1, 1]], [[1.0, 1, 0], [0, 0, 1]]]) / 3
    np.testing.assert_allclose(initial_truth(both, np.array([0.5, 0.5])), [[1, 0.5, 0], [0, 0.5, 1]])
    apart = np.zeros((2, 2, 2))
    apart[0, :, 0], apart[1, :, 1] = (0.3, 0.7), (0.6, 0.4)
    nearly = apart * (1 + 1e-12)
    prior = np.array([0.9, 0.1])
    np.testing.assert_allclose(initial_truth(nearly, prior), initial_truth(apart, prior))
    assert np.abs(initial_truth(apart, prior) - mean_vote(apart)).max() > 0.05
