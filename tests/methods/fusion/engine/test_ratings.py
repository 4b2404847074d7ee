"""Ratings without names: a sequence or a stacked array is as good as a mapping, for every fusion."""

import numpy as np
import pytest
import torch

from raterbench.benchmark.checks.fusions import make_example
from raterbench.datasets import RaterbenchError
from raterbench.methods import FUSIONS, STAPLE, MajorityVote, SoftAverage, SoftSTAPLE

EXAMPLE = make_example(0, n_raters=5, n_classes=3, shape=(12, 9))
STACK = np.stack(list(EXAMPLE.ratings.values()))
NAMED = {f"rater {r + 1}": labels for r, labels in enumerate(STACK)}


@pytest.mark.parametrize("name", FUSIONS.names())
@pytest.mark.parametrize("form", [list, tuple, np.asarray, lambda stack: stack.astype(np.int64)], ids=lambda f: f.__name__)
def test_every_fusion_takes_a_sequence_or_a_stack(name, form):
    fused, expected = (FUSIONS.get(name)().fuse(ratings, 3) for ratings in (form(STACK), NAMED))
    np.testing.assert_array_equal(fused.probability, expected.probability)
    np.testing.assert_array_equal(fused.labels, expected.labels)
    assert fused.raters == expected.raters == tuple(NAMED)


def test_soft_stacks_and_rings():
    soft = np.stack([np.equal(STACK, k) for k in range(3)], axis=1).astype(np.float32)  # [R, K, *S]
    np.testing.assert_array_equal(SoftAverage().fuse(soft, 3).probability, SoftAverage().fuse(STACK, 3).probability)
    ring = SoftSTAPLE(ring_radius=1)
    np.testing.assert_array_equal(ring.fuse(STACK, 3).probability, ring.fuse(NAMED, 3).probability)
    mixed = [STACK[0], soft[1], STACK[2].tolist()]
    np.testing.assert_allclose(SoftAverage().fuse(mixed, 3).probability, SoftAverage().fuse(STACK[:3], 3).probability)


def test_the_order_of_many_raters_is_kept():
    random = np.random.default_rng(0)
    ratings = (random.random((12, 500)) < np.linspace(0.05, 0.95, 12)[:, None]).astype(np.uint8)
    fused = STAPLE(max_iterations=3).fuse(ratings, 2)
    assert fused.raters == tuple(f"rater {n:02}" for n in range(1, 13))
    assert (np.diff(fused.confusion[:, 1].mean(axis=1)) > 0).all(), "the more a rater marks, the later"


def test_tensors_in_a_list_are_arrays():
    assert MajorityVote().fuse([torch.tensor([0, 1]), torch.tensor([0, 1])], 2).labels.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("ratings", "words"),
    [
        ([], "no rating"),
        (np.zeros((0, 4, 4), np.uint8), "no rating"),
        (np.zeros(7, np.uint8), r"one array of shape \(7,\), which has no axis of raters"),
        (np.uint8(1), "ratings are a uint8"),
        (np.array(1), r"one array of shape \(\), which has no axis of raters"),
        (STACK.astype(float), "'rater 1' gave float64 labels of shape"),
        ([STACK[0], STACK[1][1:]], "'rater 1' and 'rater 2' gave labels of different shapes"),
        ([STACK[0], STACK[1] + 7], "'rater 2' gave labels that are no class: 7"),
        ([[0, 1], [0, [1]]], "rater 2 gave no array of labels"),
        ([0, 1, 1], "'rater 1' gave int64 labels of shape"),
        ("ratings", "ratings are a str: give a mapping"),
        (iter([STACK[0]]), "give a mapping"),
        (None, "ratings are a NoneType"),
        (torch.zeros(3, 4), "ratings are a Tensor: give a mapping"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_is_no_stack_is_said(ratings, words):
    for fusion in (MajorityVote(), SoftSTAPLE(ring_radius=1)):
        with pytest.raises(RaterbenchError, match=words):
            fusion.fuse(ratings, 3)
