"""MRNet: the expertness that is drawn, its targets, and predictions as a rater or all of them."""

import numpy as np
import pytest
import torch

from raterbench.benchmark.checks.examples import make_dataset
from raterbench.datasets import RaterbenchError
from raterbench.methods import Budget, MRNet
from raterbench.methods.backbones import BACKBONES
from raterbench.methods.raters.mrnet import ExpertnessOutputs, drawn_expertness, equal_expertness, weighted_labels

STILL = {"rotation": 0.0, "translation": 0.0, "scaling": 0.0, "features": (8, 8, 8, 8, 8, 8)}
GOOD = np.array([[0.99, 0.02], [0.01, 0.98]])
OVER = np.array([[0.5, 0.02], [0.5, 0.98]])


def test_drawn_weights_sum_to_1_over_those_who_are_there():
    present = torch.ones(6000, 4, 1, 1, dtype=torch.bool)
    present[:, 3] = False
    present[0] = False
    torch.manual_seed(0)
    drawn = drawn_expertness(present)
    assert not drawn[:, 3].any() and not drawn[0].any()
    torch.testing.assert_close(drawn[1:].sum(dim=1), torch.ones(5999))
    one, equal = (drawn == 1).any(dim=1), (drawn[:, :3] == drawn[:, :1]).all(dim=1)
    # Random weights of three raters are equal in ten cases of a thousand.
    assert one.float().mean() == pytest.approx(1 / 6, abs=0.02) and equal.float().mean() == pytest.approx(1 / 2, abs=0.02)
    assert (drawn[one].sum(dim=0)[:3] / one.sum()).tolist() == pytest.approx([1 / 3] * 3, abs=0.05)
    torch.testing.assert_close(equal_expertness(present)[1], torch.tensor([1 / 3, 1 / 3, 1 / 3, 0]))


def test_the_target_is_the_weighted_mean_of_those_who_judged_the_voxel():
    ratings = torch.eye(2)[torch.tensor([[1, 1], [0, 0], [1, 1]])].transpose(1, 2)[None]  # three raters, two voxels
    present = torch.tensor([[[True, True], [True, False], [True, False]]])
    target, counted = weighted_labels(ratings * present.unsqueeze(2), present, torch.tensor([[0.5, 0.3, 0.2]]))
    torch.testing.assert_close(target[0, 0], torch.tensor([[0.3, 0.0], [0.7, 1.0]]))
    assert counted.all()
    target, counted = weighted_labels(ratings * present.unsqueeze(2), present, torch.tensor([[0.0, 1.0, 0.0]]))
    assert counted.tolist() == [[[True, False]]] and target[0, 0, :, 0].tolist() == [1.0, 0.0]


class Told(torch.nn.Module):
    """Says what the raters said with the weights that it is given, so that no cross-entropy can be lower."""

    def __init__(self, ratings, present):
        super().__init__()
        self.ratings, self.present, self.given = ratings, present, []

    def forward(self, images, expertness):
        self.given.append(expertness)
        target, _ = weighted_labels(self.ratings, self.present, expertness)
        return ExpertnessOutputs((target[:, 0] + 1e-12).log(), None)


def test_each_setting_is_compared_with_its_own_target():
    """A published code compares the output of one setting with the target of another."""
    dataset = make_dataset(shapes=[(32, 32)] * 4, n_raters=3)
    method = MRNet(budget=Budget(epochs=1, backbone="shallow", **STILL))
    slices = method.prepare(dataset, seed=0)
    batch = slices.batch(torch.arange(4), torch.device("cpu"))
    module, settings = Told(batch.ratings, batch.present), set()
    torch.manual_seed(0)
    for _ in range(6):
        loss = method.step_loss(module.train(), batch)
        target, counted = weighted_labels(batch.ratings, batch.present, module.given[-1])
        entropy = -(target * (target + 1e-12).log()).sum() / counted.sum()
        assert loss.item() == pytest.approx(entropy.item(), abs=1e-4)
        settings |= {tuple(row) for row in module.given[-1].tolist()}
    assert len(settings) > 6
    method.step_loss(module.eval(), batch)
    torch.testing.assert_close(module.given[-1], equal_expertness(batch.present))


def test_it_segments_as_the_rater_who_is_asked_for(confused_cases):
    train = confused_cases({"good": GOOD, "over": OVER}, 8, absent=("ghost",))
    budget = Budget(epochs=20, batch_size=2, learning_rate=2e-2, backbone="shallow", **STILL)
    method = MRNet(budget=budget).fit(train, train, seed=0)
    background = train[0].truth.labels == 0
    said = {"everybody": method.predict_proba(train[0])[1][background].mean()}
    for rater in ("good", "over"):
        asked = MRNet(expertness={rater: 2.0}, budget=budget)
        asked.prepare(train, seed=0)
        method.module_.asked.copy_(asked.module_.asked)
        said[rater] = method.predict_proba(train[0])[1][background].mean()
    assert said["good"] + 0.05 < said["everybody"] < said["over"] - 0.05


def test_the_reconstruction_adds_the_cross_entropy_of_each_rater():
    method = MRNet(reconstruction=0.5, budget=Budget(epochs=1, backbone="shallow", **STILL))
    method.prepare(make_dataset(shapes=[(32, 32)] * 2, n_raters=2), seed=0)
    raters = torch.tensor([[0.9, 0.1], [0.6, 0.4]]).log().view(1, 2, 2, 1, 1)
    present = torch.tensor([True, False]).view(1, 2, 1, 1)
    ratings = torch.eye(2).view(1, 2, 2, 1, 1) * present.unsqueeze(2)
    logits = torch.tensor([0.8, 0.2]).log().view(1, 2, 1, 1)
    loss = method.loss(ExpertnessOutputs(logits, raters), ratings, present)
    assert loss.item() == pytest.approx(-np.log(0.8) - 0.5 * np.log(0.9), abs=1e-6)


@pytest.mark.parametrize(
    ("expertness", "said"),
    [
        ({"nobody": 1.0}, "names nobody who judged"),
        ({"rater 0": -1.0}, "is -1.0: give"),
        ({"rater 0": 0.0}, "gives every rater"),
    ],
)
def test_weights_that_cannot_be_are_clear_errors(expertness, said):
    method = MRNet(expertness=expertness, budget=Budget(backbone="shallow"))
    with pytest.raises(RaterbenchError, match=said):
        method.prepare(make_dataset(shapes=[(32, 32)] * 2), seed=0)


def test_a_backbone_whose_features_cannot_be_changed_is_a_clear_error(monkeypatch):
    monkeypatch.setattr(BACKBONES.get("shallow"), "takes_condition", False)
    with pytest.raises(RaterbenchError, match="features of the backbone 'shallow' cannot be changed"):
        MRNet(budget=Budget(backbone="shallow")).check_parameters()
