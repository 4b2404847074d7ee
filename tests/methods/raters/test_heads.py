"""Heads of raters: whose labels each learns, their mean, and the learned weights."""

from functools import partial

import numpy as np
import pytest
import torch

from raterbench.benchmark.checks.examples import make_dataset
from raterbench.methods import Budget, MultiHead, WDNet
from raterbench.methods.raters.wdnet import WeightedHeads

STILL = {"rotation": 0.0, "translation": 0.0, "scaling": 0.0, "features": (8, 8, 8, 8, 8, 8)}
GOOD = np.array([[0.99, 0.02], [0.01, 0.98]])
OVER = np.array([[0.6, 0.02], [0.4, 0.98]])
CHANCE = np.array([[0.5, 0.5], [0.5, 0.5]])
HEADS = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]).log().view(1, 3, 2, 1, 1)
"""The logits of three heads at one voxel."""


def begun(method, **options):
    method.set_params(budget=Budget(epochs=1, backbone="shallow", **STILL))
    method.prepare(make_dataset(shapes=[(32, 32)] * 4, n_raters=3, **options), seed=0)
    return method


def test_the_mean_of_the_heads_is_one_of_probabilities():
    """Logits may differ by a constant from head to head, as those of a published code may not."""
    method = begun(MultiHead())
    for shift in (0.0, 5.0):
        logits = HEADS + shift * torch.arange(3).view(3, 1, 1, 1)
        p = method.logits(logits).softmax(dim=1).flatten()
        assert p.tolist() == pytest.approx([0.5666667, 0.4333333], abs=1e-6)


def test_the_weighted_mean_has_its_worked_value():
    """The weights sum to 1 however large they are."""
    method = begun(WDNet())
    for weights, expected in (([1.0, 0.0, -1.0], [0.7635601, 0.2364399]), ([4.0, 3.0, 2.0], [0.7635601, 0.2364399])):
        p = method.logits(WeightedHeads(HEADS, torch.tensor([weights]))).softmax(dim=1).flatten()
        assert p.tolist() == pytest.approx(expected, abs=1e-6)
    found = method._log_weights(torch.tensor([[1.0, 0.0, -1.0]])).exp().flatten()
    assert found.tolist() == pytest.approx([0.6652410, 0.2447285, 0.0900306], abs=1e-6)


@pytest.mark.parametrize("method", [MultiHead(), WDNet()], ids=repr)
def test_a_head_learns_its_own_rater_where_present(method):
    """An absent rater is no rater who says background, as in a published code: the head has no gradient."""
    method = begun(method)
    raters = HEADS.clone().requires_grad_()
    outputs = WeightedHeads(raters, torch.zeros(1, 3)) if isinstance(method, WDNet) else raters
    present = torch.tensor([True, True, False]).view(1, 3, 1, 1)
    ratings = torch.eye(2)[[0, 1, 0]].view(1, 3, 2, 1, 1) * present.unsqueeze(2)
    loss = method.loss(outputs, ratings, present)
    loss.backward()
    assert loss.item() == pytest.approx(-(np.log(0.9) + np.log(0.4)) / 2, abs=1e-6)
    assert raters.grad[0, 2].abs().max() == 0 < raters.grad[0, :2].abs().min()


@pytest.mark.parametrize("method", [MultiHead(), WDNet()], ids=repr)
def test_who_judged_nothing_has_no_part_in_the_mean(method):
    method = begun(method, absent=["ghost"])
    heads = torch.cat([HEADS, torch.tensor([9.0, -9.0]).view(1, 1, 2, 1, 1)], dim=1)
    outputs = WeightedHeads(heads, torch.zeros(1, 4)) if isinstance(method, WDNet) else heads
    assert method.logits(outputs).softmax(dim=1).flatten().tolist() == pytest.approx([0.5666667, 0.4333333], abs=1e-6)


@pytest.mark.parametrize("averaging", ["global", "image"])
def test_weights_learn_while_the_heads_stay(confused_cases, averaging):
    """The rater who draws at random gets less weight, and the heads are those without weights."""
    train = confused_cases({"good": GOOD, "over": OVER, "chance": CHANCE}, 8)
    budget = Budget(epochs=8, batch_size=4, learning_rate=2e-2, backbone="shallow", **STILL)
    heads = MultiHead(budget=budget).fit(train, train, seed=0)
    method = WDNet(averaging=averaging, share=1.0, weight_learning_rate=0.1, budget=budget).fit(train, train, seed=0)
    for name, tensor in heads.module_.network.state_dict().items():
        torch.testing.assert_close(method.module_.network.state_dict()[name], tensor, atol=0, rtol=0)
    weights = method.rater_weights_
    assert sum(weights.values()) == pytest.approx(1, abs=1e-5) and max(weights, key=weights.__getitem__) != "chance"
    assert len(method.report_.stages["weights of the heads"].curve) == 8
    volumes = [method.predict(case).probability[1].sum() for case in train]
    assert volumes != pytest.approx([heads.predict(case).probability[1].sum() for case in train], rel=1e-4)


def test_each_head_imitates_its_rater(confused_cases):
    train = confused_cases({"good": GOOD, "over": OVER}, 8)
    budget = Budget(epochs=20, batch_size=2, learning_rate=2e-2, backbone="shallow", **STILL)
    method = MultiHead(budget=budget).fit(train, train, seed=0)
    with torch.no_grad():
        good, over = method.outputs(train[0]).softmax(dim=2)[0, :, 1]
    background = torch.from_numpy(train[0].truth.labels == 0)
    assert good[background].mean() < 0.1 and over[background].mean() == pytest.approx(0.4, abs=0.1)
    np.testing.assert_allclose(method.predict_proba(train[0])[1], (good + over) / 2, atol=1e-6)


def test_the_heads_stay_as_they_are_while_their_weights_learn():
    """Also layers that draw, or count what they see."""
    dataset = make_dataset(shapes=[(32, 32)] * 6, n_raters=3)
    options = {"epochs": 2, "batch_size": 2, "normalisation": "batch", "dropout": 0.2}
    heads, weighted = (
        cls(budget=Budget(**options, **STILL)).fit(dataset[:4], dataset[4:], seed=0)
        for cls in (MultiHead, partial(WDNet, share=0.5))
    )
    assert weighted.fit_report().stages["weights of the heads"].curve
    for name, tensor in heads.module_.network.state_dict().items():
        assert torch.equal(weighted.module_.network.state_dict()[name], tensor), name
