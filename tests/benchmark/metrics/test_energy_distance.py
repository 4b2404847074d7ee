import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raterbench.benchmark.metrics import METRICS, from_labels
from raterbench.datasets.base import IGNORE
from raterbench.errors import RaterbenchError


def group(*rows, n_classes=2):
    return [from_labels(np.array([row], np.uint8), n_classes) for row in rows]


def distance(samples, raters):
    return METRICS.get("generalised energy distance")().measure_samples(samples, raters, spacing=(1.0, 1.0))


@pytest.mark.parametrize(
    ("samples", "raters", "expected"),
    [
        # One sample and one rater: 2 d.
        ([[1, 1, 0, 0]], [[1, 1, 0, 0]], 0.0),
        ([[1, 0, 0, 0]], [[1, 1, 0, 0]], 2 * (1 - 1 / 2)),
        ([[1, 0, 0, 0]], [[0, 1, 0, 0]], 2.0),
        # Empty masks: equal to one another, at distance 1 from all others.
        ([[0, 0, 0, 0]], [[0, 0, 0, 0]], 0.0),
        ([[0, 0, 0, 0]], [[0, 1, 0, 0]], 2.0),
        # Two raters A, B with d = 1 - 1/3, one sample A: 2 * (0 + 2/3) / 2 - 0 - 2 * (2/3) / 4 = 1/3.
        ([[1, 1, 0, 0]], [[1, 1, 0, 0], [0, 1, 1, 0]], 1 / 3),
        # The same two as samples: the variety is the same.
        ([[0, 1, 1, 0], [1, 1, 0, 0]], [[1, 1, 0, 0], [0, 1, 1, 0]], 0.0),
        # A voxel that a rater did not judge is left out: [1, 0] against [1, 1].
        ([[1, 0, 1, 1]], [[1, 1, IGNORE, IGNORE]], 1.0),
    ],
)
def test_hand_checked_values(samples, raters, expected):
    np.testing.assert_allclose(distance(group(*samples), group(*raters)), [expected], atol=1e-12)


def test_each_class_has_its_own_value():
    found = distance(group([1, 1, 2, 0], n_classes=3), group([1, 1, 0, 2], n_classes=3))
    np.testing.assert_allclose(found, [0.0, 2.0])


rows = st.lists(st.lists(st.integers(0, 2), min_size=6, max_size=6), min_size=1, max_size=5)


@settings(max_examples=60, deadline=None)
@given(samples=rows, raters=rows)
def test_it_is_a_distance_between_sets(samples, raters):
    one, other = group(*samples, n_classes=3), group(*raters, n_classes=3)
    found = distance(one, other)
    assert ((found >= 0) & (found <= 2)).all()
    np.testing.assert_allclose(found, distance(other, one), atol=1e-12)
    np.testing.assert_allclose(distance(one, one), 0, atol=1e-12)
    np.testing.assert_allclose(found, distance([*one, *one], other[::-1]), atol=1e-12)


def test_nothing_judged_is_nan_and_nothing_given_is_a_sentence():
    assert np.isnan(distance(group([1, 0]), group([IGNORE, IGNORE]))).all()
    with pytest.raises(RaterbenchError, match="needs a sample and a rater"):
        distance([], group([1, 0]))
    with pytest.raises(RaterbenchError, match="different shapes"):
        distance(group([1, 0, 0]), group([1, 0]))
