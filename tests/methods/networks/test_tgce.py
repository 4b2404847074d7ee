"""TGCE: where reliability comes from, and what it does."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from raterbench.benchmark.checks.examples import make_dataset
from raterbench.benchmark.checks.methods import CHECKS, Trained, check_method, small
from raterbench.benchmark.checks.result import run_checks
from raterbench.datasets import IGNORE, RaterbenchError
from raterbench.methods import Budget
from raterbench.methods.networks.tgce import LEVELS, TGCE, TGCEOutputs

STILL = {"rotation": 0.0, "translation": 0.0, "scaling": 0.0, "features": (8, 8, 8, 8, 8, 8)}
GOOD = np.array([[0.97, 0.05], [0.03, 0.95]])
CONTRARY = np.array([[0.1, 0.9], [0.9, 0.1]])


def fitted(confused_cases, **options):
    train = confused_cases({"ann": GOOD, "bob": GOOD, "contrary": CONTRARY}, 12)
    budget = Budget(epochs=30, batch_size=3, learning_rate=0.1, backbone="shallow", **STILL)
    return TGCE(budget=budget, **options).fit(train, train, seed=0), train


def mean_reliability(method, case):
    return method.outputs(case).reliability.mean(dim=(0, 2, 3)).tolist()


@pytest.mark.parametrize("level", LEVELS)
def test_the_gate_closes_for_a_rater_who_contradicts_the_others(confused_cases, level):
    method, train = fitted(confused_cases, level=level)
    ann, bob, contrary = mean_reliability(method, train[0])
    assert min(ann, bob) > 0.8 and contrary < 0.4


def test_every_level_has_its_shape_and_starts_mostly_reliable():
    for level in LEVELS:
        method = TGCE(level=level, budget=Budget(**STILL))
        method.budget_ = method.budget
        network = method.build(1, 2, 3)
        outputs = network(torch.randn(2, 1, 32, 64))
        assert outputs.logits.shape == (2, 2, 32, 64) and outputs.reliability.shape == (2, 3, 32, 64)
        torch.testing.assert_close(outputs.reliability, torch.full((2, 3, 32, 64), 0.8807971))


def two_raters(absent=None, **options):
    """The loss at one voxel, p = (.8, .2): rater 1 says 0, rater 2 says 1; reliabilities .9 and .4, and of who is absent."""
    logits = torch.tensor([0.8, 0.2], dtype=torch.float64).log().view(1, 2, 1, 1)
    reliability = torch.tensor([0.9, 0.4] if absent is None else [0.9, 0.4, absent]).view(1, -1, 1, 1)
    n_raters = reliability.shape[1]
    ratings = torch.eye(3)[:n_raters, :2].view(1, n_raters, 2, 1, 1)
    present = ratings.sum(dim=2) > 0
    return TGCE(**{"q": 0.5} | options).loss(TGCEOutputs(logits, reliability), ratings, present).item()


BARE = {"centre_weight": 0.0, "entropy_weight": 0.0, "absent_penalty": 0.0}
"""The package's data term alone."""


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 0.5211553),
        ({"form": "thesis"}, 0.3630903),
        ({"floor": 0.1}, 0.7947707),
        ({"form": "package", **BARE}, 0.7947707),
        ({"absent": 0.6}, 0.5211553),
        ({"absent": 0.6, "form": "thesis"}, 0.3630903),
        ({"absent": 0.6, "form": "package", **BARE}, 0.9856952),
        ({"absent": 0.6, "form": "package", **BARE, "centre_weight": 0.1}, 0.9856952 + 0.0140),
        ({"absent": 0.6, "form": "package", **BARE, "entropy_weight": 0.1}, 0.9856952 - 0.0565646),
        ({"absent": 0.6, "form": "package", "absent_penalty": 0.0}, 0.9431307),
        ({"absent": 0.6, "form": "package"}, (0.9431307 + 0.9431307 + 1.1803123) / 3),
        ({"absent": 0.6, "form": "package", **BARE, "sum_weight": 1.0}, 0.9856952 + 0.3**2),
    ],
    ids=str,
)
def test_every_form_has_its_worked_values(options, expected):
    """The package's loss is a value a rater, [.9431307, .9431307, 1.1803123] with all terms; ours is their mean."""
    assert two_raters(**options) == pytest.approx(expected, abs=2e-7)


def test_the_package_differs_from_the_recommended_form_by_options_alone():
    options = {"floor": 0.1, "centre_weight": 0.1, "entropy_weight": 0.1}
    assert two_raters(**options) == pytest.approx(two_raters(form="package"), abs=1e-6), "where nobody is absent"
    assert two_raters(q=None, **options) == pytest.approx(two_raters(q=0.5, **options), abs=1e-12)
    assert two_raters(q=None, form="package") == pytest.approx(two_raters(q=0.1, form="package"), abs=1e-12)


def test_only_the_law_of_missing_raters_is_broken_by_the_package():
    """It counts absent raters, by design; whatever else is asked of a method holds."""
    for level in LEVELS:
        assert [r.name for r in check_method(TGCE(form="package", level=level)) if r.message] == ["missing rater"]


@pytest.mark.parametrize(
    ("form", "q", "n_classes", "switch"),
    [
        ("recommended", 0.1, 2, 0.5),
        ("recommended", 0.7, 4, 0.25),
        ("package", None, 5, 0.1),
        ("thesis", 0.0, 2, 0.25),
        ("thesis", 0.1, 2, 0.2374),
        ("thesis", 0.5, 2, 0.1716),
        ("thesis", 0.7, 2, 0.1234),
        ("thesis", 0.99, 2, 0.0066),
        ("thesis", 0.1, 3, 0.0237),
    ],
)
def test_the_gate_opens_where_the_vote_has_more_than_its_floor(form, q, n_classes, switch):
    method = TGCE(q=q, form=form, centre_weight=0.0, entropy_weight=0.0, absent_penalty=0.0)
    assert method.resolved_form().opens_above(n_classes) == pytest.approx(switch, abs=5e-5)
    ratings = torch.eye(n_classes)[0].view(1, 1, n_classes, 1, 1)
    present = torch.ones(1, 1, 1, 1, dtype=torch.bool)
    for p, opens in ((switch * 1.02, True), (switch * 0.98, False)):
        logits = torch.tensor([p, *[(1 - p) / (n_classes - 1)] * (n_classes - 1)]).log().view(1, n_classes, 1, 1)
        reliability = torch.full((1, 1, 1, 1), 0.5, requires_grad=True)
        method.loss(TGCEOutputs(logits, reliability), ratings, present).backward()
        assert (reliability.grad.item() < 0) == opens


@pytest.mark.parametrize("q", [0.5, 0.7, 1.0])
def test_as_printed_the_gate_never_closes_with_three_classes(q, confused_cases):
    assert TGCE(q=q, form="thesis").resolved_form().opens_above(3) == 0
    train = confused_cases({"ann": np.eye(3)}, 2)
    method = TGCE(q=q, form="thesis", budget=Budget(epochs=1, **STILL)).fit(train, train, seed=0)
    assert any("no vote is unlikely enough" in alarm for alarm in method.report_.alarms)


@pytest.mark.parametrize(
    ("bias", "options", "alarm"),
    [
        (8.0, {}, None),
        (8.0, {"entropy_weight": 0.1}, None),
        (8.0, {"centre_weight": 0.1}, "although a regulariser is on"),
        (8.0, {"sum_weight": 0.1}, "although a regulariser is on"),
        (2.0, {"centre_weight": 0.1}, None),
        (-8.0, {}, "hardly anything was learned"),
        (-8.0, {"centre_weight": 0.1}, "hardly anything was learned"),
    ],
    ids=str,
)
def test_gates_that_tell_or_teach_nothing_are_an_alarm(confused_cases, bias, options, alarm):
    """Without a regulariser open gates are what is to be expected; gates that are all closed never are."""
    train = confused_cases({"ann": np.eye(2), "bob": np.eye(2)}, 2, absent=("ghost",))
    method = TGCE(budget=Budget(epochs=1, **STILL), **options).fit(train, train, seed=0)
    with torch.no_grad():
        method.module_.head.weight.zero_()
        method.module_.head.bias.fill_(bias)
    method.report_.alarms.clear()
    method.finish(train, method.slices(train))
    assert method.reliability_["ann"] == pytest.approx(1 / (1 + np.exp(-bias)), abs=1e-5)
    assert np.isnan(method.reliability_["ghost"])
    said = [words for words in method.report_.alarms if "learned truth" not in words]
    assert [alarm in words for words in said] == [True] * (alarm is not None)


def test_the_mean_reliability_is_over_what_a_rater_judged():
    dataset = make_dataset(shapes=[(37, 45)] * 3, n_raters=3)
    method = TGCE(level="pixel", budget=Budget(epochs=1, **STILL)).fit(dataset, dataset, seed=0)
    for rater, mean in method.reliability_.items():
        rated = [case for case in dataset if rater in case.ratings]
        maps = [method.predict(case).rater_reliability[rater][case.ratings[rater] != IGNORE] for case in rated]
        assert mean == pytest.approx(np.concatenate(maps).mean(dtype=float), abs=1e-6)


@pytest.mark.parametrize("options", [{"q": -1.0}, {"q": 1.1}, {"floor": 0.0}, {"floor": 2.0}, {"q": 0.0, "form": "package"}])
def test_options_out_of_range_are_clear_errors(options):
    with pytest.raises(RaterbenchError, match="TGCE"):
        TGCE(**options).check_parameters()


def test_unknown_options_are_clear_errors(confused_cases):
    for options in ({"level": "voxel"}, {"form": "printed"}):
        with pytest.raises(RaterbenchError, match=r"TGCE: (level|form) = .* must be '"):
            fitted(confused_cases, **options)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("shape", [(37, 45), (3, 20, 28)])
def test_reliability_has_the_geometry_of_the_case_and_is_unknown_for_the_never_seen(level, shape):
    dataset = make_dataset(shapes=[shape] * 3, absent=["ghost"])
    method = TGCE(level=level, budget=Budget(epochs=1, **STILL)).fit(dataset, dataset, seed=0)
    found = method.predict(dataset[0].unlabelled()).rater_reliability
    assert list(found) == list(dataset.raters)
    assert all(reliability.shape == shape and reliability.dtype == np.float32 for reliability in found.values())
    assert np.isnan(found.pop("ghost")).all() and any("ghost" in warning for warning in method.report_.warnings)
    assert all((reliability > 0).all() and (reliability < 1).all() for reliability in found.values())
    if level == "scalar" and len(shape) == 2:
        assert all(np.ptp(reliability) < 1e-6 for reliability in found.values())


@pytest.mark.parametrize(
    ("reliability", "message"),
    [
        (np.ones((32, 32)), "rater_reliability has numbers for a rater who rated no training case: give NaN"),
        (np.full((32, 32), 1.5), "must be from 0 to 1 at every voxel"),
        (np.ones(3), "has shape (3,): it should be (32, 32)"),
    ],
)
def test_the_check_of_methods_finds_a_reliability_that_cannot_be(reliability, message):
    class Wrong(TGCE):
        def predict(self, case, *, samples=0, seed=0):
            wrong = dict.fromkeys(self.raters_, reliability)
            return replace(super().predict(case), rater_reliability=wrong)

    built, law = small(Wrong()), "a rater who rated nothing"
    (found,) = run_checks({law: CHECKS[law]}, built, Trained(built, built))
    assert not found.passed and message in found.message
