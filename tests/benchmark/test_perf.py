"""What ``make perf`` measures is what it says: the comparisons themselves, on images small enough to be quick."""

import numpy as np
import SimpleITK as sitk

from raterbench.benchmark.perf.confusion import saved_bytes, training_step
from raterbench.benchmark.perf.examples import outlines
from raterbench.benchmark.perf.fusions import WORKS, by_simpleitk, copying, ours, peak_above
from raterbench.benchmark.perf.timing import compare, summarise
from raterbench.methods import STAPLE, ConfusionNetwork


def test_raters_differ_along_the_outlines_only():
    ratings = outlines((64, 80), n_raters=6, n_classes=3)
    stack = np.stack(list(ratings.values()))
    contested = np.ptp(stack, axis=0) > 0
    assert set(np.unique(stack)) == {0, 1, 2} and 0.02 < contested.mean() < 0.5
    assert not contested[0].any() and (stack[:, 32, 40] == 2).all()
    assert all(
        np.array_equal(labels, again)
        for labels, again in zip(ratings.values(), outlines((64, 80), n_raters=6, n_classes=3).values(), strict=True)
    )


def test_both_sides_do_the_same_work():
    ratings = outlines((40, 40), n_raters=5)
    images = by_simpleitk(ratings, 2)()
    np.testing.assert_allclose(ours(ratings, 2)().probability[1], sitk.GetArrayFromImage(images), atol=1e-6)
    labels = sitk.GetArrayFromImage(by_simpleitk(outlines((40, 40), n_raters=5, n_classes=3), 3)())
    assert (labels == STAPLE().fuse(outlines((40, 40), n_raters=5, n_classes=3), 3).labels).mean() > 0.99


def test_memory_stays_below_a_copy_of_the_input():
    ratings = outlines((40, 200, 200), n_raters=7)
    assert 0 < peak_above(ratings, 2) < 0.5


def test_ratios_and_their_words():
    ratios = compare(lambda: sum(range(20_000)), lambda: sum(range(2_000)), 5, calls=(3, 3))
    assert len(ratios) == 5 and min(ratios) > 1
    assert summarise([3.0, 1.0, 2.0]) == "2.00 (from 1.00 to 3.00, 3 pairs)"
    copying(ratings := outlines((16, 16), n_raters=2), STAPLE().fuse(ratings, 2))()
    assert [work.at_least for work in WORKS] == [100, 60, 30, 5]


def test_memory_of_matrices_at_every_voxel_grows_linearly_with_raters():
    few, some, many = (saved_bytes(training_step(ConfusionNetwork(), n)) for n in (2, 6, 10))
    assert many - some == some - few > 0
