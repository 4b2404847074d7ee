"""GCE: its limits, its truncation, and what it does with a rater who contradicts the others."""

import numpy as np
import pytest
import torch

from raterbench.datasets import RaterbenchError
from raterbench.methods import GCE, TGCE, Budget
from raterbench.methods.learning.losses import generalised_cross_entropy, soft_cross_entropy
from raterbench.methods.networks.tgce import TGCEOutputs

STILL = {"rotation": 0.0, "translation": 0.0, "scaling": 0.0, "features": (8, 8, 8, 8, 8, 8)}
GOOD = np.array([[0.97, 0.05], [0.03, 0.95]])
CONTRARY = np.array([[0.1, 0.9], [0.9, 0.1]])


def one_vote(said, dtype=torch.float64):
    """Ratings and presence of one rater at one voxel with two classes."""
    return torch.eye(2, dtype=dtype)[said].view(1, 1, 2, 1), torch.ones(1, 1, 1, dtype=torch.bool)


def random_batch(n_classes=3, n_raters=4):
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(2, n_classes, 4, 5, generator=random, dtype=torch.float64)
    labels = torch.randint(n_classes, (2, n_raters, 4, 5), generator=random)
    present = torch.rand(2, n_raters, 4, 5, generator=random) < 0.7
    ratings = torch.nn.functional.one_hot(labels, n_classes).movedim(-1, 2) * present.unsqueeze(2)
    return logits, ratings.double(), present, labels


@pytest.mark.parametrize(("said", "expected"), [(0, 0.2111456), (1, 1.1055728)])
def test_the_worked_values(said, expected):
    p = torch.tensor([0.8, 0.2], dtype=torch.float64).view(1, 2, 1)
    assert generalised_cross_entropy(p, *one_vote(said), q=0.5).item() == pytest.approx(expected, abs=1e-7)


def test_without_q_it_is_cross_entropy_and_with_one_the_missing_probability():
    logits, ratings, present, labels = random_batch()
    p = logits.softmax(dim=1)
    ends = {q: generalised_cross_entropy(p, ratings, present, q=q).item() for q in (0.0, 1e-8, 1.0)}
    assert ends[0.0] == pytest.approx(soft_cross_entropy(logits, ratings, present).item(), abs=1e-12)
    assert ends[1e-8] == pytest.approx(ends[0.0], abs=1e-6)
    agreed = p.unsqueeze(1).expand(-1, 4, -1, -1, -1).gather(2, labels.unsqueeze(2)).squeeze(2)
    assert ends[1.0] == pytest.approx((1 - agreed)[present].mean().item(), abs=1e-12)


def test_it_is_tgce_with_every_gate_open():
    logits, ratings, present, _ = random_batch()
    found = generalised_cross_entropy(logits.float().softmax(1), ratings.float(), present, q=0.5)
    open_gates = TGCEOutputs(logits, torch.ones(2, 4, 1, 1))
    torch.testing.assert_close(TGCE(q=0.5).loss(open_gates, ratings.float(), present), found)


@pytest.mark.parametrize(("p", "expected", "pulls"), [(0.6, (1 - 0.6**0.5) / 0.5, True), (0.4, (1 - 0.5**0.5) / 0.5, False)])
def test_a_vote_below_the_truncation_is_a_constant(p, expected, pulls):
    probability = torch.tensor([p, 1 - p], dtype=torch.float64).view(1, 2, 1).requires_grad_()
    loss = generalised_cross_entropy(probability, *one_vote(0), q=0.5, truncation=0.5)
    loss.backward()
    assert loss.item() == pytest.approx(expected, abs=1e-12)
    assert bool(probability.grad.any()) == pulls


@pytest.mark.parametrize("truncation", [0.0, 0.5])
def test_it_learns_what_most_raters_mean(confused_cases, truncation):
    train = confused_cases({"ann": GOOD, "bob": GOOD, "contrary": CONTRARY}, 12)
    budget = Budget(epochs=15, batch_size=3, learning_rate=1e-2, **STILL)
    method = GCE(truncation=truncation, budget=budget).fit(train, train, seed=0)
    assert method.truncation_ == truncation, "by the last epoch"
    for case in train[:3]:
        truth = case.image[0] > 0.5
        assert ((method.predict_proba(case.unlabelled())[1] > 0.5) == truth).mean() > 0.97


def test_the_network_learns_without_truncation_first(confused_cases):
    train = confused_cases({"ann": GOOD}, 3)
    method = GCE(truncation=0.9, warmup=1.0, budget=Budget(epochs=2, **STILL))
    assert method.fit(train, train, seed=0).truncation_ == 0


@pytest.mark.parametrize("options", [{"q": -0.1}, {"q": 1.5}, {"truncation": 1.0}, {"truncation": -1.0}])
def test_options_out_of_range_are_clear_errors(confused_cases, options):
    train = confused_cases({"ann": GOOD}, 2)
    with pytest.raises(RaterbenchError, match=r"GCE: (q|truncation) = .* must be a number from 0"):
        GCE(**options).fit(train, train, seed=0)


@pytest.mark.parametrize("gap", [10.0, 20.0, 60.0, 90.0, 200.0, 1e4])
@pytest.mark.parametrize("n_classes", [2, 5])
def test_as_cross_entropy_it_pulls_however_unlikely_the_vote_was(gap, n_classes):
    """The gradient of cross-entropy is p - y: a network that is certain and wrong feels it in full."""
    logits = torch.zeros(1, n_classes, 1, 1)
    logits[0, 1] = gap
    ratings, present = torch.eye(n_classes)[0].view(1, 1, n_classes, 1, 1), torch.ones(1, 1, 1, 1, dtype=torch.bool)
    method, gradients = GCE(q=0.0), []
    method.truncation_ = 0.0
    gated = TGCE(q=0.0, form="recommended")
    gates = torch.ones(1, 1, 1, 1)
    for loss in (method.loss, lambda z, *rest: gated.loss(TGCEOutputs(z, gates), *rest), soft_cross_entropy):
        z = logits.clone().requires_grad_()
        loss(z, ratings, present).backward()
        gradients.append(z.grad)
    torch.testing.assert_close(gradients[0], gradients[2])
    torch.testing.assert_close(gradients[1], gradients[2])
    assert gradients[0][0, 0].item() == pytest.approx(-1, abs=1e-3)


def test_of_soft_votes_it_is_cross_entropy_too():
    logits, ratings, present, _ = random_batch()
    soft = (0.7 * ratings + 0.1 * present.unsqueeze(2)).detach()  # sums to 1 where present
    method = GCE(q=0.0)
    method.truncation_ = 0.0
    torch.testing.assert_close(
        method.loss(logits.float(), soft.float(), present), soft_cross_entropy(logits, soft, present).float()
    )
    p = logits.softmax(dim=1)
    assert generalised_cross_entropy(p, soft, present, q=0.0).item() == pytest.approx(
        generalised_cross_entropy(logits, soft, present, q=0.0, logits=True).item(), abs=1e-12
    )
