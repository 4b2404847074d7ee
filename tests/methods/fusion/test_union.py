"""Union and intersection against hand-counted votes and against sets."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raterbench.datasets.base import IGNORE
from raterbench.methods.fusion.intersection import Intersection
from raterbench.methods.fusion.union import Union


def named(rows):
    return {f"r{i}": np.array(row, dtype=np.uint8) for i, row in enumerate(rows)}


BINARY = named([[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 0]])
FOUR = named([[0, 1, 1, 0, 2, 2], [0, 1, 0, 1, 1, 2], [0, 1, 2, 2, 0, 2], [0, 0, 1, 1, 0, 2]])


def test_two_classes():
    assert Union().fuse(BINARY, 2).labels.tolist() == [1, 1, 1, 0]
    assert Intersection().fuse(BINARY, 2).labels.tolist() == [1, 0, 0, 0]


def test_three_classes_by_the_most_votes_for_the_union_and_one_accord_for_the_intersection():
    assert Union().fuse(FOUR, 3).labels.tolist() == [0, 1, 1, 1, 1, 2]
    assert Intersection().fuse(FOUR, 3).labels.tolist() == [0, 0, 0, 0, 0, 2]
    all_foreground = named([[1], [2], [1]])
    assert Union().fuse(all_foreground, 3).labels.tolist() == [1]
    assert Intersection().fuse(all_foreground, 3).labels.tolist() == [0]


@pytest.mark.parametrize(
    ("ties", "label", "probability"),
    [
        ("lowest", 1, [0, 1, 0]),
        ("highest", 2, [0, 0, 1]),
        ("foreground", 1, [0, 1, 0]),
        ("background", 0, [1, 0, 0]),
        ("undecided", IGNORE, [0, 0.5, 0.5]),
    ],
)
def test_equal_votes_for_two_foreground_classes(ties, label, probability):
    fused = Union(ties=ties).fuse(named([[0], [1], [2], [0]]), 3)
    assert fused.labels.tolist() == [label] and fused.probability[:, 0].tolist() == probability


def test_who_did_not_judge_has_no_say():
    ratings = named([[1, IGNORE, 0, IGNORE], [1, 1, IGNORE, IGNORE]])
    for fusion in (Union(), Intersection()):
        assert fusion.fuse(ratings, 2).labels.tolist() == [1, 1, 0, IGNORE]


def test_soft_ratings_are_fuzzy_sets():
    one, other = np.array([0.9, 0.2, 0.0]), np.array([0.6, 0.7, 0.0])
    ratings = {"a": np.stack([1 - one, one]), "b": np.stack([1 - other, other])}
    np.testing.assert_allclose(Union().fuse(ratings, 2).probability[1], [0.9, 0.7, 0], atol=1e-7)
    np.testing.assert_allclose(Intersection().fuse(ratings, 2).probability[1], [0.6, 0.2, 0], atol=1e-7)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), raters=st.integers(1, 6), classes=st.integers(2, 4))
def test_they_are_what_sets_say(seed, raters, classes):
    stack = np.random.default_rng(seed).integers(classes, size=(raters, 40)).astype(np.uint8)
    ratings = {f"r{i}": row for i, row in enumerate(stack)}
    united, shared = Union().fuse(ratings, classes).labels, Intersection().fuse(ratings, classes).labels
    assert np.array_equal(united > 0, (stack > 0).any(axis=0))
    assert np.array_equal(shared, np.where((stack == stack[0]).all(axis=0), stack[0], 0))
    votes = np.array([(stack == k).sum(axis=0) for k in range(1, classes)])
    assert np.array_equal(united, np.where(votes.any(axis=0), 1 + votes.argmax(axis=0), 0))
