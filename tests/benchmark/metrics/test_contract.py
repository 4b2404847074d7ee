"""What every metric owes to the tables, whoever wrote it."""

import subprocess
import sys

import numpy as np
import pytest

from raterbench.benchmark.metrics import METRICS, Metric, RaterMetric, Segmentation, from_labels, one_hot
from raterbench.benchmark.metrics.base import judged, remember
from raterbench.datasets.base import IGNORE
from raterbench.errors import RaterbenchError
from raterbench.voxel_counts import argmax_with_confidence

ALL = METRICS.names()
OF_RATERS = [name for name in ALL if issubclass(METRICS.get(name), RaterMetric)]
OF_PREDICTIONS = [name for name in ALL if issubclass(METRICS.get(name), Metric)]
COMPARING = [name for name in OF_PREDICTIONS if METRICS.get(name).references != "none"]


def segmentation(seed, n_classes=3, shape=(10, 9)):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(n_classes), size=shape).astype(np.float32)
    p = np.ascontiguousarray(np.moveaxis(p, -1, 0))
    return Segmentation(p.argmax(0).astype(np.uint8), p, np.ones(shape, bool))


def test_the_registry_knows_them_by_their_names_in_tables():
    assert ALL == [
        "avd", "brier", "brier by class", "brier foreground", "confusion rmse", "dice", "dice max", "empty thresholds",
        "entropy", "entropy error", "entropy error against truth", "expected calibration error", "false positive volume",
        "fraction error", "generalised energy distance", "hd95", "lesion false-detection rate", "lesion true-positive rate",
        "matched iou", "precision", "recall", "rvd", "sample ncc", "single-term entropy", "single-term entropy error",
        "soft dice over thresholds", "soft volume error", "surface dice", "volume crps", "voxel entropy error",
    ]  # fmt: skip
    with pytest.raises(RaterbenchError, match="did you mean 'dice'"):
        METRICS.get("dise")


@pytest.mark.parametrize("name", ALL)
def test_every_metric_describes_itself(name):
    metric = METRICS.get(name)()
    assert metric.name == name
    assert metric.label
    assert metric.empty.endswith(".")
    assert metric.better in {"higher", "lower", "zero", "none"}
    assert metric.range[0] < metric.range[1]
    assert metric.references in {"any", "soft", "none", "truth", "soft average"}


@pytest.mark.parametrize("name", OF_PREDICTIONS)
def test_every_metric_has_its_shape_its_range_and_is_pure(name):
    metric = METRICS.get(name)()
    values = []
    for _ in range(2):
        prediction, reference = segmentation(0), segmentation(1)
        before = prediction.labels.copy(), prediction.probability.copy()
        values.append(metric.measure(prediction, reference, spacing=(1.0, 2.0)))
        np.testing.assert_array_equal(before[0], prediction.labels)
        np.testing.assert_array_equal(before[1], prediction.probability)
    assert values[0].shape == ((2,) if metric.per_class else ())
    assert values[0].dtype == np.float64
    assert ((values[0] >= metric.range[0]) & (values[0] <= metric.range[1])).all()
    np.testing.assert_array_equal(values[0], values[1])


@pytest.mark.parametrize("name", COMPARING)
def test_perfect_is_best_and_nothing_judged_is_nan(name):
    metric = METRICS.get(name)()
    perfect = metric.measure(segmentation(0), segmentation(0), spacing=(1.0, 1.0))
    if metric.better != "none":
        np.testing.assert_allclose(perfect, 1.0 if metric.better == "higher" else 0.0)
    nobody = from_labels(np.full((10, 9), IGNORE, np.uint8), 3, region=np.ones((10, 9), bool))
    assert np.isnan(metric.measure(segmentation(0), nobody, spacing=(1.0, 1.0))).all()


@pytest.mark.parametrize("name", COMPARING)
def test_a_reference_of_another_shape_is_refused(name):
    with pytest.raises(RaterbenchError, match="different"):
        METRICS.get(name)().measure(segmentation(0), segmentation(0, shape=(9, 10)), spacing=(1.0, 1.0))


@pytest.mark.parametrize("name", OF_RATERS)
def test_a_metric_of_raters_measures_no_prediction(name):
    metric = METRICS.get(name)()
    assert metric.measure_rater(np.eye(3), np.eye(3)) == (1.0 if metric.better == "higher" else 0.0)
    assert np.isnan(metric.measure_rater(np.full((3, 3), np.nan), np.eye(3)))


def test_a_segmentation_refuses_what_does_not_fit():
    with pytest.raises(RaterbenchError, match="label 3 is none of the 2 classes"):
        from_labels(np.array([[0, 3]], np.uint8), 2)
    with pytest.raises(RaterbenchError, match="do not fit"):
        Segmentation(np.zeros((2, 3), np.uint8), np.zeros((2, 3, 2), np.float32))
    with pytest.raises(RaterbenchError, match="region"):
        Segmentation(np.zeros((1, 2), np.uint8), np.ones((2, 1, 2), np.float32), np.ones((2, 1), bool))


def test_hard_labels_become_one_hot_and_uniform_where_nobody_judged():
    found = from_labels(np.array([[0, 2, IGNORE, 1]], np.uint8), 4)
    expected = [[1, 0, 0.25, 0], [0, 0, 0.25, 1], [0, 1, 0.25, 0], [0, 0, 0.25, 0]]
    np.testing.assert_array_equal(found.probability[:, 0], np.array(expected, np.float32))


def test_the_lowest_of_equally_probable_classes_is_decided_for():
    p = np.random.default_rng(0).integers(0, 3, (4, 30, 30)).astype(np.float32)
    labels, best = argmax_with_confidence(p)
    np.testing.assert_array_equal(labels, p.argmax(axis=0))
    np.testing.assert_array_equal(best, p.max(axis=0))


def test_what_is_remembered_goes_with_the_pair():
    first, second, calls = segmentation(0), segmentation(1), []
    for _ in range(2):
        remember(first, second, "count", lambda: calls.append(1))
    assert len(calls) == 1
    remember(first, segmentation(1), "count", lambda: calls.append(1))
    assert len(calls) == 2
    assert judged(first, second) is None


def test_names_and_labels_need_no_torch():
    code = (
        "import sys; from raterbench.benchmark.metrics import METRICS;"
        "[METRICS.get(n)().label for n in METRICS.names()]; assert not {'torch', 'monai'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", OF_PREDICTIONS)
def test_a_metric_of_probabilities_is_the_same_at_every_threshold(name):
    metric = METRICS.get(name)()
    prediction, other = segmentation(0), segmentation(2)
    changed = (
        Segmentation(prediction.labels, other.probability)
        if metric.uses == "labels"
        else Segmentation(other.labels, prediction.probability)
    )
    reference = None if metric.references == "none" else segmentation(1)
    before, after = (metric.measure(p, reference, spacing=(1.0, 2.0)) for p in (prediction, changed))
    np.testing.assert_array_equal(before, after)


class Sharp(Metric):
    name, label, better, range, per_class, empty = "sharp", "Sharp", "higher", (0.0, 1.0), False, "It is 1."
    shown_parameters = ("width",)

    def __init__(self, *, width: float = 1.0, rule: str = "near", deep: tuple[int, ...] = (1, 2)):
        self.width, self.rule, self.deep = width, rule, deep

    def measure(self, prediction, reference, *, spacing): ...


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({}, "width=1.0"),
        ({"width": 2.5}, "width=2.5"),
        ({"rule": "far"}, "width=1.0, rule=far"),
        ({"deep": (3,), "rule": "near"}, "width=1.0, deep=(3,)"),
    ],
)
def test_parameters_are_shown_where_they_are_not_the_default_or_always(given, shown):
    assert Sharp(**given).parameters() == shown


def test_one_hot_is_zero_where_a_label_is_no_class():
    labels = np.array([[0, 1], [2, IGNORE]], np.uint8)
    assert one_hot(labels, 3).tolist() == [[[1, 0], [0, 0]], [[0, 1], [0, 0]], [[0, 0], [1, 0]]]
    assert one_hot(labels, 3).dtype == np.float32
