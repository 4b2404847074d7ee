"""Soft volumes and voxel fractions, by hand and on the phantom, which knows the fraction of every voxel."""

import numpy as np
import pytest

from raterbench.benchmark.measuring.references import References
from raterbench.benchmark.metrics import METRICS, Segmentation, from_labels
from raterbench.datasets import Phantom


def value(name, prediction, truth):
    return METRICS.get(name)().measure(prediction, truth, spacing=(1.0, 1.0))


def binary(foreground, region=None):
    p = np.array([foreground], np.float32)
    return Segmentation((p > 0.5).astype(np.uint8), np.stack([1 - p, p]), region)


TRUTH = binary([1, 0.75, 0.25, 0], np.array([[False, True, True, True]]))


def test_the_error_of_the_soft_volume_is_signed_and_relative():
    assert value("soft volume error", binary([1, 0.5, 0.1, 0]), TRUTH) == pytest.approx(0.2)
    assert value("soft volume error", binary([1, 1, 1, 0]), TRUTH) == pytest.approx(-0.5)
    assert value("soft volume error", binary([0, 1, 0.5, 0.5]), TRUTH) == pytest.approx(0)


def test_the_error_of_fractions_is_over_the_region_alone():
    assert value("fraction error", binary([0, 0.5, 0.5, 0.1]), TRUTH) == pytest.approx((0.25 + 0.25 + 0.1) / 3)
    assert np.isnan(value("fraction error", TRUTH, binary([1, 0.75, 0.25, 0])))


@pytest.mark.parametrize("name", ["soft volume error", "fraction error"])
def test_a_hard_truth_knows_no_fractions(name):
    hard = from_labels(np.array([[1, 1, 0, 0]], np.uint8), 2, region=np.ones((1, 4), bool))
    assert np.isnan(value(name, TRUTH, hard))


def test_the_phantoms_labels_lose_partial_volume():
    case = Phantom(subjects=1, slices=1, size=32)[0]
    truth = References(case, 3)["truth"]
    for name in ("soft volume error", "fraction error"):
        assert value(name, truth, truth).tolist() == [0, 0]
        assert (np.abs(value(name, from_labels(truth.labels, 3), truth)) > 0).all()
    region, fractions = truth.region, case.truth.probability
    expected = [np.abs((truth.labels == k)[region] - fractions[k][region]).mean() for k in (1, 2)]
    assert value("fraction error", from_labels(truth.labels, 3), truth) == pytest.approx(expected, rel=1e-6)
