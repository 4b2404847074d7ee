"""SIMPLE against its worked example and against hand-made outliers."""

import numpy as np
import pytest

from raterbench.datasets.base import IGNORE
from raterbench.errors import RaterbenchError
from raterbench.methods.fusion.engine.patterns import find_patterns
from raterbench.methods.fusion.simple import SIMPLE, overlaps

BINARY = [[1, 1, 1, 1, 0, 0, 0, 0, 0, 0], [1, 1, 1, 0, 1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 1, 1, 0, 0, 0]]


def named(rows):
    return {f"r{i}": np.array(row, dtype=np.uint8) for i, row in enumerate(rows)}


def test_the_worked_example():
    fused = SIMPLE(max_iterations=1).fuse(named(BINARY), 2)
    np.testing.assert_allclose(fused.weights, [6 / 7, 6 / 7, 4 / 7])
    np.testing.assert_allclose(fused.probability[1], [1, 1, 0.75, 0.375, 0.375, 0.25, 0.25, 0, 0, 0], atol=1e-7)
    assert fused.labels.tolist() == [1, 1, 1, 0, 0, 0, 0, 0, 0, 0] and fused.status == "ok"
    np.testing.assert_allclose(fused.confusion[:, 1, 1], [1, 1, 2 / 3])


def test_an_outlier_is_dropped_and_the_others_heard():
    good = np.array([0, 1, 1, 1, 1, 0, 0, 0])
    odd = np.array([1, 1, 0, 0, 0, 1, 1, 1])
    fair = np.array([0, 1, 1, 1, 0, 0, 0, 0])
    fused = SIMPLE(alpha=1).fuse(named([good, good, fair, odd]), 2)
    assert fused.weights[3] == 0 and (fused.weights[:3] > 0).all() and fused.iterations > 1
    assert fused.labels.tolist() == good.tolist() and (fused.probability[1, 5:] == 0).all()


def test_never_fewer_than_to_be_kept():
    random = np.random.default_rng(0)
    ratings = named(random.integers(2, size=(6, 50)))
    for keep in (1, 3, 6):
        assert (SIMPLE(alpha=0, keep=keep).fuse(ratings, 2).weights > 0).sum() >= keep


def test_overlap_counts_what_the_rater_judged_and_is_a_mean_over_classes():
    patterns = find_patterns(named([[0, 1, 1, 2, 2, 0], [0, 1, 0, 2, 2, 2], [0, 1, IGNORE, 2, IGNORE, 0]]), 3)
    estimate = np.array([0, 1, 1, 2, 2, 0], dtype=np.uint8)
    place = {tuple(votes.ravel()): p for p, votes in enumerate(patterns.votes.transpose(2, 0, 1))}
    labels = np.zeros(len(place), dtype=np.uint8)
    labels[[int(p) for p in np.searchsorted(patterns.pattern_code, patterns.code)]] = estimate
    np.testing.assert_allclose(overlaps(patterns, labels), [1, (2 / 3 + 4 / 5) / 2, 1])


def test_where_only_dropped_raters_judged_they_are_followed():
    good = [0, 1, 1, 1, 1, 0, 0, 0, IGNORE]
    odd = [1, 0, 0, 0, 0, 1, 1, 1, 1]
    fused = SIMPLE(alpha=1).fuse(named([good, good, good, odd]), 2)
    assert fused.weights[3] == 0 and fused.labels[-1] == 1


def test_errors():
    with pytest.raises(RaterbenchError, match="keep = 0"):
        SIMPLE(keep=0).fuse(named(BINARY), 2)
