"""TGCE: where reliability comes from, and what it does."""

import numpy as np
import pytest
import torch

from raterbench.benchmark.checks.examples import make_dataset
from raterbench.datasets import RaterbenchError
from raterbench.methods import Budget
from raterbench.methods.tgce import LEVELS, TGCE, Outputs

STILL = {"rotation": 0.0, "translation": 0.0, "scaling": 0.0, "features": (8, 8, 8, 8, 8, 8)}
GOOD = np.array([[0.97, 0.05], [0.03, 0.95]])
CONTRARY = np.array([[0.1, 0.9], [0.9, 0.1]])


def fitted(confused_cases, **options):
    train = confused_cases({"ann": GOOD, "bob": GOOD, "contrary": CONTRARY}, 12)
    budget = Budget(epochs=30, batch_size=3, learning_rate=1e-2, **STILL)
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


@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, 0.5211553), ({"form": "thesis"}, 0.3630903), ({"floor": 0.1}, 0.7947707)],
    ids=str,
)
def test_both_forms_have_their_worked_values(options, expected):
    logits = torch.tensor([0.8, 0.2]).log().view(1, 2, 1, 1)
    reliability = torch.tensor([0.9, 0.4]).view(1, 2, 1, 1)
    ratings, present = torch.eye(2).view(1, 2, 2, 1, 1), torch.ones(1, 2, 1, 1, dtype=torch.bool)
    loss = TGCE(q=0.5, **options).loss(Outputs(logits, reliability), ratings, present)
    assert loss.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("form", "switch"), [("recommended", 0.5), ("thesis", 0.1716)])
def test_the_gate_opens_where_the_vote_has_more_than_its_floor(form, switch):
    """With two classes and q = .5 the thesis' form opens the gate above .17 already."""
    ratings, present = torch.tensor([1.0, 0.0]).view(1, 1, 2, 1, 1), torch.ones(1, 1, 1, 1, dtype=torch.bool)
    for p, opens in ((switch + 0.01, True), (switch - 0.01, False)):
        logits = torch.tensor([p, 1 - p]).log().view(1, 2, 1, 1)
        reliability = torch.full((1, 1, 1, 1), 0.5, requires_grad=True)
        TGCE(q=0.5, form=form).loss(Outputs(logits, reliability), ratings, present).backward()
        assert (reliability.grad.item() < 0) == opens


def test_unknown_options_are_clear_errors(confused_cases):
    for options in ({"level": "voxel"}, {"form": "printed"}):
        with pytest.raises(RaterbenchError, match="TGCE has the levels"):
            fitted(confused_cases, **options)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("shape", [(37, 45), (3, 20, 28)])
def test_reliability_has_the_geometry_of_the_case_and_is_unknown_for_the_never_seen(level, shape):
    dataset = make_dataset(shapes=[shape] * 3, absent=["ghost"])
    method = TGCE(level=level, budget=Budget(epochs=1, **STILL)).fit(dataset, dataset, seed=0)
    found = method.rater_reliability(dataset[0].unlabelled())
    assert list(found) == list(dataset.raters)
    assert all(reliability.shape == shape and reliability.dtype == np.float32 for reliability in found.values())
    assert np.isnan(found.pop("ghost")).all() and any("ghost" in warning for warning in method.warnings_)
    assert all((reliability > 0).all() and (reliability < 1).all() for reliability in found.values())
    if level == "scalar" and len(shape) == 2:
        assert all(np.ptp(reliability) < 1e-6 for reliability in found.values())
