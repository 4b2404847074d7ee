"""Losses of the papers as functions. Ratings [B, R, K, *S], presence [B, R, *S]; what is not present has no effect."""

from __future__ import annotations

import math

import torch

from .precision import full_precision

LEAST = 1e-30
"""The smallest probability in a logarithm. It only keeps the logarithm of 0 finite: a floor that a network can reach would
remove the gradient where it should be largest."""


def masked_mean(values: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """Mean of ``values`` [B, R, *S] over what is ``present``; 0 (with a gradient of 0) if nothing is."""
    return (values * present).sum() / present.sum().clamp(min=1)


def summed_votes(ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """How many present raters say each class, [B, K, *S], from ratings [B, R, K, *S]; soft labels count their shares."""
    return (ratings * present.unsqueeze(2)).sum(dim=1)


def soft_cross_entropy(logits: torch.Tensor, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of softmax(logits) [B, K, *S] against every present rater, the mean over (voxel, rater) pairs."""
    # The sum over raters comes first: one product with the logarithm instead of R.
    return -(summed_votes(ratings, present) * logits.log_softmax(dim=1)).sum() / present.sum().clamp(min=1)


def soft_dice_loss(
    probability: torch.Tensor, ratings: torch.Tensor, present: torch.Tensor, *, smooth: float = 1.0
) -> torch.Tensor:
    """Minus the soft Dice, sums over the whole batch, mean over foreground classes (Lemay 2022, eq. 2.2, plus ``smooth``).

    ``probability`` [B, K, *S]; every present rater is a target of its own and raters are pooled in the sums. A class that
    neither side has counts 1.
    """
    mask = present.unsqueeze(2)
    p, t = (probability.unsqueeze(1) * mask)[:, :, 1:], (ratings * mask)[:, :, 1:]
    axes = [0, 1, *range(3, p.ndim)]
    overlap, size = (p * t).sum(dim=axes), p.sum(dim=axes) + t.sum(dim=axes)
    total = size + smooth
    dice = (2 * overlap + smooth) / torch.where(total > 0, total, 1)
    return -torch.where(total > 0, dice, 1).mean()


def dice_semimetric_loss(
    probability: torch.Tensor, ratings: torch.Tensor, present: torch.Tensor, *, smooth: float = 0.0
) -> torch.Tensor:
    """Minus the Dice of soft labels, ``(|p| + |t| - |p - t|) / (|p| + |t|)`` (Wang et al. 2023, the first of their losses).

    Arguments and sums as in ``soft_dice_loss``, which it equals where the labels are hard. Of soft labels t the soft Dice is
    best at a hard p; this one is best at p = t alone, where it is -1.
    """
    mask = present.unsqueeze(2)
    p, t = (probability.unsqueeze(1) * mask)[:, :, 1:], (ratings * mask)[:, :, 1:]
    axes = [0, 1, *range(3, p.ndim)]
    size, apart = p.sum(dim=axes) + t.sum(dim=axes), (p - t).abs().sum(dim=axes)
    total = size + smooth
    dice = (total - apart) / torch.where(total > 0, total, 1)
    return -torch.where(total > 0, dice, 1).mean()


def ranked_probability_score(predicted: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """The ranked probability score (Epstein 1969) of each voxel, [B, *S], divided by the number of thresholds.

    ``predicted`` [B, M+1, *S] is the probability of each count from 0 to M, and ``counts`` [B, *S] what was observed. It is
    the mean over the thresholds c = 0 ... M-1 of the squared difference of the distribution functions at c: 0 for a certain
    and true prediction, 1 for 0 in place of M. A count between two whole numbers is a mixture of both.
    """
    most = predicted.shape[1] - 1
    with full_precision(predicted):  # As a product: a cumulative sum is not deterministic on CUDA.
        below = predicted.movedim(1, -1) @ predicted.new_ones(most + 1, most).triu()
    observed = (torch.arange(1, most + 1, device=counts.device) - counts.unsqueeze(-1)).clamp(0, 1)
    return (below - observed).square().mean(dim=-1)


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


def generalised_cross_entropy(
    probability: torch.Tensor,
    ratings: torch.Tensor,
    present: torch.Tensor,
    *,
    q: float,
    truncation: float = 0.0,
    logits: bool = False,
) -> torch.Tensor:
    """Generalised cross-entropy against every present rater: (1 - p^q) / q of the vote's probability p.

    ``probability`` [B, K, *S], or with ``logits`` those of a softmax: the gradient is then right however small p is. q = 0 is
    cross-entropy, q = 1 is 1 - p, half the absolute error. A vote with a probability of at most ``truncation`` costs the
    constant ``(1 - truncation^q) / q`` and has no gradient (Zhang and Sabuncu 2018). A soft vote costs the mean over its
    classes, so q = 0 is its cross-entropy, too.
    """
    log_p = _log_probability(probability, logits=logits)
    if truncation:
        log_p = log_p.clamp(min=math.log(truncation))
    return masked_mean(_value_of_votes(_cost(log_p, q), ratings), present)


def truncated_generalised_cross_entropy(
    probability: torch.Tensor,
    ratings: torch.Tensor,
    present: torch.Tensor,
    reliability: torch.Tensor,
    *,
    q: float,
    floor: float,
    class_mean: bool = False,
    epsilon: float = 0.0,
    logits: bool = False,
) -> torch.Tensor:
    """TGCE over present raters: reliability times generalised cross-entropy, plus the rest times a constant.

    ``probability`` [B, K, *S], or with ``logits`` those of a softmax: the gradient is then right however small p is.
    ``reliability`` [B, R, *S] in 0..1. A soft vote costs the mean over its classes. ``floor`` is tau, the probability of a
    vote that costs as much as the constant, which is ``(1 - floor^q) / q``. ``class_mean`` divides the first term by K, as
    the thesis' equation 2-6 does (Lotero 2025); then almost every rater looks reliable. ``epsilon`` is added to the q in the
    denominator and is the smallest probability of a vote; a soft vote is then a mean probability. The package has 1e-8.
    """
    log_p = _log_probability(probability, logits=logits)
    if epsilon:
        data = _cost(_value_of_votes(log_p.exp(), ratings).clamp(epsilon, 1.0).log(), q, epsilon)
    else:
        data = _value_of_votes(_cost(log_p, q), ratings)
    if class_mean:
        data = data / probability.shape[1]
    constant = _cost(log_p.new_tensor(floor).log(), q, epsilon)
    return masked_mean(reliability * data + (1 - reliability) * constant, present)


def reliability_regularisers(
    reliability: torch.Tensor, counted: torch.Tensor, *, centre: float, entropy: float, total: float
) -> torch.Tensor:
    """Three weighted terms on the reliability l [B, R, *S] as a scalar, over what is ``counted`` [B, R, *S].

    ``centre`` is the weight of the squared distance of l from a half; ``entropy`` that of minus
    ``l log(1 + l) + (1 - l) log(2 - l)``, which seg_tgce calls an entropy and which favours 0 and 1; ``total`` that of the
    squared distance of the sum over raters from 1 (Lotero's package, loss/tgce.py).
    """
    spread = reliability * reliability.log1p() + (1 - reliability) * (1 - reliability).log1p()
    each = masked_mean(centre * (reliability - 0.5).square() - entropy * spread, counted)
    surplus = ((reliability * counted).sum(dim=1, keepdim=True) - 1).square()
    return each + total * masked_mean(surplus, counted.any(dim=1, keepdim=True))


def absent_rater_penalty(
    reliability: torch.Tensor, present: torch.Tensor, seen: torch.Tensor, *, size: float, decay: float = 0.7
) -> torch.Tensor:
    """``size * max(x exp((x - 1) / decay), 0)`` of each image and rater, [B, R], x the mean reliability minus presence.

    It is zero for a rater who judged a voxel of the image, and makes the reliability of all others small (Lotero's package,
    loss/tgce.py). ``reliability`` and ``present`` [B, R, *S]; ``seen`` [B, 1, *S] are the voxels to take the mean over.
    """
    weight = seen.to(reliability.dtype).expand_as(reliability).flatten(2)
    mean = (reliability.flatten(2) * weight).sum(dim=2) / weight.sum(dim=2).clamp(min=1)
    x = mean - present.flatten(2).any(dim=2).to(mean.dtype)
    return size * (x * ((x - 1) / decay).exp()).clamp(min=0)


def _log_probability(probability: torch.Tensor, *, logits: bool) -> torch.Tensor:
    return probability.log_softmax(dim=1) if logits else probability.clamp(min=LEAST).log()


def _value_of_votes(values: torch.Tensor, ratings: torch.Tensor) -> torch.Tensor:
    """The values of the raters' votes, [B, R, *S], from those of the classes [B, K, *S]; the weighted mean for soft votes."""
    with full_precision(values):
        return torch.einsum("brk...,bk...->br...", ratings, values)


def _cost(log_p: torch.Tensor, q: float, epsilon: float = 0.0) -> torch.Tensor:
    """(1 - p^q) / q, and its limit -log p at q = 0, from the logarithm of p."""
    return -torch.expm1(q * log_p) / (q + epsilon) if q else -log_p
