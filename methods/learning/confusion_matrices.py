"""Confusion matrices as tensors: their parameters, their start, and the votes that they predict.

Everywhere ``[..., i, j, ...]`` is "the rater says i, given that the truth is j": columns sum to 1 over i.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from ...errors import RaterbenchError
from ..backbones.base import Backbone, spatial_mean
from .losses import LEAST
from .precision import full_precision

CERTAIN = 1 - 1e-6
"""The largest diagonal at the start: a matrix of exactly 0 and 1 has no gradient, and the logarithm of 0 is not finite."""
SPREAD = 0.5
"""The largest deviation of the terms of a low-rank matrix from equal ones at the start, relative to their entries."""


def n_parameters(n_classes: int, rank: int | None) -> int:
    """The number of parameters C of one matrix: K^2, or 2 rank K + 1 for a low-rank matrix plus a multiple of the identity.

    Raises:
        RaterbenchError: the rank is below 1.
    """
    if rank is not None and rank < 1:
        raise RaterbenchError(f"rank = {rank!r} must be 1 or more, or None for full matrices")
    return n_classes**2 if rank is None else 2 * rank * n_classes + 1


def starting_diagonal(n_classes: int, diagonal: float) -> float:
    """The initial diagonal of a matrix: ``diagonal``, but at most ``CERTAIN``.

    Raises:
        RaterbenchError: the diagonal is not above 1/K, which would be no better than chance, or it is above 1.
    """
    if not 1 / n_classes < diagonal <= 1:
        raise RaterbenchError(
            f"diagonal = {diagonal!r} must be between 1/{n_classes} and 1: larger than 1/{n_classes}, at most 1"
        )
    return min(diagonal, CERTAIN)


def starting_point(n_classes: int, rank: int | None, diagonal: float) -> torch.Tensor:
    """Initial parameters [C] of a matrix with ``diagonal`` on its diagonal and equal entries elsewhere.

    The terms of a low-rank matrix add up to that, but each starts at random numbers from torch's generator: equal terms would
    have equal gradients and stay equal, so the matrix would have rank 1 whatever the rank.

    Raises:
        RaterbenchError: the rank is below 1, or the diagonal not above 1/K and up to 1.
    """
    n_parameters(n_classes, rank)
    d = starting_diagonal(n_classes, diagonal)
    if rank is None:
        return math.log(d * (n_classes - 1) / (1 - d)) * torch.eye(n_classes).flatten()
    # With s = 1, every entry of the product is p = (1 - d) / (dK - 1), to which each term of equal factors gives p / rank.
    equal = math.sqrt((1 - d) / (d * n_classes - 1) / rank)
    first = torch.full((rank, n_classes), equal)
    if rank > 1:
        # One factor is constant, so the product depends only on the sum of the other's rows, which is left as it is.
        apart = torch.rand(rank, n_classes) - 0.5
        first *= 1 + 2 * SPREAD * (apart - apart.mean(dim=0))
    factors = torch.cat([first.flatten(), torch.full((n_classes * rank,), equal), torch.ones(1)])
    return torch.log(torch.expm1(factors))


def matrices(parameters: torch.Tensor, n_classes: int, rank: int | None) -> torch.Tensor:
    """Confusion [B, R, K, K, *S] from parameters [B, R, C, *S], in float32: bfloat16 cannot tell .998 from 1.

    A full matrix is a softmax over the observed class. A low-rank one is ``B2 B1 + s I`` of non-negative factors, then
    divided by its columns' sums (after Zhang et al. 2020, section 3.3).
    """
    values = parameters.float()
    if rank is None:
        return torch.softmax(values.unflatten(2, (n_classes, n_classes)), dim=2)
    positive = functional.softplus(values)
    first, second, scale = positive.split([rank * n_classes, rank * n_classes, 1], dim=2)
    first, second = first.unflatten(2, (rank, n_classes)), second.unflatten(2, (n_classes, rank))
    with full_precision(values):
        product = torch.einsum("bric...,brcj...->brij...", second, first)
    identity = torch.eye(n_classes, device=values.device).view(n_classes, n_classes, *[1] * (values.ndim - 3))
    return normalise_columns(product + scale.unsqueeze(2) * identity, observed=2)


def normalise_columns(matrices: torch.Tensor, *, observed: int) -> torch.Tensor:
    """Divide by the sums over the axis of the ``observed`` class, so that columns sum to 1."""
    return matrices / matrices.sum(dim=observed, keepdim=True)


def expected_votes(confusion: torch.Tensor, probability: torch.Tensor) -> torch.Tensor:
    """The probability of each vote of each rater, [B, R, K, *S]: the matrix of every voxel times its class probabilities.

    ``confusion`` [B, R, K, K, *S], or with spatial axes of length 1 where all voxels share a matrix; ``probability``
    [B, K, *S].
    """
    if confusion.shape[4:].numel() > 1:
        return (confusion * probability[:, None, None]).sum(dim=3)
    shared = confusion.flatten(3)  # [B, R, K, K]
    with full_precision(shared):
        votes = shared.flatten(1, 2) @ probability.flatten(2)
    return votes.view(*confusion.shape[:3], *probability.shape[2:])


def negative_log_likelihood(expected: torch.Tensor, ratings: torch.Tensor) -> torch.Tensor:
    """Negative log-likelihood [B, R, *S] of ratings [B, R, K, *S] under the expected votes [B, R, K, *S]."""
    return -(ratings * expected.clamp(min=LEAST).log()).sum(dim=2)


def trace(confusion: torch.Tensor) -> torch.Tensor:
    """The sum of the diagonal, [B, R, *S], of confusion [B, R, K, K, *S]."""
    return confusion.diagonal(dim1=2, dim2=3).sum(dim=-1)


class MatrixHead(nn.Module):
    """From features to the parameters of a matrix for each rater, [B, R, C, *S].

    ``global``: free parameters, the same for all images. ``image``: a linear layer on the mean of the bottleneck's features.
    ``pixel``: a 1x1 convolution of the decoder's features.

    Args:
        level: ``global``, ``image`` or ``pixel``.
        backbone: the network whose features the head gets.
        n_raters, n_parameters: R and C.
        start: parameters [C] at which all raters start; weights then begin near zero. None keeps torch's random start.
    """

    def __init__(self, level: str, backbone: Backbone, n_raters: int, n_parameters: int, start: torch.Tensor | None) -> None:
        super().__init__()
        self.level, self.size = level, (n_raters, n_parameters)
        width = {"global": 1, "image": backbone.bottleneck_width, "pixel": backbone.decoder_width}[level]
        self.layer = backbone.pointwise(width, n_raters * n_parameters, bias=level != "global")
        numbers = self.layer.weight if self.layer.bias is None else self.layer.bias
        if start is not None:
            with torch.no_grad():
                self.layer.weight.mul_(0.01)
                numbers.copy_(start.repeat(n_raters).view_as(numbers))

    def forward(self, decoder: torch.Tensor, bottleneck: torch.Tensor) -> torch.Tensor:
        """Parameters [B, R, C, *S] from ``Features``; spatial axes have length 1 unless the level is ``pixel``."""
        if self.level == "pixel":
            source = decoder
        elif self.level == "image":
            source = spatial_mean(bottleneck)
        else:
            source = decoder.new_ones(len(decoder), *[1] * (decoder.ndim - 1))
        raw = self.layer(source)
        return torch.unflatten(raw, 1, self.size)
