"""At least k raters, or a share of them, against counted votes, union, intersection and majority."""

import numpy as np
import pytest

from raterbench.benchmark.checks.examples import make_dataset
from raterbench.benchmark.checks.fusions import make_example
from raterbench.datasets import IGNORE, RaterbenchError
from raterbench.methods import FUSIONS, AtLeast, FusedLabels, Intersection, MajorityVote, Union


@pytest.mark.parametrize("votes", range(1, 14))
def test_votes_are_counted(votes):
    ratings = (np.random.default_rng(0).random((13, 30, 20)) < np.linspace(0, 1, 600).reshape(30, 20)).astype(np.uint8)
    fused = AtLeast(votes=votes).fuse(ratings, 2)
    np.testing.assert_array_equal(fused.labels, ratings.sum(axis=0) >= votes)
    np.testing.assert_array_equal(fused.probability[1], fused.labels)
    np.testing.assert_array_equal(AtLeast(share=votes / 13).fuse(ratings, 2).labels, fused.labels)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_its_ends_are_union_intersection_and_majority(n_classes, missing):
    ratings = make_example(1, n_raters=4, n_classes=n_classes, shape=(30, 40), missing=missing).ratings
    for ours, theirs in ((AtLeast(votes=1), Union()), (AtLeast(share=1), Intersection()), (AtLeast(share=0.01), Union())):
        fused, expected = ours.fuse(ratings, n_classes), theirs.fuse(ratings, n_classes)
        np.testing.assert_array_equal(fused.probability, expected.probability)
        np.testing.assert_array_equal(fused.labels, expected.labels)
    if n_classes == 2:
        expected = MajorityVote(ties="foreground").fuse(ratings, 2).labels
        np.testing.assert_array_equal(AtLeast().fuse(ratings, 2).labels, expected)


def test_the_class_with_most_votes_wins_and_ties_have_their_rule():
    ratings = np.array([[1, 1, 1, 1, 0], [1, 1, 1, 2, 1], [2, 2, 0, 2, 2], [2, 0, 2, 2, 0]], dtype=np.uint8)
    winners = {t: AtLeast(votes=2, ties=t).fuse(ratings, 3).labels.tolist() for t in ("lowest", "highest", "background")}
    assert winners == {"lowest": [1, 1, 1, 2, 0], "highest": [2, 1, 1, 2, 0], "background": [0, 1, 1, 2, 0]}
    undecided = AtLeast(votes=2, ties="undecided").fuse(ratings, 3)
    assert undecided.labels.tolist() == [IGNORE, 1, 1, 2, 0] and undecided.tied == 1
    assert undecided.probability[:, 0].tolist() == [0, 0.5, 0.5]
    assert AtLeast(votes=3).fuse(ratings, 3).labels.tolist() == [0, 0, 0, 2, 0]


def test_raters_who_did_not_judge_a_voxel_count_in_no_share():
    ratings = np.array([[1, 1, 1], [0, IGNORE, IGNORE], [0, 0, IGNORE]], dtype=np.uint8)
    assert AtLeast(share=0.5).fuse(ratings, 2).labels.tolist() == [0, 1, 1]
    assert AtLeast(votes=2).fuse(ratings, 2).labels.tolist() == [0, 0, 0]


def test_soft_ratings_vote_with_their_shares():
    shares = np.array([[0.1, 0.6, 1.0], [0.1, 0.7, 0.4], [0.8, 0.8, 0.6]])
    ratings = np.stack([1 - shares, shares], axis=1)  # [R, K, N]
    assert AtLeast(votes=2).fuse(ratings, 2).labels.tolist() == [0, 1, 1]
    assert AtLeast(votes=1).fuse(ratings, 2).labels.tolist() == [1, 1, 1], "0.1 + 0.1 + 0.8 is one vote"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"votes": 0}, "votes = 0 must be a whole number of 1 or more"),
        ({"votes": 2.5}, "votes = 2.5 must be a whole number"),
        ({"votes": True}, "votes = True must be a whole number"),
        ({"share": 0.0}, "share = 0.0 must be a number greater than 0 and at most 1"),
        ({"share": 7}, "share = 7 must be a number greater than 0 and at most 1"),
        ({"share": float("nan")}, "share = nan must be a number greater than 0"),
        ({"votes": 2, "share": 0.5}, "give one of them"),
        ({"ties": "random"}, "ties = 'random' must be 'lowest' or"),
        ({"votes": 4}, "votes = 4, but only 3 of the case's raters"),
    ],
)
def test_what_cannot_be_is_said(options, words):
    idle = np.array([[1, 0], [1, 1], [0, 1], [IGNORE, IGNORE]], dtype=np.uint8)
    with pytest.raises(RaterbenchError, match=words):
        AtLeast(**options).fuse(idle, 2)


def test_it_is_found_by_name_and_skipped_where_a_case_has_too_few_raters():
    assert FUSIONS.get("at-least") is AtLeast
    data = make_dataset(shapes=[(32, 32)] * 3, n_raters=3)  # one rater is missing from each case
    assert [len(case.ratings) for case in data] == [2, 2, 2]
    del data.cases[1].ratings["rater 0"]
    few = type(data)(data.name, data.cases, data.classes, data.raters)
    assert FusedLabels(fusion=AtLeast(votes=2)).skip_reason(data) is None
    assert FusedLabels(fusion=AtLeast(votes=2)).skip_reason(few) == "AtLeast needs 2 raters a case, and 1 of 3 cases have fewer"
    assert FusedLabels(fusion=AtLeast()).skip_reason(few) is None and FusedLabels().skip_reason(few) is None
