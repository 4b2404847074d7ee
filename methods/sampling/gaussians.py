"""Gaussians with independent dimensions: their parameters, their divergence, and what a network makes them of."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch.nn import functional

FLOOR = 1e-3
"""The smallest standard deviation. It bounds the divergence, and its gradient, of a Gaussian that has become narrow."""
UNIT = 0.5413248546129181
"""Where softplus is 1."""


class Gaussian(NamedTuple):
    """``mean`` and ``sigma`` (standard deviation), of one shape, float32."""

    mean: torch.Tensor
    sigma: torch.Tensor

    def at(self, noise: torch.Tensor) -> torch.Tensor:
        """The sample that belongs to standard normal ``noise``; gradients reach mean and sigma."""
        return self.mean + self.sigma * noise


def gaussian_from(parameters: torch.Tensor) -> Gaussian:
    """A Gaussian from what a layer gives, [P, 2 D, ...]: D means, then D numbers of which softplus makes sigma.

    Softplus grows linearly, so no output of a layer makes sigma infinite, as the exponential of a log-sigma does; all zero is
    the standard normal distribution, apart from ``FLOOR``.
    """
    mean, raw = parameters.float().chunk(2, dim=1)
    return Gaussian(mean, functional.softplus(raw + UNIT) + FLOOR)


def kl_divergence(posterior: Gaussian, prior: Gaussian) -> torch.Tensor:
    """KL(posterior || prior) [P] in nats, the sum over all dimensions of each of P Gaussians [P, ...]; never negative."""
    ratio = posterior.sigma / prior.sigma
    distance = (posterior.mean - prior.mean) / prior.sigma
    each = 0.5 * (ratio.square() + distance.square() - 1) - ratio.log()
    # Rounding may give -1e-8.
    return each.clamp(min=0).flatten(1).sum(dim=1)
