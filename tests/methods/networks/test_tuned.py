"""Tuned: what it tries, what it keeps, and what it says of trials that failed."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

from raterbench.benchmark.measuring.pairs import measure_case
from raterbench.benchmark.metrics import METRICS, Segmentation
from raterbench.datasets import Phantom, RaterbenchError
from raterbench.methods import GCE, STAPLE, Budget, FusedLabels, Method, OracleConfusionNetwork, SoftAverage, Tuned
from raterbench.methods.networks.tuned import validation_score, with_parameters
from raterbench.methods.thresholds import hard_labels, majority_threshold

SMALL = Budget(epochs=2, batch_size=4, features=(4, 4, 4, 8, 8, 4))
PHANTOM = Phantom(subjects=6, slices=1, size=32)
TRAIN, VALIDATION = PHANTOM.subset(range(4), blind=True), PHANTOM.subset(range(4, 6), blind=True)


CROWDED = 0.75


class Marks(Method):
    """Marks class 1 in the first columns of the image: as large a share of them as ``share`` says."""

    listed = False

    def __init__(self, *, share: float = 0.5, held: Method | None = None) -> None:
        self.share = share
        self.held = held

    def fit(self, train, validation, *, seed, device="cpu"):
        if self.share > 0.9:
            raise ValueError("too much")
        if self.share == CROWDED:
            raise RuntimeError("CUDA error: out of memory")
        self.n_classes_ = train.n_classes
        return self

    def predict_proba(self, case):
        probability = np.zeros((self.n_classes_, *case.shape), np.float32)
        probability[0] = 1
        columns = slice(int(self.share * case.shape[-1]))
        probability[0, ..., columns], probability[1, ..., columns] = 0.4, 0.6
        return probability


def fitted(train=TRAIN, validation=VALIDATION, seed=0, **options):
    return Tuned(**options).fit(train, validation, seed=seed)


def test_every_trial_is_recorded_and_the_same_seed_draws_the_same():
    space = {"budget.learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}, "q": [0.1, 0.7]}
    methods = [fitted(segmenter=GCE(budget=SMALL), space=space, trials=3, seed=seed) for seed in (0, 0, 1)]
    one, again, other = ([trial.parameters for trial in method.fit_report().trials] for method in methods)
    assert one == again != other
    report = methods[0].fit_report()
    assert len(report.trials) == 3 and list(report.stages) == ["trial 1", "trial 2", "trial 3"]
    for trial in report.trials:
        assert set(trial.parameters) == set(space) and trial.parameters["q"] in (0.1, 0.7) and not trial.failed
        assert 1e-4 <= trial.parameters["budget.learning_rate"] <= 1e-1 and 0 <= trial.score <= 1
    best = int(np.argmax([trial.score for trial in report.trials]))
    assert report.curve == report.stages[f"trial {best + 1}"].curve and len(report.curve) == 2
    weights = [method.best_.module_.state_dict().values() for method in methods[:2]]
    assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True))
    alone = with_parameters(GCE(budget=SMALL), one[best]).fit(TRAIN, VALIDATION, seed=0)
    case = PHANTOM[0].unlabelled()
    np.testing.assert_array_equal(methods[0].predict_proba(case), alone.predict_proba(case))
    np.testing.assert_array_equal(methods[0].predict(case).prepared, alone.predict(case).prepared)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_best_is_the_one_that_the_harness_would_measure_as_best(n_classes, confused_cases):
    matrices = {"ann": np.eye(n_classes) * 0.8 + 0.2 / n_classes, "bob": np.eye(n_classes)}
    train, validation = confused_cases(matrices, 2), confused_cases(matrices, 3, seed=1)
    shares = [0.2, 0.5, 0.8]
    method = fitted(train, validation, segmenter=Marks(), space={"share": shares}, trials=3)
    expected = {}
    for share in shares:
        one = Marks(share=share).fit(train, validation, seed=0)
        threshold = majority_threshold(one.predict_proba, validation)
        values = []
        for case in validation:
            p = one.predict_proba(case)
            prediction = Segmentation(hard_labels(p, 0.5 if threshold is None else threshold.chosen), p)
            dice = [METRICS.get("dice")()]
            rows = measure_case(case, prediction, metrics=dice, references=["raters"], classes=validation.classes)
            values.append(np.mean([row[-1] for row in rows]))
        expected[share] = np.mean(values)
    found = {trial.parameters["share"]: trial.score for trial in method.fit_report().trials}
    assert found == pytest.approx(expected, abs=1e-12)
    assert method.best_.share == max(expected, key=expected.get) and len(set(expected.values())) == 3


def test_jaccard_is_that_of_each_pair(confused_cases):
    cases = confused_cases({"ann": np.eye(2)}, 1)
    one = Marks(share=0.5).fit(cases, cases, seed=0)
    dice = validation_score(one, cases)
    assert validation_score(one, cases, "jaccard") == pytest.approx(dice / (2 - dice))


def test_a_full_gpu_is_no_fault_of_the_setting(confused_cases):
    cases = confused_cases({"ann": np.eye(2)}, 2)
    with pytest.raises(RuntimeError, match="CUDA error: out of memory"):
        fitted(cases, cases, segmenter=Marks(), space={"share": [0.5, CROWDED]}, trials=5)


def test_a_trial_that_raises_is_recorded_and_the_rest_goes_on(confused_cases):
    cases = confused_cases({"ann": np.eye(2)}, 2)
    report = fitted(cases, cases, segmenter=Marks(), space={"share": [0.5, 0.95]}, trials=5).fit_report()
    failed = {trial.parameters["share"]: trial.failed for trial in report.trials}
    assert failed == {0.5: "", 0.95: "ValueError: too much"}, "two settings are not more than two trials"
    assert len(report.stages) == 1 and "too much" in report.warnings[0]
    with pytest.raises(RaterbenchError, match="all 1 trials failed: ValueError: too much"):
        fitted(cases, cases, segmenter=Marks(), space={"share": [0.95]})


def test_whole_numbers_are_drawn_where_both_ends_are_whole(confused_cases):
    cases = confused_cases({"ann": np.eye(2)}, 2)
    space = {
        "held.budget.epochs": {"low": 2, "high": 9, "log": True},
        "held.budget.batch_size": {"low": 1, "high": 2},
        "share": {"low": 0.1, "high": 0.4},
    }
    report = fitted(cases, cases, segmenter=Marks(held=GCE()), space=space, trials=12).fit_report()
    drawn = [trial.parameters for trial in report.trials]
    assert {type(one["held.budget.epochs"]) for one in drawn} == {int}
    assert {one["held.budget.batch_size"] for one in drawn} == {1, 2}
    assert all(2 <= one["held.budget.epochs"] <= 9 and 0.1 <= one["share"] <= 0.4 for one in drawn)


def test_parameters_of_nested_methods_are_found_to_any_depth():
    inner = Tuned(segmenter=FusedLabels(fusion=STAPLE(), budget=SMALL), space={"fusion.pool": ["case", "dataset"]}, trials=2)
    outer = Tuned(segmenter=inner, space={"segmenter.budget.learning_rate": [1e-3, 1e-2]}, trials=2)
    outer = clone(outer).fit(TRAIN, VALIDATION, seed=0)
    report = outer.fit_report()
    assert [set(trial.parameters) for trial in report.trials] == [{"segmenter.budget.learning_rate"}] * 2
    assert all(len(stage.trials) == 2 and len(stage.stages) == 2 for stage in report.stages.values())
    assert outer.best_.best_.fusion.pool in ("case", "dataset") and outer.n_networks(5) == 4
    assert inner.segmenter.budget.learning_rate == SMALL.learning_rate, "the method that was given is left as it is"
    np.testing.assert_allclose(outer.predict_proba(PHANTOM[0].unlabelled()).sum(axis=0), 1, atol=1e-5)


def test_parts_can_be_chosen_and_are_recorded_as_text():
    method = fitted(segmenter=FusedLabels(budget=SMALL), space={"fusion": [STAPLE(), SoftAverage()]}, trials=2)
    assert {trial.parameters["fusion"] for trial in method.fit_report().trials} == {"STAPLE()", "SoftAverage()"}
    assert isinstance(method.best_.fusion, STAPLE | SoftAverage)


def test_it_needs_what_its_method_needs():
    oracle = Tuned(segmenter=OracleConfusionNetwork())
    assert oracle.needs == {"truth"} and oracle.needs_rater_identity
    assert Tuned().needs == frozenset() and not Tuned().needs_rater_identity
    alone = Tuned(segmenter=FusedLabels(fusion=STAPLE())).skip_reason(PHANTOM)
    assert alone == FusedLabels(fusion=STAPLE()).skip_reason(PHANTOM)


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({"budget.learning_rat": [0.1]}, "Budget has no parameter 'learning_rat'; did you mean 'learning_rate'"),
        ({"rule.q": [0.1]}, "GCE has no parameter 'rule'"),
        ({"q": [0.1, 3.0]}, "q = 3.0 must be a number from 0 to 1"),
        ({"q": []}, "must be a list of values, or a table with low and high"),
        ({"q": {"low": 0.5, "high": 0.1}}, "must have numbers low < high"),
        ({"q": {"low": 0.0, "high": 0.1, "log": True}}, "above 0 where log is true"),
        ({"q": {"low": 0.0, "hihg": 0.1}}, "unknown key 'hihg'; did you mean 'high'"),
        ({"recipe.omega": [1.0]}, "recipe"),
    ],
)
def test_a_wrong_space_is_a_clear_error(space, words):
    with pytest.raises(RaterbenchError, match=words):
        Tuned(segmenter=GCE(), space=space).check_parameters()
