"""The weights of raters: worked values, and the optimisation against a slow one that knows nothing of contested voxels."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from raterbench.methods.diagnosis.dl_cat import DLCat
from raterbench.methods.diagnosis.expertness import MapSettings, RatedSlices, fuse_ratings, optimise_logits, softmax_over_raters
from raterbench.methods.learning.batches.slices import stack
from raterbench.methods.learning.preparation import prepare_case

PARAMETERISATIONS = ["pixel", "fourier", "transrob", "expg"]


@pytest.fixture(scope="module")
def network(disc_slices, quickly):
    """A fitted and frozen network, a tenth as sure as it is, so that no likelihood is at its end."""
    fitted = DLCat().fit(disc_slices(32), disc_slices(16, first=100), seed=0, budget=quickly)
    frozen = fitted.frozen_network()
    frozen.last.weight *= 0.1
    return frozen


@pytest.fixture(scope="module")
def rated(discs):
    """Four slices with three raters, of whom one is absent from the first and judged half of the second."""
    cases = discs(4, first=300)
    parts = stack([prepare_case(case, case.ratings, ("a", "b", "c"), 3, cases.preparation) for case in cases])
    present, ratings = parts.present.clone(), parts.ratings.float()
    present[0, 1] = False
    present[1, 2, :16] = False
    ratings = ratings * present.unsqueeze(2)
    return RatedSlices(parts.images, ratings, present, torch.tensor([float(case.diagnosis) for case in cases]))


def settings(parameterisation, steps, **changes):
    return MapSettings(parameterisation, steps, **{"learning_rate": 0.05, "channels": 6, "layers": 3, **changes})


def generators(n=4):
    return [torch.Generator().manual_seed(seed) for seed in range(n)]


def test_worked_values_of_the_fused_mask():
    ratings = torch.tensor([[1.0, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 0]]).view(1, 3, 1, 4)
    present = torch.ones(1, 3, 4, dtype=torch.bool)
    uniform = fuse_ratings(ratings, present, torch.zeros(1, 3, 4))
    np.testing.assert_allclose(uniform[0, 0], [1, 0.6667, 0.3333, 0], atol=5e-5)
    logits = torch.tensor([math.log(2), 0, 0]).view(1, 3, 1).expand(1, 3, 4)
    np.testing.assert_allclose(softmax_over_raters(logits, present)[0, :, 0], [0.5, 0.25, 0.25], atol=1e-6)
    np.testing.assert_allclose(fuse_ratings(ratings, present, logits)[0, 0], [1, 0.75, 0.25, 0], atol=1e-6)


def test_who_is_absent_or_did_not_judge_has_no_weight():
    present = torch.tensor([[[True, True, False], [True, False, False]]])
    weights = softmax_over_raters(torch.tensor([[[0.0, -3, 1], [math.log(3), 9, 2]]]), present)
    np.testing.assert_allclose(weights[0], [[0.25, 1, 0], [0.75, 0, 0]], atol=1e-6)


@pytest.mark.parametrize("parameterisation", PARAMETERISATIONS)
def test_the_likelihood_of_the_diagnosis_rises(parameterisation, network, rated):
    """Equation 4 prints the other sign, with which it would fall."""
    found = optimise_logits(network, rated, generators(), settings(parameterisation, 30))
    if parameterisation == "transrob":  # It sees another position in each step.
        before, after = found.log_likelihood[:10].mean(dim=0), found.log_likelihood[-10:].mean(dim=0)
        assert after.sum() > before.sum()
    else:
        assert (found.log_likelihood[-1] > found.log_likelihood[0]).all()
    assert found.log_likelihood.shape == (30, 4) and found.logits.shape == (4, 3, 32, 32)


def test_pixels_are_those_of_a_loop_over_all_voxels(network, rated):
    found = optimise_logits(network, rated, generators(), settings("pixel", 12))
    for b, generator in enumerate(generators()):
        there = rated.present[b].flatten(1).any(dim=1)
        logits = torch.zeros(1, 3, 32, 32)
        logits[0, there] = 0.01 * torch.randn(int(there.sum()), 32, 32, generator=generator)
        logits.requires_grad_()
        optimiser = torch.optim.Adam([logits], lr=0.05)
        for _ in range(12):
            odds = logits.exp() * rated.present[b]
            weights = odds / odds.sum(dim=1, keepdim=True).clamp(min=1e-9)
            mask = (weights[:, :, None] * rated.ratings[b]).sum(dim=1)
            logit = network(rated.images[b : b + 1], mask)
            loss = functional.binary_cross_entropy_with_logits(logit, rated.diagnoses[b : b + 1])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        contested = rated.contested[b]
        there = rated.present[b] & contested
        expected = softmax_over_raters(logits.detach(), rated.present[b : b + 1])[0][there]
        weights = softmax_over_raters(found.logits[b : b + 1], rated.present[b : b + 1])[0][there]
        # Adam divides by the size of a gradient: one that is almost zero has a direction that rounding decides.
        np.testing.assert_allclose(weights.numpy(), expected.numpy(), atol=2e-3)


@pytest.mark.parametrize("parameterisation", PARAMETERISATIONS)
def test_a_slice_alone_gets_the_weights_that_it_gets_among_others(parameterisation, network, rated):
    together = optimise_logits(network, rated, generators(), settings(parameterisation, 15))
    for b in range(4):
        one = RatedSlices(*(part[b : b + 1] for part in (rated.images, rated.ratings, rated.present, rated.diagnoses)))
        alone = optimise_logits(network, one, generators()[b : b + 1], settings(parameterisation, 15))
        masks = [fuse_ratings(one.ratings, one.present, logits) for logits in (alone.logits, together.logits[b : b + 1])]
        np.testing.assert_allclose(*masks, atol=2e-3)


@pytest.mark.parametrize("n", [4, 5, 7])
def test_a_sigmoid_before_the_softmax_bounds_the_weights(n):
    logits = torch.full((1, n, 1, 1), -1e6)
    logits[0, 0] = 1e6
    weights = softmax_over_raters(torch.sigmoid(logits), torch.ones(1, n, 1, 1, dtype=torch.bool)).flatten()
    expected = {4: (0.475, 0.109 / (0.109 * 3) * (1 - 0.475)), 5: (0.405, (1 - 0.405) / 4), 7: (0.312, (1 - 0.312) / 6)}[n]
    assert weights[0] == pytest.approx(math.e / (math.e + n - 1)) == pytest.approx(expected[0], abs=5e-4)
    assert weights[1] == pytest.approx(expected[1], abs=5e-4)
    weights = softmax_over_raters(torch.sigmoid(-logits), torch.ones(1, n, 1, 1, dtype=torch.bool)).flatten()
    assert weights[0] == pytest.approx(1 / (1 + (n - 1) * math.e)) and weights.sum() == pytest.approx(1)


def test_bounded_weights_stay_near_the_average(network, rated):
    found = (
        optimise_logits(network, rated, generators(), settings("pixel", 40, learning_rate=1.0, bounded=bounded))
        for bounded in (False, True)
    )
    free, bounded = (softmax_over_raters(one.logits, rated.present) for one in found)
    all_three = rated.present.all(dim=1, keepdim=True).expand_as(free)
    assert free[all_three].max() > 0.95
    assert bounded[all_three].max() <= math.e / (math.e + 2) + 1e-6
    assert bounded[all_three].min() >= 1 / (1 + 2 * math.e) - 1e-6


def test_maps_of_a_network_of_coordinates_are_smooth(network, rated):
    pixel, smooth = (optimise_logits(network, rated, generators(), settings(p, 30)).logits[2] for p in ("pixel", "expg"))

    def roughness(logits):
        return ((logits[:, 1:] - logits[:, :-1]).square().mean() / logits.var()).item()

    assert roughness(smooth) < 0.1 < roughness(pixel)


def test_where_raters_agree_everywhere_nothing_is_optimised(network, rated):
    ratings, present = (part[:, :1].expand(-1, 3, *part.shape[2:]) for part in (rated.ratings, rated.present))
    same = RatedSlices(rated.images, ratings, present, rated.diagnoses)
    found = optimise_logits(network, same, generators(), settings("expg", 5))
    assert not found.logits.any() and len(found.log_likelihood) == 0
