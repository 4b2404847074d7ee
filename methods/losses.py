"""Losses of the papers as functions. Ratings [B, R, K, *S], presence [B, R, *S]; whatever is not present has no say."""

from __future__ import annotations

import torch


def masked_mean(values: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """Mean of ``values`` [B, R, *S] over what is ``present``; 0 (with a gradient of 0) if nothing is."""
    return (values * present).sum() / present.sum().clamp(min=1)


def soft_cross_entropy(logits: torch.Tensor, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of softmax(logits) [B, K, *S] against every present rater, the mean over (voxel, rater) pairs.

    Ratings are zero where not present, so they can be summed over raters before the product with the logarithm.
    """
    votes = (ratings * present.unsqueeze(2)).sum(dim=1)
    return -(votes * logits.log_softmax(dim=1)).sum() / present.sum().clamp(min=1)


def soft_dice_loss(
    probability: torch.Tensor, ratings: torch.Tensor, present: torch.Tensor, *, smooth: float = 1.0
) -> torch.Tensor:
    """Minus the soft Dice, sums over the whole batch, mean over foreground classes (Lemay 2022, eq. 2.2, plus ``smooth``).

    ``probability`` [B, K, *S]; every present rater is a target of its own and raters are pooled in the sums.
    """
    mask = present.unsqueeze(2)
    p, t = (probability.unsqueeze(1) * mask)[:, :, 1:], (ratings * mask)[:, :, 1:]
    axes = [0, 1, *range(3, p.ndim)]
    overlap, size = (p * t).sum(dim=axes), p.sum(dim=axes) + t.sum(dim=axes)
    return -((2 * overlap + smooth) / (size + smooth)).mean()


def adaptive_wing(
    predicted: torch.Tensor, target: torch.Tensor, *, omega: float, theta: float, epsilon: float, alpha: float
) -> torch.Tensor:
    """Adaptive wing loss of each voxel (Wang, Bo and Li 2019, eq. 3); the target may be soft. Broadcasts its arguments."""
    distance = (predicted - target).abs()
    power = alpha - target
    ratio = theta / epsilon
    slope = omega / (1 + ratio**power) * power * ratio ** (power - 1) / epsilon
    offset = theta * slope - omega * torch.log1p(ratio**power)
    # The near branch is evaluated everywhere; at distance 0 the power's gradient is not defined, hence the floor.
    near = omega * torch.log1p((distance.clamp(min=1e-12) / epsilon) ** power)
    return torch.where(distance < theta, near, slope * distance - offset)


def _generalised_surprise(probability: torch.Tensor, q: float) -> torch.Tensor:
    """(1 - p^q) / q, and its limit -log p at q = 0."""
    return -torch.expm1(q * probability.log()) / q if q else -probability.log()


def truncated_generalised_cross_entropy(
    probability: torch.Tensor,
    ratings: torch.Tensor,
    present: torch.Tensor,
    reliability: torch.Tensor,
    *,
    q: float,
    floor: float,
    class_mean: bool = False,
) -> torch.Tensor:
    """TGCE over present raters: reliability times generalised cross-entropy, plus the rest times a constant.

    ``probability`` [B, K, *S]; ``reliability`` [B, R, *S] in 0..1. ``floor`` is the probability tau at which a rater's vote
    stops paying off: the constant is ``(1 - floor^q) / q``. ``class_mean`` divides the first term by K, as the thesis'
    equation 2-6 does (Lotero 2025); then almost every rater looks reliable. Generalised cross-entropy: Zhang and Sabuncu
    2018, eq. 6.
    """
    agreed = torch.einsum("brk...,bk...->br...", ratings, probability).clamp(1e-7, 1.0)
    data = _generalised_surprise(agreed, q)
    if class_mean:
        data = data / probability.shape[1]
    constant = _generalised_surprise(agreed.new_tensor(floor), q)
    return masked_mean(reliability * data + (1 - reliability) * constant, present)
