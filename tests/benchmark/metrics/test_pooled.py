"""The pooled protocol, and that it agrees with the calibration of a whole benchmark."""

import numpy as np
import pandas as pd
import pytest

from raterbench.benchmark.metrics import METRICS, Segmentation
from raterbench.benchmark.metrics.calibration import expected_calibration_error
from raterbench.benchmark.statistics.calibration import calibration_table
from raterbench.datasets.base import IGNORE


def case(seed, share=0.0):
    rng = np.random.default_rng(seed)
    p = np.moveaxis(rng.dirichlet(np.ones(3) * 0.3, size=(8, 9)), -1, 0).astype(np.float32)
    p[:, 0, :3] = np.array([0, 1, 0], np.float32)[:, None]
    truth = rng.integers(0, 3, (8, 9)).astype(np.uint8)
    truth[rng.random((8, 9)) < share] = IGNORE
    region = rng.random((8, 9)) < 0.5
    return Segmentation(p.argmax(0).astype(np.uint8), p), Segmentation(truth, p, region)


@pytest.mark.parametrize("last_bin", ["open", "closed"])
@pytest.mark.parametrize("region", ["image", "foreground"])
def test_it_agrees_with_the_table_of_a_benchmark(last_bin, region):
    metric = METRICS.get("expected calibration error")(last_bin=last_bin, region=region)
    cases = [case(seed, share=0.2) for seed in range(4)]
    counts = [metric.count(*pair) for pair in cases]
    columns = ["candidate", "kind", "subject", "case", "reference", "region", "bin", "n", "correct", "confidence"]
    rows = [
        ["A", "method", f"s{i}", f"c{i}", "truth", region, b, *count[b]] for i, count in enumerate(counts) for b in range(11)
    ]
    table = calibration_table(pd.DataFrame(rows, columns=columns), "truth", "A", resamples=10)
    expected = table.loc[table["last_bin"] == last_bin, "ece"].item()
    assert float(metric.value(sum(counts))) == expected
    assert metric.value(np.stack(counts)).shape == (4,)


def test_the_order_and_the_grouping_of_cases_do_not_matter():
    metric = METRICS.get("expected calibration error")()
    counts = [metric.count(*case(seed)) for seed in range(5)]
    assert metric.value(sum(counts)) == metric.value(sum(counts[::-1])) == metric.value(counts[0] + sum(counts[1:]))


def test_a_voxel_by_hand():
    probability = np.array([[[0.3, 0.9]], [[0.7, 0.1]]], np.float32)
    prediction = Segmentation(np.array([[1, 0]], np.uint8), probability)
    reference = Segmentation(np.array([[1, 1]], np.uint8), probability)
    metric = METRICS.get("expected calibration error")()
    np.testing.assert_allclose(metric.value(metric.count(prediction, reference)), (0.3 + 0.9) / 2, rtol=1e-6)
    assert expected_calibration_error(metric.count(prediction, reference)) == metric.value(metric.count(prediction, reference))


def test_without_a_region_nothing_is_near_the_foreground():
    prediction, reference = case(0)
    metric = METRICS.get("expected calibration error")(region="foreground")
    bare = Segmentation(reference.labels, reference.probability)
    assert np.isnan(metric.value(metric.count(prediction, bare)))
