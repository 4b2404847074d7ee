"""The crowd layer: its start, what its confusion means, and what it learns."""

import math

import numpy as np
import pytest
import torch

from raterbench.datasets import RaterbenchError
from raterbench.methods import Budget, CrowdLayer
from raterbench.methods.networks.crowd_layer import CONNECTIONS

STILL = {"rotation": 0.0, "translation": 0.0, "scaling": 0.0, "features": (8, 8, 8, 8, 8, 8)}
GOOD = np.array([[0.97, 0.05], [0.03, 0.95]])
OVER = np.array([[0.7, 0.02], [0.3, 0.98]])
UNDER = np.array([[0.99, 0.4], [0.01, 0.6]])


def begun(dataset, **options):
    method = CrowdLayer(budget=Budget(epochs=1, **STILL), **options)
    method.prepare(dataset, seed=0)
    return method


@pytest.mark.parametrize("connection", CONNECTIONS)
def test_every_connection_starts_as_the_identity(confused_cases, connection):
    method = begun(confused_cases({"ann": GOOD, "bob": OVER}, 2), connection=connection)
    p = torch.rand(3, 2, 8, 9, generator=torch.Generator().manual_seed(0)).softmax(dim=1)
    torch.testing.assert_close(method.module_.rater_logits(p), p.unsqueeze(1).expand(3, 2, 2, 8, 9))


def test_each_connection_is_the_product_that_it_says(confused_cases):
    p = torch.tensor([0.7, 0.3]).view(1, 2, 1, 1)
    train = confused_cases({"ann": GOOD}, 2)
    for connection, weight, bias, expected in [
        ("matrix", [[0.9, 0.2], [0.1, 0.8]], None, [0.69, 0.31]),
        ("vector", [2.0, -1.0], None, [1.4, -0.3]),
        ("vector with bias", [2.0, -1.0], [0.5, 0.25], [1.9, -0.05]),
    ]:
        module = begun(train, connection=connection).module_
        with torch.no_grad():
            module.weight.copy_(torch.tensor([weight]))
            if bias:
                module.bias.copy_(torch.tensor([bias]))
        torch.testing.assert_close(module.rater_logits(p).flatten(), torch.tensor(expected))


def test_the_loss_is_the_softmax_cross_entropy_of_the_raters_layer_over_present_raters(confused_cases):
    method = begun(confused_cases({"ann": GOOD, "bob": OVER}, 2))
    logits = torch.tensor([0.8, 0.2]).log().view(1, 2, 1, 1)
    outputs = method.module_.forward(torch.randn(1, 1, 32, 32))._replace(logits=logits)
    outputs = outputs._replace(raters=method.module_.rater_logits(logits.softmax(dim=1)))
    ratings = torch.eye(2).view(1, 2, 2, 1, 1)
    present = torch.tensor([True, False]).view(1, 2, 1, 1)
    expected = -math.log(math.exp(0.8) / (math.exp(0.8) + math.exp(0.2)))
    assert method.loss(outputs, ratings * present.unsqueeze(2), present).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("connection", CONNECTIONS)
def test_a_column_of_the_confusion_is_what_is_said_where_the_network_is_certain(confused_cases, connection):
    train = confused_cases({"ann": GOOD, "bob": OVER}, 3, absent=("ghost",))
    method = CrowdLayer(connection=connection, budget=Budget(epochs=2, **STILL)).fit(train, train, seed=0)
    confusion = method.predict(train[0]).rater_confusion
    assert np.isnan(confusion["ghost"]).all() and any("ghost" in warning for warning in method.report_.warnings)
    for r, rater in enumerate(("ann", "bob")):
        for j in range(2):
            certain = torch.eye(2)[j].view(1, 2, 1, 1)
            expected = method.module_.rater_logits(certain)[0, r].softmax(dim=0).flatten().tolist()
            np.testing.assert_allclose(confusion[rater][:, j], expected, atol=1e-6)


def test_untrained_its_confusion_is_not_the_identity(confused_cases):
    train = confused_cases({"ann": GOOD}, 2)
    method = begun(train)
    method.finish(train, method.slices(train))
    np.testing.assert_allclose(np.diag(method.confusion_[0]), math.e / (math.e + 1), atol=1e-6)


def test_it_tells_the_raters_apart_and_finds_what_they_mean(confused_cases):
    train = confused_cases({"good": GOOD, "over": OVER, "under": UNDER}, 12)
    budget = Budget(epochs=30, batch_size=3, learning_rate=1e-2, **STILL)
    method = CrowdLayer(budget=budget).fit(train, train, seed=0)
    confusion = method.predict(train[0]).rater_confusion
    assert max(confusion, key=lambda rater: confusion[rater][1, 0]) == "over"
    assert max(confusion, key=lambda rater: confusion[rater][0, 1]) == "under"
    for case in train[:3]:
        assert ((method.predict_proba(case.unlabelled())[1] > 0.5) == (case.image[0] > 0.5)).mean() > 0.97


def test_an_unknown_connection_is_a_clear_error(confused_cases):
    with pytest.raises(RaterbenchError, match="connection = 'tensor' must be 'matrix' or"):
        begun(confused_cases({"ann": GOOD}, 2), connection="tensor")
