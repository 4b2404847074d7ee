"""Separate networks: each is what its rater alone would have given, and raters without labels cost nothing."""

import numpy as np
import pytest
import torch

from raterbench.benchmark.checks.examples import make_dataset
from raterbench.datasets import Case, CaseList
from raterbench.methods import Budget, NetworkMethod, SeparateNetworks
from raterbench.methods.networks.separate_networks import mean_curve

BUDGET = {"epochs": 3, "batch_size": 2, "features": (4, 4, 4, 8, 8, 4)}


def keep(dataset, wanted, raters=None):
    """The ratings that ``wanted(case number, rater)`` keeps, and only the cases that still have one."""
    cases = []
    for i, case in enumerate(dataset):
        ratings = {rater: labels for rater, labels in case.ratings.items() if wanted(i, rater)}
        if ratings:
            cases.append(Case(case.id, case.subject, case.centre, case.image, ratings, case.geometry))
    return CaseList(dataset.name, cases, dataset.classes, raters or dataset.raters)


@pytest.fixture(scope="module")
def dataset():
    return make_dataset(shapes=[(32, 32)] * 8, n_raters=3)


def test_the_prediction_is_the_mean_of_networks_that_each_saw_one_rater(dataset):
    train, validation = dataset[:5], dataset[5:]
    method = SeparateNetworks(budget=Budget(**BUDGET)).fit(train, validation, seed=4)
    alone = []
    for rater in dataset.raters:
        parts = [keep(part, lambda _, r, own=rater: r == own, raters=[rater]) for part in (train, validation)]
        one = NetworkMethod(budget=Budget(**BUDGET)).fit(*parts, seed=4)
        assert one.report_.curve == method.report_.stages[rater].curve
        alone.append(one.predict_proba(dataset[0]))
    np.testing.assert_allclose(method.predict_proba(dataset[0]), np.mean(alone, axis=0), atol=1e-6)


def test_all_networks_start_from_the_same_weights(dataset):
    method = SeparateNetworks(budget=Budget(**BUDGET))
    method.prepare(dataset, seed=0)
    outputs = method.module_(torch.randn(2, 1, 32, 32))
    assert outputs.shape == (2, 3, 2, 32, 32)
    torch.testing.assert_close(outputs[:, 0], outputs[:, 2])


def test_a_rater_who_judged_nothing_has_no_network(dataset):
    blank = keep(dataset, lambda _, rater: rater != "rater 1")
    method = SeparateNetworks(budget=Budget(**BUDGET)).fit(blank[:6], blank[6:], seed=0)
    assert list(method.report_.stages) == ["rater 0", "rater 2"]
    assert any("'rater 1' judged nothing in the training part" in warning for warning in method.report_.warnings)
    without = keep(dataset, lambda _, rater: rater != "rater 1", raters=["rater 0", "rater 2"])
    expected = SeparateNetworks(budget=Budget(**BUDGET)).fit(without[:6], without[6:], seed=0)
    np.testing.assert_array_equal(method.predict_proba(dataset[0]), expected.predict_proba(dataset[0]))


def test_a_rater_without_validation_is_trained_to_its_least_training_loss(dataset):
    part = keep(dataset, lambda i, rater: rater != "rater 1" or i < 5)
    method = SeparateNetworks(budget=Budget(**BUDGET)).fit(part[:5], part[5:], seed=0)
    assert any("'rater 1' judged nothing in the validation part" in warning for warning in method.report_.warnings)
    assert len(method.report_.stages["rater 1"].curve) == BUDGET["epochs"]


def test_raters_who_saw_other_cases_are_each_learned(confused_cases):
    """Two raters with opposite labels on different cases: the mean is undecided where each network is sure."""
    good, contrary = np.array([[0.99, 0.01], [0.01, 0.99]]), np.array([[0.01, 0.99], [0.99, 0.01]])
    both = confused_cases({"ann": good, "contrary": contrary}, 12)
    shared = keep(both, lambda i, rater: (rater == "ann") == bool(i % 2))
    still = {"rotation": 0.0, "translation": 0.0, "scaling": 0.0, "features": (8, 8, 8, 8, 8, 8)}
    budget = Budget(epochs=20, batch_size=3, learning_rate=1e-2, **still)
    method = SeparateNetworks(budget=budget).fit(shared, shared, seed=0)
    p = method.predict_proba(both[0].unlabelled())[1]
    assert np.abs(p - 0.5).mean() < 0.1
    with torch.no_grad():
        each = method.outputs(both[0]).softmax(dim=2)[0, :, 1]
    assert float((each - 0.5).abs().mean()) > 0.4


def test_the_mean_curve_is_of_those_that_still_train():
    assert mean_curve([[(0, 1.0, 2.0), (1, 0.5, 1.0)], [(0, 3.0, 4.0)]]) == [(0, 2.0, 3.0), (1, 0.5, 1.0)]
