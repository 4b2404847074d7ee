"""The confusion-matrix network finds raters' known matrices, and leaves those it cannot know alone."""

import numpy as np
import pytest
import torch

from raterbench.datasets import CaseList
from raterbench.methods import Budget
from raterbench.methods.confusion_network import ConfusionNetwork, Outputs

STILL = {"rotation": 0.0, "translation": 0.0, "scaling": 0.0, "features": (8, 8, 8, 8, 8, 8)}
TWO = {
    "careful": np.array([[0.9, 0.2], [0.1, 0.8]]),
    "generous": np.array([[0.7, 0.05], [0.3, 0.95]]),
    "sparing": np.array([[0.98, 0.5], [0.02, 0.5]]),
}
THREE = {
    "even": np.array([[0.9, 0.1, 0.1], [0.05, 0.8, 0.1], [0.05, 0.1, 0.8]]),
    "generous": np.array([[0.7, 0.0, 0.1], [0.2, 1.0, 0.0], [0.1, 0.0, 0.9]]),
    "sparing": np.array([[0.95, 0.5, 0.05], [0.05, 0.5, 0.0], [0.0, 0.0, 0.95]]),
}


def learned(confused_cases, matrices, **options):
    train = confused_cases(matrices, 12, absent=options.pop("absent", ()))
    validation = confused_cases(matrices, 4, seed=1)
    budget = Budget(epochs=options.pop("epochs", 30), batch_size=4, learning_rate=1e-2, **STILL)
    method = ConfusionNetwork(budget=budget, matrix_learning_rate=5e-2, **options)
    return method.fit(train, validation, seed=0), train


def rmse(found, expected):
    return float(np.sqrt(np.mean((found - expected) ** 2)))


@pytest.mark.parametrize("matrices", [TWO, THREE], ids=["two classes", "three classes"])
def test_known_matrices_are_recovered(confused_cases, matrices):
    method, train = learned(confused_cases, matrices)
    expected, n = np.stack(list(matrices.values())), train.n_classes
    found = np.stack(list(method.rater_confusion(train[0]).values()))
    start = np.where(np.eye(n) == 1, method.diagonal, (1 - method.diagonal) / (n - 1))
    assert rmse(start, expected) > 0.13 and rmse(np.eye(n), expected) > 0.17
    assert rmse(found, expected) < 0.06
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert not method.warnings_


def test_a_rater_who_was_never_seen_has_no_matrix_and_a_warning(confused_cases):
    method, train = learned(confused_cases, TWO, absent=("ghost",), epochs=2)
    confusion = method.rater_confusion(train[0])
    assert np.isnan(confusion["ghost"]).all()
    assert not np.isnan(confusion["careful"]).any()
    assert [w for w in method.warnings_ if "'ghost' rated no training case" in w]
    start = method.module_.confusion()[3].diagonal()
    torch.testing.assert_close(start, torch.full_like(start, 0.9))


def test_matrices_stay_at_their_start_during_the_warm_up(confused_cases):
    class Watched(ConfusionNetwork):
        listed = False

        def start_epoch(self, module, epoch):
            super().start_epoch(module, epoch)
            self.starts_ = [*getattr(self, "starts_", []), module.matrix_logits.detach().clone()]

    train = confused_cases(TWO, 4)
    budget = Budget(epochs=5, **STILL)
    starts = Watched(budget=budget, warmup=0.4).fit(train, train, seed=0).starts_
    assert torch.equal(starts[1], starts[0]) and torch.equal(starts[2], starts[0])
    assert not torch.equal(starts[3], starts[2])
    assert not torch.equal(*Watched(budget=budget, warmup=0.0).fit(train, train, seed=0).starts_[:2])


def test_the_likelihood_is_that_of_the_matrix_times_the_probability():
    """A = [[.9, .2], [.1, .8]] and p = (.7, .3) give (.69, .31): a transposed product or a second softmax would not."""
    method = ConfusionNetwork(trace_weight=0.0, budget=Budget(**STILL))
    method.budget_ = method.budget
    method.module_ = method.build(1, 2, 1)
    logits = torch.tensor([0.7, 0.3]).log().view(1, 2, 1, 1).expand(1, 2, 32, 32)
    method.module_.network.forward = lambda images: logits
    with torch.no_grad():
        method.module_.matrix_logits.copy_(torch.tensor([[[0.9, 0.2], [0.1, 0.8]]]).log())
    outputs = method.module_(torch.zeros(1, 1, 32, 32))
    torch.testing.assert_close(outputs.rated[0, 0, :, 0, 0], torch.tensor([0.69, 0.31]))
    present = torch.ones(1, 1, 32, 32, dtype=torch.bool)
    for said, weight, expected in ((0, 0.0, 0.3710637), (1, 0.0, 1.1711830), (1, 0.7, 2.3611830)):
        method.trace_weight = weight
        ratings = torch.eye(2)[said].view(1, 1, 2, 1, 1).expand(1, 1, 2, 32, 32)
        assert method.loss(outputs, ratings, present).item() == pytest.approx(expected, abs=1e-5)


def test_the_trace_counts_present_raters_only():
    method = ConfusionNetwork(trace_weight=1.0, budget=Budget(**STILL))
    method.budget_ = method.budget
    method.module_ = method.build(1, 2, 2)
    ratings = torch.tensor([1.0, 0.0]).view(1, 1, 2, 1, 1).expand(1, 2, 2, 4, 4)
    present = torch.tensor([True, False]).view(1, 2, 1, 1).expand(1, 2, 4, 4)
    outputs = Outputs(torch.zeros(1, 2, 4, 4), torch.ones(1, 2, 2, 4, 4))
    loss = method.loss(outputs, ratings * present.unsqueeze(2), present)
    assert loss.item() == pytest.approx(1.8)
    loss.backward()
    gradient = method.module_.matrix_logits.grad
    assert gradient[0].any() and not gradient[1].any()


def test_a_relabelled_truth_is_warned_of(confused_cases):
    train: CaseList = confused_cases(TWO, 2)
    method = ConfusionNetwork(budget=Budget(epochs=1, **STILL), diagonal=0.3, warmup=1.0)
    method.fit(train, train, seed=0)
    assert any("may be relabelled" in w for w in method.warnings_)
