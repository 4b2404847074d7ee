"""Methods for annotations of two qualities keep the contract; what they cannot do they say in words."""

import pytest

from raterbench.benchmark.checks.methods import check_method
from raterbench.datasets import AnnotationErrors
from raterbench.methods import (
    AnnotationBudget,
    ChosenRaters,
    ClassFrequencies,
    ConfidentLearning,
    IntensityThreshold,
    PartialLabelling,
    Upgrade,
)

LEFT_OUT = {
    "IntensityThreshold": {"probabilities of 3-D volumes"},
    "ClassFrequencies": set(),
    "AnnotationBudget": {"training with one rater"},
    "ChosenRaters": {"training with one rater"},
    "PartialLabelling": {"training with one rater"},
    "ConfidentLearning": {"training with one rater"},
    "Upgrade": {"probabilities of 3-D volumes", "training with one rater"},
}
"""Checks with three classes, or without one of the two raters."""
METHODS = [
    AnnotationBudget(segmenter=PartialLabelling()),
    ChosenRaters(each_case="first"),
    ClassFrequencies(),
    ConfidentLearning(),
    IntensityThreshold(),
    PartialLabelling(),
    Upgrade(),
    Upgrade(errors=AnnotationErrors(omission=0.5, inclusion=1.0, bias=2), objects="instances", segmenter=PartialLabelling()),
]


@pytest.mark.parametrize("method", METHODS, ids=lambda m: " ".join(repr(m).split()))
def test_every_method_of_two_qualities_keeps_the_contract(method):
    results = check_method(method)
    assert not [f"{result.name}: {result.message}" for result in results if not result.passed]
    assert {result.name for result in results if result.message} == LEFT_OUT[type(method).__name__]
