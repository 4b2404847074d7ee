"""Raters of the model's own kind: what they do is what their matrices say."""

import numpy as np
import pytest

from raterbench.datasets import ConfusedShapes, RaterbenchError, pooled_confusion
from raterbench.datasets.confused_shapes import CONFUSIONS


def test_raters_err_by_their_matrices():
    found = pooled_confusion(ConfusedShapes(train=60, test=0))
    for rater, flips in CONFUSIONS.items():
        np.testing.assert_allclose(found[rater], np.array(flips.confusion), atol=0.02)
    diagonals = np.concatenate([np.diag(np.array(flips.confusion)) for flips in CONFUSIONS.values()])
    assert diagonals.min() == 0.6 and diagonals.max() == 0.95


def test_one_rater_an_image_says_the_same_as_among_all():
    everyone, one = ConfusedShapes(train=30, test=5), ConfusedShapes(train=30, test=5, regime="one")
    again = ConfusedShapes(train=30, test=5, regime="one")
    assert len(set(one.index["raters"])) == 4
    assert everyone.official_test == one.official_test == (30, 31, 32, 33, 34)
    for i in (0, 7, 31):
        (rater,) = one[i].ratings
        assert list(one.index["raters"].iloc[i]) == [rater]
        np.testing.assert_array_equal(one[i].ratings[rater], everyone[i].ratings[rater])
        np.testing.assert_array_equal(one[i].image, again[i].image)


def test_the_fingerprint_knows_what_is_drawn():
    prints = {ConfusedShapes(**o).fingerprint() for o in ({}, {"seed": 1}, {"noise": 0.2}, {"size": 48}, {"regime": "one"})}
    assert len(prints) == 5
    assert ConfusedShapes().fingerprint() in prints


@pytest.mark.parametrize("options", [{"regime": "some"}, {"train": 0, "test": 0}, {"size": 8}, {"noise": -1.0}])
def test_options_out_of_range_are_plain_errors(options):
    with pytest.raises(RaterbenchError, match="confused-shapes"):
        ConfusedShapes(**options)
