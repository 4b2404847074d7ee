"""The error of an estimated confusion, against numbers worked out by hand."""

import numpy as np
import pytest

from raterbench.benchmark.metrics.confusion import (
    confusion_counts,
    confusion_from_counts,
    confusion_rmse,
    sums_over_truth,
)
from raterbench.datasets.base import IGNORE
from raterbench.voxel_counts import ratio

IDENTITY, BLANK, UNIFORM = np.eye(2), np.array([[1.0, 1.0], [0.0, 0.0]]), np.full((2, 2), 0.5)


def test_the_reference_values_come_out():
    assert confusion_rmse(IDENTITY, BLANK) == pytest.approx(0.7071, abs=1e-4)
    assert confusion_rmse(UNIFORM, IDENTITY) == pytest.approx(0.5)
    assert confusion_rmse(BLANK, BLANK) == 0


def test_a_class_that_never_occurs_is_left_out():
    true = np.array([[0, 0, 0, 1]], np.uint8)
    observed = np.array([[0, 1, 0, 1]], np.uint8)
    truth = confusion_from_counts(confusion_counts(observed, true, 3))
    np.testing.assert_allclose(truth[:, :2], [[2 / 3, 0], [1 / 3, 1], [0, 0]])
    assert np.isnan(truth[:, 2]).all()
    expected = np.sqrt(((np.eye(3)[:, :2] - truth[:, :2]) ** 2).mean())
    assert confusion_rmse(np.eye(3), truth) == pytest.approx(expected)


def test_a_rater_that_was_never_seen_has_no_error():
    assert np.isnan(confusion_rmse(np.full((2, 2), np.nan), IDENTITY))


def test_counts_pool_over_cases_and_skip_unjudged_voxels():
    rng = np.random.default_rng(0)
    true, observed = (rng.integers(0, 3, (6, 40)).astype(np.uint8) for _ in range(2))
    observed[rng.random(observed.shape) < 0.2] = IGNORE
    pooled = sum(confusion_counts(o, t, 3) for o, t in zip(observed, true, strict=True))
    np.testing.assert_array_equal(pooled, confusion_counts(observed, true, 3))
    for i in range(3):
        for j in range(3):
            assert pooled[i, j] == ((observed == i) & (true == j)).sum()
    np.testing.assert_allclose(confusion_from_counts(pooled).sum(axis=0), 1)


def test_a_confusion_of_each_voxel_is_averaged_where_the_truth_is_the_column():
    rng = np.random.default_rng(1)
    confusion = rng.dirichlet(np.ones(3), size=(3, 5, 7)).transpose(3, 0, 1, 2)
    true = rng.integers(0, 2, (5, 7)).astype(np.uint8)
    average = ratio(*sums_over_truth(confusion, true))
    for j in range(2):
        np.testing.assert_allclose(average[:, j], confusion[:, j].reshape(3, -1)[:, true.ravel() == j].mean(axis=1))
        assert average[:, j].sum() == pytest.approx(1)
    assert np.isnan(average[:, 2]).all()
    same = np.broadcast_to(BLANK[:, :, None, None], (2, 2, 5, 7))
    np.testing.assert_allclose(ratio(*sums_over_truth(same, true)), BLANK)
