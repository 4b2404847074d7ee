"""The divergence of two Gaussians, by hand and by torch's own; standard deviations that no layer makes infinite."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Independent, Normal
from torch.distributions import kl_divergence as torchs

from raterbench.methods.sampling.gaussians import FLOOR, Gaussian, gaussian_from, kl_divergence

means = st.floats(-1e3, 1e3)
sigmas = st.floats(FLOOR, 1e3)


def one(mean, sigma, dtype=torch.float32):
    return Gaussian(torch.tensor([[mean]], dtype=dtype), torch.tensor([[sigma]], dtype=dtype))


@pytest.mark.parametrize(
    ("posterior", "prior", "expected"),
    [
        ((1, 1), (0, 1), 0.5),
        ((0, 2), (0, 1), 0.8068528),  # with sigma1 sigma0 for sigma1^2, as in a published port, it would be -0.1931
        ((0, 1), (0, 2), 0.3181472),
        ((3, 0.5), (3, 0.5), 0),
    ],
)
def test_the_worked_values(posterior, prior, expected):
    found = kl_divergence(one(*map(float, posterior)), one(*map(float, prior)))
    assert found.tolist() == pytest.approx([expected], abs=1e-6)


def test_it_is_that_of_torch_summed_over_all_dimensions():
    random = torch.Generator().manual_seed(0)
    draw = [torch.randn(3, 2, 4, 5, generator=random, dtype=torch.float64) for _ in range(4)]
    posterior, prior = Gaussian(draw[0], draw[1].exp()), Gaussian(draw[2], draw[3].exp())
    expected = torchs(*(Independent(Normal(*gaussian), 3) for gaussian in (posterior, prior)))
    torch.testing.assert_close(kl_divergence(posterior, prior), expected)


@given(means, sigmas, means, sigmas)
def test_it_is_never_negative_and_finite(mean, sigma, other_mean, other_sigma):
    found = kl_divergence(one(mean, sigma), one(other_mean, other_sigma)).item()
    assert found >= 0 and math.isfinite(found)


@pytest.mark.parametrize("raw", [-1e30, -1e4, -100.0, 0.0, 100.0, 1e4])
def test_no_output_of_a_layer_makes_the_divergence_or_its_gradient_infinite(raw):
    parameters = torch.full((1, 2, 3), raw).requires_grad_()
    made = gaussian_from(parameters)
    assert made.mean.shape == made.sigma.shape == (1, 1, 3)
    assert (made.sigma >= FLOOR).all() and made.sigma.isfinite().all()
    if abs(raw) <= 1e4:
        for divergence in (kl_divergence(made, one(0.0, 1.0)), kl_divergence(one(0.0, 1.0), made)):
            (gradient,) = torch.autograd.grad(divergence.sum(), parameters, retain_graph=True)
            assert divergence.isfinite().all() and gradient.isfinite().all()


def test_a_layer_that_gives_zero_makes_a_standard_normal_distribution():
    made = gaussian_from(torch.zeros(1, 4))
    assert made.mean.tolist() == [[0, 0]]
    torch.testing.assert_close(made.sigma, torch.full((1, 2), 1 + FLOOR))
    torch.testing.assert_close(
        Gaussian(torch.tensor([1.0]), torch.tensor([3.0])).at(torch.tensor([-2.0])), torch.tensor([-5.0])
    )
