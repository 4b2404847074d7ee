"""Max-MIG: its loss against the matrix of all pairs, the aggregated truth, and that rare classes can count alike."""

import numpy as np
import pytest
import torch

from raterbench.methods import Budget, MaxMIG
from raterbench.methods.raters.max_mig import max_mig_loss

STILL = {"rotation": 0.0, "translation": 0.0, "scaling": 0.0, "features": (8, 8, 8, 8, 8, 8)}
GOOD = np.array([[0.95, 0.1], [0.05, 0.9]])
POOR = np.array([[0.8, 0.3], [0.2, 0.7]])


def loss_of(left, right, prior, weight=None, judged=None):
    """The loss of voxels [N, K] in a row."""
    left, right, prior = (torch.as_tensor(part, dtype=torch.float64) for part in (left, right, prior))
    weight = torch.ones(len(left), dtype=torch.float64) if weight is None else torch.as_tensor(weight)
    maps = (part.log().T[None] for part in (left, right))
    return max_mig_loss(*maps, prior, weight[None], torch.tensor(judged or len(left))).item()


def test_the_loss_has_its_worked_value():
    left, right, prior = [[0.9, 0.1], [0.2, 0.8]], [[0.7, 0.3], [0.4, 0.6]], [0.5, 0.5]
    np.testing.assert_allclose(np.array(left) / prior @ np.array(right).T, [[1.32, 0.84], [0.76, 1.12]])
    assert loss_of(left, right, prior) == pytest.approx(-0.3954802, abs=1e-7)


def test_the_loss_is_that_of_the_matrix_of_all_pairs():
    """Also with weights, which count a pair as often as the product of both; padding has the weight 0."""
    random = np.random.default_rng(0)
    left, right = (random.dirichlet(np.ones(3), 7) for _ in range(2))
    prior, weight = random.dirichlet(np.ones(3)), random.uniform(0.5, 3, 7)
    m = left / prior @ right.T
    pairs = m * np.outer(weight, weight)
    expected = -(weight * (1 + np.log(np.diag(m)))).sum() / 7 + (pairs.sum() - np.trace(pairs)) / (49 - 7)
    assert loss_of(left, right, prior, weight) == pytest.approx(expected, abs=1e-10)
    more = random.dirichlet(np.ones(3), 5)
    wide = (np.concatenate([part, more]) for part in (left, right))
    assert loss_of(*wide, prior, np.concatenate([weight, np.zeros(5)]), 7) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("balance", [0.0, 1.0])
def test_voxels_and_the_prior_count_by_the_majority(confused_cases, balance):
    """With a balance of 1 both classes have the same weight in all, and the network's logits are shifted to equal priors."""
    train = confused_cases({"ann": GOOD, "bob": GOOD, "eve": POOR}, 2)
    method = MaxMIG(balance=balance, budget=Budget(epochs=1, backbone="shallow", **STILL))
    batch = method.prepare(train, seed=0).batch(torch.arange(2), torch.device("cpu"))
    majority = batch.ratings[:, :, 1].sum(dim=1) > 1
    share = (majority.sum().double() + 1) / (majority.numel() + 2)
    prior = torch.stack([1 - share, share])
    factor = 1 / (2 * prior) if balance else torch.ones(2).double()
    p = torch.tensor([0.7, 0.3]).double()
    left = (p * factor / (p * factor).sum()).view(1, 2, 1, 1).expand(2, 2, 32, 32).log()
    gained = sum(method.module_.weight.detach().double()[r].T @ batch.ratings[:, r].double().flatten(2) for r in range(3))
    right = (gained.view(2, 2, 32, 32) + (prior * factor).log().view(2, 1, 1)).log_softmax(dim=1)
    expected = max_mig_loss(left, right, prior * factor, factor[majority.long()], torch.tensor(majority.numel()))
    logits = p.float().log().view(1, 2, 1, 1).expand(2, 2, 32, 32)
    found = method.loss(logits, batch.ratings, batch.present).item()
    assert found == pytest.approx(expected.item(), rel=1e-4)


def test_the_aggregated_truth_has_its_worked_value(confused_cases):
    train = confused_cases({"ann": GOOD}, 2)
    method = MaxMIG(budget=Budget(epochs=1, backbone="shallow", **STILL))
    batch = method.prepare(train, seed=0).batch(torch.tensor([0]), torch.device("cpu"))
    vote = torch.eye(2).view(1, 1, 2, 1, 2)  # one voxel says class 0, the next class 1
    batch = batch._replace(ratings=vote, present=torch.ones(1, 1, 1, 2, dtype=torch.bool))
    left, right = torch.tensor([[0.9, 0.1], [0.2, 0.8]]), torch.tensor([[0.7, 0.3], [0.4, 0.6]])
    # Where the prior is equal, the second classifier is the softmax of the rater's weights.
    method.module_.weight.data.copy_(right.log())
    method.module_.forward = lambda images: left.log().T.view(1, 2, 1, 2)
    expected = [[0.9545455, 0.0454545], [0.1428571, 0.8571429]]
    np.testing.assert_allclose(method._aggregated(batch).detach()[0, :, 0].T, expected, atol=1e-6)


def test_it_learns_what_the_raters_mean_and_how_they_err(confused_cases):
    """Also where most voxels are background, and with a rater who is absent from the training part."""
    train = confused_cases({"good": GOOD, "poor": POOR, "worse": POOR}, 16, absent=("ghost",))
    budget = Budget(epochs=20, batch_size=4, learning_rate=2e-2, backbone="shallow", **STILL)
    method = MaxMIG(budget=budget).fit(train, train, seed=0)
    confusion = method.predict(train[0]).rater_confusion
    assert np.isnan(confusion.pop("ghost")).all()
    for rater, true in {"good": GOOD, "poor": POOR, "worse": POOR}.items():
        np.testing.assert_allclose(confusion[rater], true, atol=0.05)
    right = [((method.predict_proba(case)[1] > 0.5) == case.truth.labels).mean() for case in train[:4]]
    assert min(right) > 0.97 and not method.report_.alarms
