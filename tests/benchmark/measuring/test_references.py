"""The references of a case: what each is made of, and what happens where there is none."""

import dataclasses

import numpy as np
import pytest

from raterbench.benchmark.experiment.references import reference_entry
from raterbench.benchmark.measuring.references import References, foreground_region, fuse_reference
from raterbench.datasets.base import IGNORE, Case, Geometry, Truth
from raterbench.errors import RaterbenchError
from raterbench.methods.fusion.at_least import AtLeast
from raterbench.methods.fusion.staple import STAPLE


def make_case(ratings, truth=None):
    shape = next(iter(ratings.values())).shape if ratings else (1, 4)
    return Case("case-1", "s", "c", np.zeros((1, *shape), np.float32), ratings, Geometry.axis_aligned(len(shape)), truth)


RATINGS = {
    "ann": np.array([[0, 1, 1, IGNORE]], np.uint8),
    "bob": np.array([[0, 1, 0, IGNORE]], np.uint8),
    "eve": np.array([[0, 0, IGNORE, IGNORE]], np.uint8),
}


def test_fusions_are_what_they_are_called():
    sources = References(make_case(RATINGS), 2)
    majority, soft = sources["majority"], sources["soft average"]
    assert majority.labels.tolist() == soft.labels.tolist() == [[0, 1, 0, IGNORE]]
    np.testing.assert_allclose(majority.probability[1], [[0, 1, 0, 0.5]])
    np.testing.assert_allclose(soft.probability[1], [[0, 2 / 3, 0.5, 0.5]])


def test_staple_is_binarised_because_its_posterior_is_no_calibrated_label():
    rng = np.random.default_rng(0)
    ratings = {f"r{i}": (rng.random((8, 8)) < 0.4).astype(np.uint8) for i in range(3)}
    found = References(make_case(ratings), 2)["staple"]
    np.testing.assert_array_equal(found.labels, STAPLE().fuse(ratings, 2).labels)
    np.testing.assert_array_equal(found.probability[1], found.labels)


def test_a_single_rater_is_one_hot_and_an_absent_one_is_no_reference():
    sources = References(make_case(RATINGS), 2)
    assert np.shares_memory(sources["rater:ann"].labels, RATINGS["ann"])
    np.testing.assert_allclose(sources["rater:ann"].probability[1], [[0, 1, 1, 0.5]])
    assert sources["rater:zoe"] is None
    assert sources.raters == ["rater:ann", "rater:bob", "rater:eve"]


def test_the_truth_is_kept_soft_and_may_be_unknown():
    labels = np.array([[0, 1, 1, 0]], np.uint8)
    soft = np.array([[[1, 0.4, 0, 0.9]], [[0, 0.6, 1, 0.1]]], np.float32)
    assert References(make_case(RATINGS), 2)["truth"] is None
    found = References(make_case(RATINGS, Truth(labels, soft)), 2)["truth"]
    assert np.shares_memory(found.labels, labels)
    assert np.shares_memory(found.probability, soft)


def test_fusions_are_made_once():
    sources = References(make_case(RATINGS), 2)
    assert sources["staple"] is sources["staple"]


def test_a_rater_can_be_left_out_while_the_region_stays():
    case = make_case(RATINGS)
    without = References(case, 2, without="ann")
    assert without.raters == ["rater:bob", "rater:eve"]
    assert without["rater:ann"] is None
    np.testing.assert_allclose(without["soft average"].probability[1], [[0, 0.5, 0, 0.5]])
    np.testing.assert_array_equal(without.region, References(case, 2).region)


def test_what_cannot_be_is_said_in_words():
    with pytest.raises(RaterbenchError, match="did you mean 'majority'"):
        References(make_case(RATINGS), 2)["majorty"]
    with pytest.raises(RaterbenchError, match="'case-1' has no rater"):
        References(make_case({}), 2)["staple"]
    with pytest.raises(RaterbenchError, match="names no fusion"):
        reference_entry({"ties": "lowest"})


@pytest.mark.parametrize(
    ("entry", "name", "fusion"),
    [
        ("soft average", "soft average", ""),
        ("rater:ann", "rater:ann", ""),
        ({"raters": ["ann", "bob"]}, "raters:ann,bob", ""),
        ("raters:ann,bob", "raters:ann,bob", ""),
        ("soft-average", "soft average", ""),
        ({"fusion": "STAPLE"}, "staple", ""),
        ("spatial-staple", "spatial-staple", "spatial-staple"),
        ({"fusion": "staple", "region": "union", "margin": 3}, "staple (region=union, margin=3)", "staple"),
    ],
)
def test_an_entry_is_a_word_a_fusion_or_a_table(entry, name, fusion):
    assert reference_entry(entry)[:2] == (name, fusion)


def test_any_fusion_makes_a_reference_of_labels_where_there_are_enough_raters():
    sources = References(make_case(RATINGS), 2, fusions={"both": AtLeast(votes=2), "four": AtLeast(votes=4)})
    assert sources["both"].labels.tolist() == [[0, 1, 0, IGNORE]]
    np.testing.assert_array_equal(sources["both"].probability[1, 0, :3], [0, 1, 0])
    assert sources["four"] is None
    few = dataclasses.replace(make_case(RATINGS), ratings={"ann": RATINGS["ann"]})
    assert References(few, 2, fusions={"both": AtLeast(votes=2)})["both"] is None
    assert fuse_reference("both", few.ratings, few.geometry, 2, AtLeast(votes=2)) is None


def test_the_region_is_what_lies_within_five_voxels_in_plane():
    ratings = {"a": np.zeros((3, 20, 24), np.uint8), "b": np.zeros((3, 20, 24), np.uint8)}
    ratings["a"][1, 8, 10] = 2
    ratings["b"][1, 8, 12] = 1
    ratings["b"][2] = IGNORE
    expected = np.zeros((3, 20, 24), bool)
    expected[1, 3:14, 5:18] = True
    np.testing.assert_array_equal(foreground_region(make_case(ratings)), expected)


@pytest.mark.parametrize("thin", [(0,), (1,), (2,), (0, 1)])
def test_the_region_of_one_slice_is_that_of_the_image(thin):
    mask = np.zeros((30, 24), np.uint8)
    mask[12:15, 4:9] = 1
    flat = foreground_region(make_case({"a": mask}))
    wrapped = foreground_region(make_case({"a": np.expand_dims(mask, thin)}))
    np.testing.assert_array_equal(wrapped.squeeze(thin), flat)


def test_the_region_of_empty_raters_is_empty():
    case = make_case({"a": np.zeros((6, 6), np.uint8)})
    assert not foreground_region(case).any()
    assert not foreground_region(dataclasses.replace(case, ratings={})).any()
