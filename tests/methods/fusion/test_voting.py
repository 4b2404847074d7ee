"""Majority vote and soft average against hand-counted votes."""

from typing import get_args

import numpy as np
import pytest

from raterbench.datasets.base import IGNORE
from raterbench.errors import RaterbenchError
from raterbench.methods.fusion.engine.ties import Ties
from raterbench.methods.fusion.majority import MajorityVote
from raterbench.methods.fusion.soft_average import SoftAverage
from raterbench.methods.fusion.union import Union


def named(rows):
    return {f"r{i}": np.array(row, dtype=np.uint8) for i, row in enumerate(rows)}


FOUR = named([[0, 1, 1, 0, 2, 2], [0, 1, 0, 1, 1, 2], [0, 1, 2, 2, 0, 2], [0, 0, 1, 1, 0, 2]])
BINARY = named([[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 0]])


def test_plurality_and_shares_of_four_raters():
    counts = np.array([[4, 1, 1, 1, 2, 0], [0, 3, 2, 2, 1, 0], [0, 0, 1, 1, 1, 4]])
    np.testing.assert_allclose(SoftAverage().fuse(FOUR, 3).probability, counts / 4)
    fused = MajorityVote().fuse(FOUR, 3)
    assert fused.labels.tolist() == [0, 1, 1, 1, 0, 2]
    assert np.array_equal(fused.probability.argmax(axis=0), fused.labels) and set(np.unique(fused.probability)) == {0, 1}


@pytest.mark.parametrize(
    ("ties", "expected"),
    [
        ("lowest", [1, 0, 0, 0]),
        ("background", [1, 0, 0, 0]),
        ("highest", [1, 1, 1, 0]),
        ("foreground", [1, 1, 1, 0]),
        ("undecided", [1, IGNORE, IGNORE, 0]),
    ],
)
@pytest.mark.parametrize("fusion", [MajorityVote, SoftAverage])
def test_ties(fusion, ties, expected):
    assert fusion(ties=ties).fuse(BINARY, 2).labels.tolist() == expected


def test_ties_between_foreground_classes():
    ratings = named([[1, 0], [2, 2]])
    winners = {
        t: MajorityVote(ties=t).fuse(ratings, 3).labels.tolist() for t in ("lowest", "highest", "background", "foreground")
    }
    assert winners == {"lowest": [1, 0], "highest": [2, 2], "background": [0, 0], "foreground": [1, 2]}
    assert MajorityVote(ties="undecided").fuse(ratings, 3).probability[:, 0].tolist() == [0, 0.5, 0.5]


@pytest.mark.parametrize("ties", get_args(Ties))
def test_ties_are_counted_whatever_is_made_of_them(ties):
    ratings = named([[1, 1, 0, 0, IGNORE, 2], [1, 0, 1, 0, IGNORE, 1], [IGNORE] * 6])
    assert [fusion(ties=ties).fuse(ratings, 3).tied for fusion in (MajorityVote, SoftAverage)] == [3, 3]
    assert Union(ties=ties).fuse(ratings, 3).tied == 1


def test_soft_ratings_vote_with_their_shares():
    soft = {"a": np.array([[0.4, 1.0], [0.6, 0.0]]), "b": np.array([[0.9, 0.2], [0.1, 0.8]], dtype=np.float32)}
    np.testing.assert_allclose(SoftAverage().fuse(soft, 2).probability[1], [0.35, 0.4], atol=1e-7)
    mixed = {"a": soft["a"], "b": np.array([1, 1], dtype=np.uint8)}
    np.testing.assert_allclose(SoftAverage().fuse(mixed, 2).probability[1], [0.8, 0.5], atol=1e-7)
    assert MajorityVote().fuse(mixed, 2).labels.tolist() == [1, 0]


@pytest.mark.parametrize("dtype", [bool, np.int64, np.uint16])
def test_whole_numbers_of_any_type(dtype):
    assert MajorityVote().fuse({"a": np.array([0, 1], dtype=dtype)}, 2).labels.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (np.array([0, 7, 9]), "no class: 7, 9"),
        (np.array([0, -1, 300]), "no class: -1, 300"),
        (np.array([0, 3, 255], dtype=np.uint8), "no class: 3"),
        (np.array([0.0, 1.0, 1.0]), "hard labels are whole numbers"),
        (np.array([[0.5] * 3, [0.6] * 3]), "no distribution"),
        (np.array([[np.nan, 1.0, 1.0], [0.5, 0.0, 0.0]]), "no distribution"),
        (np.array([[1.5, 1.0, 1.0], [-0.5, 0.0, 0.0]]), "no distribution"),
        (np.array([[np.inf, 1.0, 1.0], [-np.inf, 0.0, 0.0]]), "no distribution"),
        (np.array(["a", "b", "c"]), "hard labels are whole numbers"),
        (np.array([0, 1], dtype=np.uint8), "different shapes, .3,. and .2,."),
    ],
)
def test_bad_ratings_name_the_rater(wrong, words):
    with pytest.raises(RaterbenchError, match=words) as raised:
        SoftAverage().fuse({"anna": np.zeros(3, dtype=np.uint8), "bert": wrong}, 2)
    assert "'bert'" in str(raised.value)


def test_other_bad_input():
    with pytest.raises(RaterbenchError, match="no rating"):
        MajorityVote().fuse({}, 2)
    with pytest.raises(RaterbenchError, match="no voxel"):
        MajorityVote().fuse({"a": np.zeros((0, 3), dtype=np.uint8)}, 2)
    with pytest.raises(RaterbenchError, match="1 classes"):
        MajorityVote().fuse({"a": np.zeros(3, dtype=np.uint8)}, 1)
    with pytest.raises(RaterbenchError, match="did you mean 'lowest'"):
        MajorityVote(ties="lowes").fuse(BINARY, 2)
