"""The errors of a simulated rater are found again; what cannot be estimated is 0."""

import numpy as np
import pytest

from raterbench.datasets import AnnotationErrors, Instances
from raterbench.methods.quality.error_estimate import estimate_errors

BOTH = ("hq", "lq")


def estimated(cells, errors, cases=12):
    data = cells([BOTH] * cases, AnnotationErrors(**errors), size=80)
    return estimate_errors((case.instances, case.ratings["lq"]) for case in data)


@pytest.mark.parametrize(
    "errors",
    [
        {},
        {"omission": 0.7},
        {"inclusion": 0.5},
        {"omission": 0.3, "inclusion": 0.3, "bias": 2},
        {"bias": 2, "least_bias": 2, "direction": "in"},
        {"omission": 0.5, "bias": 3, "direction": "out"},
    ],
)
def test_known_errors_are_recovered(cells, errors):
    found = estimated(cells, errors)
    truth = AnnotationErrors(**errors)
    assert found.objects == 12 * 54 and found.distractors == 12 * 27
    assert found.errors.omission == pytest.approx(truth.omission, abs=0.02) == found.omitted / found.objects
    assert found.errors.inclusion == pytest.approx(truth.inclusion, abs=0.02)
    assert (found.errors.bias, found.errors.direction) == (truth.bias, truth.direction)
    assert found.errors.least_bias == truth.least_bias
    assert len(found.steps) == 12 and all(truth.bias > 0 or step == 0 for step in found.steps)


def test_what_erosion_removes_counts_as_left_out(cells):
    found = estimated(cells, {"bias": 3, "least_bias": 3, "direction": "in"}, cases=2)
    assert found.errors.omission == 1 and found.errors.bias == 0 and found.steps == ()


def test_without_objects_or_cases_nothing_is_estimated():
    nothing = Instances(np.zeros((4, 4), int), np.zeros(1), "hq")
    for pairs in ([], [(nothing, np.ones((4, 4), np.uint8))]):
        found = estimate_errors(pairs)
        assert found.errors.get_params() == AnnotationErrors().get_params() and found.objects == 0


def test_few_images_in_one_direction_do_not_make_a_direction(cells):
    errors = {"bias": 1, "direction": "out"}
    assert [estimated(cells, errors, cases=n).errors.direction for n in (4, 5)] == ["either", "out"]
