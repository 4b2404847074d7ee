"""Lesion-wise rates against worked examples and a plain flood fill."""

import numpy as np
import pytest

from raterbench.benchmark.metrics import METRICS, from_labels
from raterbench.datasets.base import IGNORE

REFERENCE, PREDICTION = np.zeros((2, 10, 10), np.uint8)
REFERENCE[1:3, 1:3] = REFERENCE[6:9, 6:9] = REFERENCE[1, 8] = 1
PREDICTION[1:3, 2:4] = PREDICTION[6:9, 6:8] = PREDICTION[8, 1:4] = 1
# The lesions of the reference are overlapped by 2, 0 and 6 voxels, those of the prediction by 2, 6 and 0.


def rate(name, prediction, reference, n_classes=2, **options):
    pair = (from_labels(labels, n_classes) for labels in (prediction, reference))
    return METRICS.get(f"lesion {name} rate")(**options).measure(*pair, spacing=(1.0,) * prediction.ndim)


@pytest.mark.parametrize(("overlap", "found", "false"), [(1, 2 / 3, 1 / 3), (3, 1 / 3, 2 / 3)])
def test_the_worked_example(overlap, found, false):
    assert rate("true-positive", PREDICTION, REFERENCE, overlap=overlap) == pytest.approx(found)
    for definition in ("predicted", "ivadomed"):
        values = rate("false-detection", PREDICTION, REFERENCE, overlap=overlap, definition=definition)
        assert values == pytest.approx(false)


def test_one_prediction_over_two_lesions_beside_a_false_one_tells_the_definitions_apart():
    reference, prediction = np.zeros((2, 6, 12), np.uint8)
    reference[1:3, 1:3] = reference[1:3, 5:7] = prediction[1:3, 1:7] = prediction[5, 8:12] = 1
    assert rate("false-detection", prediction, reference) == pytest.approx(1 / 2)
    assert rate("false-detection", prediction, reference, definition="ivadomed") == pytest.approx(1 / 3)
    assert METRICS.get("lesion false-detection rate")(definition="ivadomed").label_in("mm", 3).endswith("as in ivadomed")


def components(mask, connectivity):
    """Sets of voxels, by a flood fill over neighbours that differ by one along at most ``connectivity`` axes."""
    left, found = set(map(tuple, np.argwhere(mask))), []
    steps = [np.array(s) - 1 for s in np.ndindex(*[3] * mask.ndim) if 0 < np.abs(np.array(s) - 1).sum() <= connectivity]
    while left:
        todo, lesion = [left.pop()], set()
        while todo:
            voxel = todo.pop()
            lesion.add(voxel)
            near = {tuple(np.array(voxel) + step) for step in steps} & left
            left -= near
            todo += near
        found.append(lesion)
    return found


@pytest.mark.parametrize("connectivity", [1, 2, 3])
def test_rates_in_three_dimensions_equal_a_flood_fill(connectivity):
    prediction, reference = (np.random.default_rng(1).random((2, 6, 7, 8)) < 0.15).astype(np.uint8) * 2
    others = set(map(tuple, np.argwhere(prediction)))
    lesions = [lesion for lesion in components(reference, connectivity) if len(lesion) >= 2]
    found = [len(lesion & others) >= min(3, len(lesion)) for lesion in lesions]
    values = rate("true-positive", prediction, reference, n_classes=3, connectivity=connectivity, smallest=2)
    assert np.isnan(values[0]) and values[1] == np.mean(found)


def test_lesions_of_few_voxels_are_found_only_as_a_whole_and_can_be_left_out():
    reference, prediction = np.zeros((2, 5, 9), np.uint8)
    reference[1, 1:3] = reference[1, 5:9] = prediction[1, 1:3] = 1
    assert rate("true-positive", prediction, reference) == 0.5
    assert rate("true-positive", prediction, reference, smallest=3) == 0
    assert np.isnan(rate("false-detection", prediction, reference, smallest=3))


def test_a_rate_of_no_lesion_is_undefined_and_unjudged_voxels_make_none():
    empty, unjudged = np.zeros((10, 10), np.uint8), np.where(REFERENCE == 1, np.uint8(IGNORE), REFERENCE)
    assert np.isnan(rate("true-positive", PREDICTION, empty)) and rate("false-detection", PREDICTION, empty) == 1
    assert np.isnan(rate("false-detection", empty, REFERENCE)) and rate("true-positive", empty, REFERENCE) == 0
    assert np.isnan(rate("true-positive", PREDICTION, unjudged))
