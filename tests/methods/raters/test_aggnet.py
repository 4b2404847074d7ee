"""AggNet: its posterior, what it counts, its warm-up, and that absent raters are no class."""

import numpy as np
import pytest
import torch

from raterbench.methods import AggNet, Budget

STILL = {"rotation": 0.0, "translation": 0.0, "scaling": 0.0, "features": (8, 8, 8, 8, 8, 8)}
GOOD = np.array([[0.95, 0.1], [0.05, 0.9]])
POOR = np.array([[0.8, 0.3], [0.2, 0.7]])


def begun(dataset, matrices=None, **options):
    """A method before training, with given matrices [R, K, K] whose rows are the truth."""
    method = AggNet(budget=Budget(epochs=1, backbone="shallow", **STILL), **options)
    method.prepare(dataset, seed=0)
    if matrices is not None:
        method.module_.confusion.copy_(torch.tensor(matrices).transpose(1, 2))
    return method


def one_voxel(*votes):
    """Ratings [1, R, 2, 1, 1] of hard votes, None for an absent rater, and presence."""
    present = torch.tensor([vote is not None for vote in votes]).view(1, -1, 1, 1)
    ratings = torch.eye(2)[torch.tensor([vote or 0 for vote in votes])].view(1, -1, 2, 1, 1)
    return ratings * present.unsqueeze(2), present


def posterior(method, p, votes):
    """The posterior of a voxel, from the gradient of the loss: probability minus posterior."""
    logits = torch.tensor(p).log().view(1, 2, 1, 1).requires_grad_()
    method.loss(logits, *one_voxel(*votes)).backward()
    return (torch.tensor(p) - logits.grad.flatten()).tolist()


MATRICES = [[[0.9, 0.1], [0.2, 0.8]], [[0.7, 0.3], [0.4, 0.6]]]


def test_the_posterior_has_its_worked_value(confused_cases):
    method = begun(confused_cases({"ann": GOOD, "bob": POOR}, 2), MATRICES)
    assert posterior(method, [0.6, 0.4], (1, 0)) == pytest.approx([0.2470588, 0.7529412], abs=1e-6)


def test_an_absent_rater_is_not_one_who_says_the_first_class(confused_cases):
    """A published code looks a missing label up as the first class."""
    method = begun(confused_cases({"ann": GOOD, "bob": POOR}, 2), MATRICES)
    alone = np.array([0.6 * 0.1, 0.4 * 0.8])
    assert posterior(method, [0.6, 0.4], (1, None)) == pytest.approx(alone / alone.sum(), abs=1e-6)
    assert posterior(method, [0.6, 0.4], (None, None)) == pytest.approx([0.6, 0.4], abs=1e-6)


def test_a_round_counts_the_posterior_of_present_raters(confused_cases):
    method = begun(confused_cases({"ann": GOOD, "bob": POOR}, 2), MATRICES, warmup=0.0)
    method.start_epoch(method.module_, 0)
    method.module_.train()
    logits = torch.tensor([0.6, 0.4]).log().view(1, 2, 1, 1)
    for votes in ((1, 0), (1, None)):
        method.loss(logits, *one_voxel(*votes))
    first, second = np.array([0.2470588, 0.7529412]), np.array([0.06, 0.32]) / 0.38
    expected = [[[0, 0], first + second], [first, [0, 0]]]
    np.testing.assert_allclose(method.counts_, expected, atol=1e-6)
    method.module_.eval()
    method.loss(logits, *one_voxel(1, 0))  # Validation is not counted.
    np.testing.assert_allclose(method.counts_, expected, atol=1e-6)


def test_in_the_warm_up_the_majority_is_learned_and_the_matrices_stay_there(confused_cases):
    """An alarm says so where nothing else was kept."""
    train = confused_cases({"ann": GOOD, "bob": GOOD, "eve": POOR}, 3)
    method = AggNet(warmup=1.0, budget=Budget(epochs=2, backbone="shallow", **STILL)).fit(train, train, seed=0)
    ratings = np.stack([list(case.ratings.values()) for case in train], axis=1)
    majority = ratings.sum(axis=0) > 1
    for r, rater in enumerate(("ann", "bob", "eve")):
        counts = np.array([[((ratings[r] == i) & (majority == j)).sum() for j in (0, 1)] for i in (0, 1)]) + 1
        np.testing.assert_allclose(method.predict(train[0]).rater_confusion[rater], counts / counts.sum(axis=0), atol=1e-5)
    assert any("only the majority vote was learned" in alarm for alarm in method.report_.alarms)


@pytest.mark.parametrize("anchor", [0.0, 1.0, 3.0])
def test_votes_count_against_the_majority_as_often_as_the_anchor_says(confused_cases, anchor):
    """However many passes an epoch has."""
    method = begun(confused_cases({"ann": GOOD, "bob": POOR}, 2), anchor=anchor)
    method.is_warmed_up_ = True
    method.of_majority_ = torch.tensor([[[60.0, 4], [6, 30]], [[50, 10], [16, 24]]], dtype=torch.float64)
    posterior = torch.tensor([[[40.0, 4], [2, 54]], [[30, 10], [12, 48]]], dtype=torch.float64)
    slices = method.slices(confused_cases({"ann": GOOD, "bob": POOR}, 2))
    for passes in (1, 5):
        method.counts_ = passes * posterior
        method.end_epoch(method.module_, 0, slices)
        together = passes * (posterior + anchor * method.of_majority_) + 1
        np.testing.assert_allclose(method.confusion(), together / together.sum(dim=1, keepdim=True), atol=1e-6)


def test_it_finds_matrices_that_the_majority_vote_does_not_show(confused_cases):
    """Two poor raters of three outvote the good one: the majority vote finds it worse than it is."""
    train = confused_cases({"good": GOOD, "poor": POOR, "worse": POOR}, 16)
    budget = Budget(epochs=20, batch_size=4, learning_rate=2e-2, backbone="shallow", **STILL)
    method = AggNet(anchor=0.0, budget=budget).fit(train, train, seed=0)
    for rater, true in {"good": GOOD, "poor": POOR, "worse": POOR}.items():
        np.testing.assert_allclose(method.predict(train[0]).rater_confusion[rater], true, atol=0.04)
    right = [((method.predict_proba(case)[1] > 0.5) == case.truth.labels).mean() for case in train[:4]]
    assert min(right) > 0.97 and not method.report_.alarms
