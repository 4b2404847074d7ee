"""Overlap and volume metrics, against scikit-learn, MONAI and numbers worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import confusion_matrix, f1_score, precision_score, recall_score

from raterbench.benchmark.metrics import METRICS, from_labels
from raterbench.benchmark.metrics.base import pair_counts
from raterbench.datasets.base import IGNORE
from raterbench.voxel_counts import label_counts

ONE = (1.0, 1.0)


def labels(*rows):
    return np.array(rows, np.uint8)


def value(name, prediction, reference, n_classes=2, spacing=ONE, **options):
    metric = METRICS.get(name)(**options)
    return metric.measure(from_labels(prediction, n_classes), from_labels(reference, n_classes), spacing=spacing)


def random_pair(seed, n_classes=3, shape=(9, 11)):
    rng = np.random.default_rng(seed)
    return tuple(rng.integers(0, n_classes, shape).astype(np.uint8) for _ in range(2))


@pytest.mark.parametrize("seed", range(5))
def test_overlap_is_that_of_scikit_learn(seed):
    prediction, reference = random_pair(seed)
    flat = reference.ravel(), prediction.ravel()
    for name, theirs in (("dice", f1_score), ("precision", precision_score), ("recall", recall_score)):
        np.testing.assert_allclose(value(name, prediction, reference, 3), theirs(*flat, average=None)[1:], rtol=1e-12)


def test_dice_is_that_of_monai():
    torch = pytest.importorskip("torch")
    from monai.metrics import compute_dice

    prediction, reference = random_pair(7)
    hot = [torch.from_numpy(from_labels(a, 3).probability)[None] for a in (prediction, reference)]
    theirs = compute_dice(*hot, include_background=False)[0].numpy()
    np.testing.assert_allclose(value("dice", prediction, reference, 3), theirs, rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_counts_are_the_transposed_confusion_matrix_of_scikit_learn(seed):
    prediction, reference = random_pair(seed, n_classes=5)
    theirs = confusion_matrix(reference.ravel(), prediction.ravel(), labels=range(5)).T
    np.testing.assert_array_equal(label_counts(prediction, reference, 5), theirs)
    assert label_counts(prediction, reference, 5).dtype == np.int64


NOTHING, SOMETHING = labels([0, 0], [0, 0]), labels([0, 1], [0, 1])


@pytest.mark.parametrize(
    ("name", "both_empty", "empty_prediction", "empty_reference"),
    [
        ("dice", 1.0, 0.0, 0.0),
        ("precision", math.nan, math.nan, 0.0),
        ("recall", math.nan, 0.0, math.nan),
        ("rvd", math.nan, 1.0, math.nan),
        ("avd", math.nan, 1.0, math.nan),
        ("false positive volume", 0.0, 0.0, 2.0),
    ],
)
def test_empty_masks_follow_the_named_policy(name, both_empty, empty_prediction, empty_reference):
    assert value(name, NOTHING, NOTHING) == pytest.approx([both_empty], nan_ok=True)
    assert value(name, NOTHING, SOMETHING) == pytest.approx([empty_prediction], nan_ok=True)
    assert value(name, SOMETHING, NOTHING) == pytest.approx([empty_reference], nan_ok=True)


def test_volume_differences_have_the_sign_of_the_reference_minus_the_prediction():
    reference, prediction = np.zeros((2, 400), np.uint8), np.zeros((2, 400), np.uint8)
    reference[0, :100], prediction[0, :120] = 1, 1
    assert value("rvd", prediction, reference) == pytest.approx([-0.2])
    assert value("avd", prediction, reference) == pytest.approx([0.2])
    assert value("rvd", reference, prediction) == pytest.approx([1 / 6])


def test_false_positive_volume_is_in_cubic_millimetres():
    prediction, reference = np.zeros((2, 3, 4), np.uint8), np.zeros((2, 3, 4), np.uint8)
    prediction[0], reference[0, :, 0] = 1, 1
    assert value("false positive volume", prediction, reference, spacing=(3.0, 0.5, 0.5)) == pytest.approx([9 * 0.75])


masks = arrays(np.uint8, (4, 5), elements=st.sampled_from([0, 1, 2, IGNORE]))


@settings(deadline=None, derandomize=True)
@given(masks, masks)
def test_unjudged_voxels_count_as_if_they_were_not_there(prediction, reference):
    keep = (prediction != IGNORE) & (reference != IGNORE)
    for name in ("dice", "precision", "recall", "rvd", "avd", "false positive volume", "brier"):
        whole = value(name, prediction, reference, 3)
        if keep.any():
            np.testing.assert_allclose(whole, value(name, prediction[keep], reference[keep], 3), rtol=1e-6, equal_nan=True)
        else:
            assert np.isnan(whole).all()


@settings(deadline=None, derandomize=True)
@given(masks, masks)
def test_dice_is_symmetric_and_the_harmonic_mean_of_precision_and_recall(prediction, reference):
    dice, precision, recall = (value(name, prediction, reference, 3) for name in ("dice", "precision", "recall"))
    np.testing.assert_array_equal(dice, value("dice", reference, prediction, 3))
    np.testing.assert_array_equal(precision, value("recall", reference, prediction, 3))
    for d, p, r in zip(dice, precision, recall, strict=True):
        if p + r > 0:
            assert d == pytest.approx(2 * p * r / (p + r))


def test_counts_of_a_pair_are_made_once():
    prediction, reference = (from_labels(a, 3) for a in random_pair(1))
    assert pair_counts(prediction, reference) is pair_counts(prediction, reference)
    assert pair_counts(prediction, reference) is not pair_counts(reference, prediction)
