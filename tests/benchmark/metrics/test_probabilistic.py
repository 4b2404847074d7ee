"""Brier score and entropies, against scikit-learn, scipy and numbers worked out by hand."""

import numpy as np
import pytest
from scipy.stats import entropy as scipy_entropy
from sklearn.metrics import brier_score_loss, mean_squared_error

from raterbench.benchmark.measuring.references import References
from raterbench.benchmark.metrics import METRICS, Segmentation, from_labels
from raterbench.benchmark.metrics.probabilistic import entropy_map
from raterbench.datasets.base import IGNORE, Case, Geometry
from raterbench.errors import RaterbenchError

ONE = (1.0, 1.0)


def binary(foreground, labels=None, region=None):
    p = np.array([foreground], np.float32)
    hard = (p > 0.5).astype(np.uint8) if labels is None else labels
    return Segmentation(hard, np.stack([1 - p, p]), region)


def value(name, prediction, reference):
    return float(METRICS.get(name)().measure(prediction, reference, spacing=ONE))


PREDICTION, SOFT = binary([1, 0.5, 0.25, 0]), binary([1, 1 / 3, 1 / 3, 0])


def test_the_reference_numbers_come_out():
    assert value("brier", PREDICTION, SOFT) == pytest.approx(0.00868056, abs=1e-7)
    assert value("brier", PREDICTION, from_labels(np.array([[1, 0, 0, 0]], np.uint8), 2)) == pytest.approx(0.078125)
    assert value("entropy", PREDICTION, None) == pytest.approx(0.3138707, abs=1e-6)
    assert entropy_map(PREDICTION.probability).sum() == pytest.approx(1.2554823, abs=1e-6)
    assert entropy_map(SOFT.probability).sum() == pytest.approx(1.2730284, abs=1e-6)
    assert value("entropy error", PREDICTION, SOFT) == pytest.approx(0.0175460 / 4, abs=1e-6)


def test_the_single_term_entropy_is_a_sum_over_the_foreground():
    assert value("single-term entropy", PREDICTION, None) == pytest.approx(0.6931472, abs=1e-7)
    assert value("single-term entropy", SOFT, None) == pytest.approx(0.7324082, abs=1e-7)
    assert value("single-term entropy error", PREDICTION, SOFT) == pytest.approx(0.0392610, abs=1e-7)
    three = np.array([[[0.5, 0.0]], [[0.25, 0.5]], [[0.25, 0.5]]], np.float32)
    expected = -2 * 0.25 * np.log(0.25) - 2 * 0.5 * np.log(0.5)
    assert value("single-term entropy", Segmentation(np.array([[0, 1]], np.uint8), three), None) == pytest.approx(expected)


def test_brier_against_the_soft_average_and_against_the_majority_of_three_raters():
    ratings = {name: np.array([labels], np.uint8) for name, labels in {"a": (1, 1, 0, 0), "b": (1, 0, 1, 0)}.items()}
    ratings["c"] = np.array([[1, 0, 0, 0]], np.uint8)
    case = Case("c", "s", "c", np.zeros((1, 1, 4), np.float32), ratings, Geometry.axis_aligned(2))
    sources = References(case, 2)
    assert value("brier", PREDICTION, sources["soft average"]) == pytest.approx(0.00868056, abs=1e-7)
    assert value("brier", PREDICTION, sources["majority"]) == pytest.approx(0.078125)


def test_two_classes_have_the_binary_brier_score():
    rng = np.random.default_rng(0)
    p, labels = rng.random((1, 500)), rng.integers(0, 2, (1, 500)).astype(np.uint8)
    mine = value("brier", binary(p[0]), from_labels(labels, 2))
    assert mine == pytest.approx(brier_score_loss(labels[0], p[0]), rel=1e-6)


def test_more_classes_have_the_mean_over_classes():
    rng = np.random.default_rng(1)
    p = rng.dirichlet(np.ones(4), size=200).T.astype(np.float32).reshape(4, 10, 20)
    labels = rng.integers(0, 4, (10, 20)).astype(np.uint8)
    one_hot = np.eye(4)[labels].transpose(2, 0, 1)
    mine = value("brier", Segmentation(p.argmax(0).astype(np.uint8), p), from_labels(labels, 4))
    assert mine == pytest.approx(((p - one_hot) ** 2).sum(axis=0).mean() / 4, rel=1e-6)


def test_entropy_is_that_of_scipy():
    rng = np.random.default_rng(2)
    p = rng.dirichlet(np.ones(3), size=300).T.astype(np.float32).reshape(3, 20, 15)
    p[:, 0, 0] = [0, 1, 0]
    np.testing.assert_allclose(entropy_map(p), scipy_entropy(p, axis=0), atol=1e-6)


def test_only_the_voxelwise_error_sees_where_the_uncertainty_is():
    left, right = binary([0.5, 0.5, 0, 0]), binary([0, 0, 0.5, 0.5])
    assert value("entropy error", left, right) == 0
    assert value("voxel entropy error", left, right) == pytest.approx(np.log(2))


def test_unjudged_voxels_are_left_out():
    hidden = binary([1, 1 / 3, 1 / 3, 0.9], labels=np.array([[1, 0, 0, IGNORE]], np.uint8))
    short, cut = binary([1, 0.5, 0.25]), binary([1, 1 / 3, 1 / 3])
    for name in ("brier", "entropy error", "single-term entropy error", "voxel entropy error"):
        assert value(name, PREDICTION, hidden) == pytest.approx(value(name, short, cut))
    nobody = from_labels(np.full((1, 4), IGNORE, np.uint8), 2)
    assert np.isnan([value(name, PREDICTION, nobody) for name in ("brier", "entropy error", "voxel entropy error")]).all()
    assert np.isnan(value("entropy", nobody, None))


def test_the_score_by_class_is_the_binary_score_of_each_class():
    metric = METRICS.get("brier by class")()
    worked = metric.measure(PREDICTION, SOFT, spacing=(1.0, 1.0))
    np.testing.assert_allclose(worked, [0.00868056], atol=1e-7)
    random = np.random.default_rng(0)
    p, g = (random.dirichlet(np.ones(4), size=(5, 6)).transpose(2, 0, 1).astype(np.float32) for _ in range(2))
    labels = g.argmax(axis=0).astype(np.uint8)
    labels[0] = IGNORE
    prediction, reference = Segmentation(p.argmax(axis=0).astype(np.uint8), p), Segmentation(labels, g)
    expected = [mean_squared_error(g[k, 1:].ravel(), p[k, 1:].ravel()) for k in (1, 2, 3)]
    np.testing.assert_allclose(metric.measure(prediction, reference, spacing=(1.0, 1.0)), expected, rtol=1e-6)


def test_the_foreground_version_looks_at_the_region_alone():
    region = np.array([[True, True, False, False]])
    near = binary([1, 1 / 3, 1 / 3, 0], region=region)
    assert value("brier foreground", PREDICTION, near) == pytest.approx((0.5 - 1 / 3) ** 2 / 2)
    assert np.isnan(value("brier foreground", PREDICTION, SOFT))
    assert np.isnan(value("brier foreground", PREDICTION, binary([1, 1, 1, 1], region=np.zeros((1, 4), bool))))
    unjudged = binary([1, 0, 0, 0], labels=np.array([[1, IGNORE, 0, 0]], np.uint8), region=region)
    assert value("brier foreground", PREDICTION, unjudged) == 0


def test_a_large_map_is_summed_without_drift():
    p = np.full((1, 1 << 21), 0.3, np.float32)
    reference = from_labels(np.zeros(p.shape, np.uint8), 2)
    assert value("brier", binary(p[0]), reference) == pytest.approx(0.09, rel=1e-6)


def test_a_metric_that_needs_a_reference_says_so():
    with pytest.raises(RaterbenchError, match="'brier' needs a reference"):
        value("brier", PREDICTION, None)
