"""Samples of a case against the raters who judged it."""

from dataclasses import replace

import numpy as np

from raterbench.benchmark.measuring.parts import PartsInProgress, plan_parts
from raterbench.benchmark.metrics import METRICS, from_labels
from raterbench.benchmark.metrics.base import SampleMetric
from raterbench.datasets import IGNORE, Case, CaseList, Geometry

METRICS_OF_SAMPLES = [
    metric for metric in (METRICS.get(name)() for name in METRICS.names()) if isinstance(metric, SampleMetric)
]


def square(start, stop):
    labels = np.zeros((12, 12), np.uint8)
    labels[start:stop, start:stop] = 1
    return labels


CASE = Case(
    "one", "s", "here", np.zeros((1, 12, 12), np.float32), {"a": square(2, 8), "b": square(3, 9)}, Geometry.axis_aligned(2)
)


def measured(case):
    parts = plan_parts("method", METRICS_OF_SAMPLES, ("raters",), {}, "dice")
    dataset = CaseList("made", [case], ("background", "thing"), ("a", "b", "nobody"))
    going = PartsInProgress(tuple(parts.rows), parts, names=["it"], dataset=dataset, n_cases=1, thresholds=("",))
    going.start(case)
    going.measure_samples("it", [[from_labels(square(2, 8), 2), from_labels(square(4, 10), 2)]], case)
    return {parts.rows[name].metric.name: values.ravel() for name, values in going.values.items()}


def test_a_rater_who_judged_no_voxel_is_as_one_who_is_absent():
    """Metrics of samples count voxels that everybody judged, which would be none."""
    blank = np.full((12, 12), IGNORE, np.uint8)
    expected = measured(CASE)
    found = measured(replace(CASE, ratings=CASE.ratings | {"nobody": blank}))
    assert len(expected) == len(METRICS_OF_SAMPLES) >= 5
    for name, values in expected.items():
        assert np.isfinite(values).all(), name
        np.testing.assert_array_equal(found[name], values, err_msg=name)
    alone = measured(replace(CASE, ratings={"nobody": blank}))
    assert all(np.isnan(values).all() for values in alone.values())
