"""Pionono: whose samples a prediction has, and raters whom training never saw."""

import numpy as np
import pytest
import torch

from raterbench.datasets import CaseList
from raterbench.methods import Pionono


def test_samples_are_shared_out_evenly_in_an_order_of_the_case(discs, tiny):
    method = Pionono(budget=tiny())
    method.prepare(discs(2), seed=0)
    orders = set()
    for case in range(20):
        _, raters = method.drawn(f"case {case}", (32, 32), 6)
        assert sorted(raters.tolist()) == [0, 0, 0, 1, 1, 1]
        assert raters.tolist() == [*raters[:2].tolist()] * 3
        orders.add(tuple(raters[:2].tolist()))
    assert orders == {(0, 1), (1, 0)}


def test_a_sample_is_its_raters_own(discs, tiny):
    method, case = Pionono(draws=4, budget=tiny()), discs(1)[0].unlabelled()
    method.prepare(discs(2), seed=0)
    method.module_.eval()
    before = method.predict(case, samples=4).samples
    with torch.no_grad():
        method.module_.mean[1] += 5
    changed = np.abs(method.predict(case, samples=4).samples - before).max(axis=(1, 2, 3)) > 0
    _, raters = method.drawn(case.id, (32, 32), 4)
    assert changed.tolist() == (raters == 1).tolist()


def test_raters_whom_training_never_saw_have_no_sample_and_do_not_validate(discs, tiny):
    train, validation = discs(3, raters=["large"]), discs(2, seed=1)
    method = Pionono(budget=tiny()).fit(train, validation, seed=0)
    assert method.report_.warnings == ["rater 'small' judged nothing in the training part: no sample is this rater's"]
    _, raters = method.drawn("a case", (32, 32), 5)
    assert set(raters.tolist()) == {1}
    alone = CaseList("discs", [*discs(2, seed=1, raters=["large"])], train.classes, train.raters)
    same = Pionono(budget=tiny()).fit(train, alone, seed=0)
    assert same.report_.curve == method.report_.curve


def test_the_divergence_is_that_of_the_raters_in_the_batch_from_the_prior(discs, tiny):
    method = Pionono(prior_sigma=2.0, start=0.5, budget=tiny())
    slices = method.prepare(discs(2), seed=0).whole()
    nets, raters = method.module_, torch.tensor([1, 0])
    noise = torch.zeros(2, 8)
    found = nets.reconstruct(nets.encode(slices.images), slices.images, torch.zeros(2, 2, 32, 32), raters, noise).divergence
    posterior = torch.distributions.Normal(nets.mean[raters], torch.nn.functional.softplus(nets.raw[raters]) + 1e-3)
    prior = torch.distributions.Normal(torch.zeros(2, 8), torch.full((2, 8), 2.0))
    torch.testing.assert_close(found, torch.distributions.kl_divergence(posterior, prior).sum(dim=1))
    groups = method.parameter_groups(nets)
    assert [(len(group["params"]), group["lr"]) for group in groups[1:]] == [(2, 0.02)]
    assert sum(len(group["params"]) for group in groups) == len(list(nets.parameters()))
    with pytest.raises(AssertionError):
        torch.testing.assert_close(nets.mean[0], nets.mean[1])
