"""The labels of one rater alone."""

import numpy as np

from raterbench.benchmark.checks.examples import make_dataset
from raterbench.datasets import IGNORE
from raterbench.methods import Budget, FusedLabels, SingleRater

RATINGS = {
    "a": np.array([[1, 1, 0, IGNORE]], np.uint8),
    "b": np.array([[0, IGNORE, 2, IGNORE]], np.uint8),
}


def test_the_named_rater_alone_counts():
    fused = SingleRater(rater="b").fuse(RATINGS, 3)
    assert fused.raters == ("b",)
    np.testing.assert_array_equal(fused.labels, RATINGS["b"])
    np.testing.assert_allclose(fused.probability[:, 0].T, [[1, 0, 0], [1 / 3] * 3, [0, 0, 1], [1 / 3] * 3], atol=1e-6)


def test_a_case_that_the_rater_did_not_rate_has_no_label():
    fused = SingleRater(rater="c").fuse(RATINGS, 3)
    assert fused.raters == () and (fused.labels == IGNORE).all()
    assert fused.probability.shape == (3, 1, 4) and np.allclose(fused.probability, 1 / 3)


def test_without_a_name_it_is_the_first_who_judged_the_voxel():
    fused = SingleRater().fuse(dict(reversed(RATINGS.items())), 3)
    assert fused.raters == ("a", "b")
    assert fused.labels.tolist() == [[1, 1, 0, IGNORE]]
    assert SingleRater().fuse({"b": RATINGS["b"], "c": RATINGS["a"]}, 3).labels.tolist() == [[0, 1, 2, IGNORE]]


def test_it_means_a_person_where_a_name_is_given():
    assert SingleRater(rater="a").needs_rater_identity and not SingleRater().needs_rater_identity


def test_a_network_learns_that_rater_alone_and_leaves_other_cases_out():
    train = make_dataset(shapes=[(32, 32)] * 4)  # Each case lacks one of four raters.
    budget = Budget(epochs=1, features=(4, 4, 4, 8, 8, 4))
    slices = FusedLabels(fusion=SingleRater(rater="rater 1"), budget=budget).prepare(train, seed=0).whole()
    assert slices.cases.tolist() == [0, 2, 3]
    for row, case in zip(range(3), (train[0], train[2], train[3]), strict=True):
        given = case.ratings["rater 1"]
        np.testing.assert_array_equal(slices.present[row, 0].numpy(), given != IGNORE)
        np.testing.assert_array_equal(slices.ratings[row, 0, 1].numpy() == 1, given == 1)
