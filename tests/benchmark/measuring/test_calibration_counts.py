"""Calibration counts: right against a plain loop, exact under merging, and the published numbers from them."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from raterbench.benchmark.metrics.calibration import (
    UNIT,
    calibration_counts,
    expected_calibration_error,
    maximum_calibration_error,
    reliability_curve,
)
from raterbench.datasets.base import IGNORE
from raterbench.voxel_counts import BLOCK, label_counts


def two_classes(foreground):
    p = np.array([foreground], np.float32)
    return np.stack([1 - p, p])


def plain_counts(probability, labels):
    """One voxel at a time, in float64 and whole numbers."""
    edges, counts = np.linspace(0, 1, 11), [[0, 0, 0] for _ in range(11)]
    for p, label in zip(probability.reshape(len(probability), -1).T, labels.ravel(), strict=True):
        if label != IGNORE:
            confidence = float(max(p))
            position = 10 if confidence == 1 else max(i for i in range(10) if edges[i] <= confidence)
            counts[position][0] += 1
            counts[position][1] += int(list(p).index(max(p)) == label)
            counts[position][2] += round(confidence * 2**24)
    return np.array(counts)


PROBABILITY = two_classes([0.96, 0.84, 0.66, 0.46, 0.28, 0.06, 1, 0])
LABELS = np.array([[1, 1, 0, 1, 0, 0, 1, 0]], np.uint8)


def test_the_reference_numbers_come_out():
    counts = calibration_counts(PROBABILITY, LABELS)
    assert expected_calibration_error(counts, "open") == pytest.approx(0.29, abs=1e-6)
    assert expected_calibration_error(counts, "closed") == pytest.approx(0.2175, abs=1e-6)
    assert (counts[:10, 0].sum(), counts[:, 0].sum()) == (6, 8)


def test_bins_have_float64_edges():
    # Confidence 0.70 lies just below the float64 edge 0.7000000000000001; float32 edges would give 0.2917.
    on_the_edge = two_classes([0.95, 0.85, 0.65, 0.45, 0.30, 0.05, 1, 0])
    assert expected_calibration_error(calibration_counts(on_the_edge, LABELS), "open") == pytest.approx(0.1917, abs=1e-4)


@pytest.mark.parametrize("n_classes", [2, 3, 7])
def test_counts_are_those_of_a_plain_loop(n_classes):
    rng = np.random.default_rng(n_classes)
    p = rng.dirichlet(np.full(n_classes, 0.2), size=400).astype(np.float32).T.reshape(n_classes, 20, 20)
    p[:, 0, :5] = np.eye(n_classes, dtype=np.float32)[:, :1]
    p[:, 1, :5] = 1 / n_classes
    for column, edge in enumerate(np.linspace(0.5, 0.9, 5)):
        p[:, 2, column] = (1 - edge) / (n_classes - 1)
        p[0, 2, column] = edge
    labels = rng.integers(0, n_classes, (20, 20)).astype(np.uint8)
    labels[rng.random(labels.shape) < 0.1] = IGNORE
    counts = calibration_counts(p, labels)
    np.testing.assert_array_equal(counts, plain_counts(p, labels))
    assert counts.dtype == np.int64


@settings(deadline=None, derandomize=True)
@given(st.lists(st.floats(0.5, 1, width=32) | st.sampled_from([0.5, 0.6, 0.7, 0.8, 0.9, 1.0]), min_size=1, max_size=30))
def test_a_voxel_is_in_the_bin_that_holds_its_confidence(confidences):
    p = two_classes(confidences)
    counts = calibration_counts(p, np.zeros(p.shape[1:], np.uint8))
    np.testing.assert_array_equal(counts, plain_counts(p, np.zeros(p.shape[1:], np.uint8)))


@settings(deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 60), max_size=4))
def test_merging_is_exact_and_independent_of_order(seed, cuts):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([0.3, 0.3, 0.3], size=60).astype(np.float32).T
    labels = rng.choice(np.array([0, 1, 2, IGNORE], np.uint8), 60)
    whole = calibration_counts(p, labels)
    shuffled = rng.permutation(60)
    np.testing.assert_array_equal(calibration_counts(p[:, shuffled], labels[shuffled]), whole)
    pieces = np.split(shuffled, sorted(cuts))
    merged = sum(calibration_counts(p[:, piece], labels[piece]) for piece in pieces)
    np.testing.assert_array_equal(merged, whole)


def test_counts_go_on_past_the_precision_of_float32():
    p = np.full((2, 1 << 23), 0.3, np.float32)
    p[0] = 0.7
    counts = calibration_counts(p, np.zeros(1 << 23, np.uint8))
    assert counts[6].tolist() == [1 << 23, 1 << 23, round(float(np.float32(0.7)) / UNIT) << 23]
    assert (4 * counts)[6, 0] == 1 << 25


def test_a_region_leaves_the_rest_out():
    region = np.array([[True, True, True, False, False, False, True, False]])
    np.testing.assert_array_equal(
        calibration_counts(PROBABILITY, LABELS, region), calibration_counts(PROBABILITY[:, region], LABELS[region])
    )


def test_maximum_error_and_curve_speak_of_the_same_bins():
    counts = calibration_counts(PROBABILITY, LABELS)
    curve = reliability_curve(counts, "closed")
    gaps = np.abs(curve.accuracy - curve.confidence)
    assert maximum_calibration_error(counts, "closed") == pytest.approx(np.nanmax(gaps))
    assert expected_calibration_error(counts, "closed") == pytest.approx(np.nansum(curve.n * gaps) / 8)
    assert curve.n.tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1, 4]
    assert np.isnan(curve.accuracy[:5]).all()
    assert curve.confidence[9] == pytest.approx((0.96 + 0.94 + 1 + 1) / 4)
    assert reliability_curve(counts, "open").confidence[9] == pytest.approx(0.95)


def test_many_tables_are_scored_at_once():
    rng = np.random.default_rng(5)
    tables = []
    for _ in range(6):
        p = two_classes(rng.random(40))
        tables.append(calibration_counts(p, rng.integers(0, 2, (1, 40)).astype(np.uint8)))
    stack = np.stack(tables).reshape(2, 3, 11, 3)
    for function in (expected_calibration_error, maximum_calibration_error):
        np.testing.assert_array_equal(function(stack).ravel(), [function(table) for table in tables])


def test_nothing_counted_is_nan():
    for last_bin in ("open", "closed"):
        assert np.isnan(expected_calibration_error(np.zeros((11, 3), np.int64), last_bin))
        assert np.isnan(maximum_calibration_error(np.zeros((11, 3), np.int64), last_bin))
    certain = calibration_counts(two_classes([1.0, 0.0]), np.array([[1, 1]], np.uint8))
    assert np.isnan(expected_calibration_error(certain, "open"))
    assert expected_calibration_error(certain, "closed") == 0.5


def test_a_large_image_is_counted_quickly():
    rng = np.random.default_rng(0)
    p = two_classes(rng.random(1 << 20)).reshape(2, 1024, 1024)
    labels = rng.integers(0, 2, (1024, 1024)).astype(np.uint8)
    seconds = []
    for _ in range(5):
        start = time.process_time()
        calibration_counts(p, labels)
        seconds.append(time.process_time() - start)
    # About 0.02 s; the margin is for slow and busy machines.
    assert min(seconds) < 0.12


@pytest.mark.parametrize("n_voxels", [BLOCK, 2 * BLOCK + 3])
def test_counts_of_more_voxels_than_a_block_are_those_of_the_whole_map(n_voxels):
    random = np.random.default_rng(n_voxels)
    probability = random.dirichlet([0.3, 0.3, 0.3], n_voxels).T.astype(np.float32)
    labels = random.choice([0, 1, 2, IGNORE], n_voxels).astype(np.uint8)
    region = random.random(n_voxels) < 0.4
    found = calibration_counts(probability, labels, region)
    judged = region & (labels != IGNORE)
    best, right = probability.max(axis=0)[judged], (probability.argmax(axis=0) == labels)[judged]
    bins = np.digitize(best.astype(np.float64), np.linspace(0, 1, 11)) - 1
    for b in range(11):
        assert found[b, 0] == (bins == b).sum() and found[b, 1] == right[bins == b].sum()
        assert found[b, 2] * 2.0**-24 == pytest.approx(best[bins == b].sum(dtype=np.float64), rel=1e-6)
    predicted = probability.argmax(axis=0).astype(np.uint8)
    np.testing.assert_array_equal(label_counts(predicted, labels, 3), confusion_matrix(predicted, labels, labels=[0, 1, 2]))
