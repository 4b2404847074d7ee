"""Ordinal agreement: the score against its definition, missing raters, and what becomes of the numbers."""

from itertools import combinations

import numpy as np
import pytest
import torch

from raterbench.benchmark.checks.examples import make_dataset
from raterbench.methods import Budget, OrdinalAgreement
from raterbench.methods.learning.losses import ranked_probability_score
from raterbench.methods.raters.ordinal_agreement import thinning

STILL = {"rotation": 0.0, "translation": 0.0, "scaling": 0.0, "features": (8, 8, 8, 8, 8, 8)}


def score(predicted, observed):
    """The mean over thresholds of the squared difference of the distribution functions, from Epstein's definition."""
    total = 0.0
    for c in range(len(predicted) - 1):
        total += (sum(predicted[: c + 1]) - (observed <= c)) ** 2
    return total / (len(predicted) - 1)


def begun(foreground="share", n_raters=4, **options):
    """Every case of the example lacks one rater, so the largest number of raters is one less."""
    method = OrdinalAgreement(foreground=foreground, budget=Budget(epochs=1, backbone="shallow", **STILL))
    method.prepare(make_dataset(shapes=[(32, 32)] * 4, n_raters=n_raters, **options), seed=0)
    return method


def test_the_score_is_its_definition():
    random = np.random.default_rng(0)
    predicted, counts = random.dirichlet(np.ones(5), (2, 3)), random.integers(5, size=(2, 3))
    found = ranked_probability_score(torch.from_numpy(predicted).movedim(-1, 1), torch.from_numpy(counts))
    expected = [[score(predicted[b, i], counts[b, i]) for i in range(3)] for b in range(2)]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_score_knows_that_numbers_have_an_order():
    certain = torch.eye(4).view(4, 4, 1)  # that none, one, two, three raters mark the voxel
    found = ranked_probability_score(certain, torch.full((4, 1), 3.0)).flatten()
    assert found.tolist() == pytest.approx([1, 2 / 3, 1 / 3, 0])
    half = ranked_probability_score(certain, torch.full((4, 1), 2.5)).flatten()  # as resampled labels have it
    assert half.tolist() == pytest.approx([2.25 / 3, 1.25 / 3, 0.25 / 3, 0.25 / 3])


def test_fewer_raters_are_drawn_without_replacement():
    for c in range(5):
        marks = [1] * c + [0] * (4 - c)
        for drawn in (1, 2, 3, 4):
            sums = [sum(some) for some in combinations(marks, drawn)]
            shares = [sums.count(n) / len(sums) for n in range(drawn + 1)]
            np.testing.assert_allclose(thinning(4, drawn)[:, c], shares, atol=1e-6)


def test_voxels_with_fewer_raters_are_compared_with_so_many():
    method = begun()
    assert method.most_ == 3
    random = np.random.default_rng(1)
    predicted = random.dirichlet(np.ones(4), 3)
    votes, present = torch.tensor([[1, 1, 0], [1, 0, 0], [1, 1, 0]]), torch.tensor([[1, 1, 0], [0, 1, 0], [1, 1, 0]]).bool()
    ratings = torch.eye(2)[votes].transpose(1, 2)[None] * present[None, :, None]  # three raters, three voxels
    expected = [
        score(thinning(3, 2).double().numpy() @ predicted[0], 2),
        score(predicted[1], 2),
    ]  # nobody judged the third
    found = method.loss(torch.from_numpy(predicted).log().T[None], ratings, present[None])
    assert found.item() == pytest.approx(np.mean(expected), abs=1e-6)
    nobody = torch.zeros(1, 3, 3, dtype=torch.bool)
    assert method.loss(torch.randn(1, 4, 3, requires_grad=True), 0 * ratings, nobody).requires_grad


@pytest.mark.parametrize(
    ("foreground", "n_raters", "numbers", "expected"),
    [
        ("share", 4, [0.1, 0.2, 0.3, 0.4], (0.2 + 2 * 0.3 + 3 * 0.4) / 3),
        ("majority", 4, [0.1, 0.2, 0.3, 0.4], 0.7),
        ("majority", 5, [0.1, 0.2, 0.3, 0.25, 0.15], 0.15 + 0.25 + 0.3 / 2),
    ],
)
def test_the_foreground_is_the_share_or_the_majority_of_the_raters(foreground, n_raters, numbers, expected):
    method = begun(foreground, n_raters)
    p = method.logits(torch.tensor(numbers).log().view(1, -1, 1, 1)).softmax(dim=1).flatten()
    assert p.tolist() == pytest.approx([1 - expected, expected], abs=1e-6)


def test_more_than_two_classes_are_left_out_with_the_reason():
    reason = OrdinalAgreement().skip_reason(make_dataset(shapes=[(32, 32)] * 2, n_classes=3))
    assert reason == "it counts the raters who mark a voxel, which is for two classes, and there are 3"


def test_it_learns_the_share_of_raters(confused_cases):
    always, half = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.5], [0.0, 0.5]])
    train = confused_cases({"ann": always, "bob": half, "eve": half}, 8)
    budget = Budget(epochs=20, batch_size=2, learning_rate=2e-2, backbone="shallow", **STILL)
    method = OrdinalAgreement(budget=budget).fit(train, train, seed=0)
    p, marked = method.predict_proba(train[0])[1], train[0].truth.labels == 1
    assert p[marked].mean() == pytest.approx(2 / 3, abs=0.06) and p[~marked].mean() < 0.05
