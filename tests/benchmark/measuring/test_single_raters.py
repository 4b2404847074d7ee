"""The primary metric against each single rater: measured without being asked for, and nothing else of it."""

import numpy as np
import pytest

from raterbench.benchmark.measuring.pairs import ANY_RATER
from raterbench.benchmark.measuring.parts import PartsInProgress, plan_parts
from raterbench.benchmark.measuring.references import References
from raterbench.benchmark.metrics import METRICS, Segmentation, from_labels
from raterbench.benchmark.store.units import HALF, SEARCHED
from raterbench.datasets import Case, CaseList, Geometry
from raterbench.methods.thresholds import hard_labels

RATERS = ("a", "b", "c")


def square(start: int, stop: int) -> np.ndarray:
    labels = np.zeros((12, 12), np.uint8)
    labels[start:stop, start:stop] = 1
    return labels


@pytest.fixture
def data() -> CaseList:
    """Two classes; rater c did not see the second case."""
    geometry = Geometry.axis_aligned(2)
    ratings = {"a": square(2, 8), "b": square(3, 9), "c": square(4, 10)}
    cases = [
        Case("one", "s1", "here", np.zeros((1, 12, 12), np.float32), ratings, geometry),
        Case("two", "s2", "here", np.zeros((1, 12, 12), np.float32), {r: ratings[r] for r in "ab"}, geometry),
    ]
    return CaseList("made", cases, ("background", "thing"))


def planned(kind, metrics=("dice", "precision"), references=("raters",), primary="dice"):
    return plan_parts(kind, [METRICS.get(name)() for name in metrics], references, {}, primary)


def measured(data, kind, names, segmentations, thresholds=("",)):
    """The part with single raters and the rows against ``raters``; ``segmentations(case)`` gives (name, maps, references)."""
    parts = planned(kind)
    wanted = (*parts.rows, *parts.single)
    going = PartsInProgress(wanted, parts, names=names, dataset=data, n_cases=len(data), thresholds=thresholds)
    for case in data:
        going.start(case)
        for name, made, sources in segmentations(case):
            going.measure(name, made, sources)
    return going, lambda: next(p for n, p in going.finished().items() if n.startswith("single/"))


def soft(case):
    """A map that is the second rater's above one half, and the first rater's above 0.2."""
    foreground = np.where(case.ratings["b"] > 0, 0.9, np.where(case.ratings["a"] > 0, 0.3, 0.1)).astype(np.float32)
    probability = np.stack([1 - foreground, foreground])
    return [Segmentation(hard_labels(probability, at), probability) for at in (0.2, 0.5)]


def dice(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


@pytest.mark.parametrize("kind", ["method", "raters", "fusion"])
def test_only_the_primary_metric_is_planned_and_it_is_in_the_name_of_the_part(kind):
    parts = planned(kind)
    assert [metric.name for metric in parts.single.values()] == ["dice"]
    assert set(parts.single) < set(parts.names)
    assert not any(rows.reference.startswith("rater:") for rows in parts.rows.values())
    assert set(planned(kind, primary="precision").single).isdisjoint(parts.single)
    assert not planned(kind, metrics=("entropy",), primary="entropy").single, "it has no reference"
    assert not planned(kind, metrics=("entropy error",), primary="entropy error").single, "a rater's label is not soft"


def test_predictions_are_measured_at_both_thresholds_against_the_raters_of_each_case(data):
    found = measured(data, "method", ["it"], lambda c: [("it", soft(c), References(c, 2))], (SEARCHED, HALF))[1]()
    assert (found.metric, found.raters, found.classes, found.thresholds) == ("dice", RATERS, ("thing",), (SEARCHED, HALF))
    assert found.places.tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 2], [0, 1, 0], [0, 1, 1]]
    for (_, case, rater), values in zip(found.places, found.values, strict=True):
        ratings = data[int(case)].ratings
        expected = [dice(made.labels, ratings[RATERS[rater]]) for made in soft(data[int(case)])]
        assert values[0] == pytest.approx(expected)


def test_the_mean_over_single_raters_is_the_reference_raters(data):
    going, single = measured(data, "method", ["it"], lambda c: [("it", soft(c)[:1], References(c, 2))])
    found = single()
    rows = next(p for p in going.finished().values() if getattr(p, "reference", "") == "raters" and p.metric == "dice")
    for case in (0, 1):
        mine = found.values[found.places[:, 1] == case]
        assert mine.mean() == pytest.approx(rows.values[0, case, 0, 0])


def against_the_others(case):
    for rater, labels in case.ratings.items():
        yield rater, [from_labels(labels, 2)], References(case, 2, without=rater)


def test_raters_are_measured_against_each_other_and_not_against_themselves(data):
    found = measured(data, "raters", RATERS, against_the_others)[1]()
    assert {tuple(place) for place in found.places} == {
        *((s, 0, r) for s in range(3) for r in range(3) if s != r),
        *((s, 1, r) for s in range(2) for r in range(2) if s != r),
    }
    for (one, case, other), values in zip(found.places, found.values, strict=True):
        ratings = data[int(case)].ratings
        assert values[0, 0] == pytest.approx(dice(ratings[RATERS[one]], ratings[RATERS[other]]))


def test_anonymous_raters_are_one_whose_value_is_the_mean_within_the_case(data):
    going, single = measured(data, "raters", RATERS, against_the_others)
    every = single()
    going.mean_over_names()
    found = single()
    assert going.names == (ANY_RATER,) and len(found.places) == 5 and set(found.places[:, 0]) == {0}
    for (_, case, rater), values in zip(found.places, found.values, strict=True):
        others = every.values[(every.places[:, 1:] == (case, rater)).all(axis=1)]
        assert values == pytest.approx(others.mean(axis=0))
