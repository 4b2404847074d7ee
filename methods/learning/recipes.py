"""Recipes: label processing, activation and loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, Literal

import torch
from sklearn.base import BaseEstimator
from torch.nn import functional

from ...parameters import Range, check_stored
from ...registry import Registry
from .losses import adaptive_wing, masked_mean, soft_cross_entropy, soft_dice_loss

Positive = Annotated[float, Range(0, without="low")]


class Recipe(BaseEstimator, ABC):
    """How labels, activation and loss go together. Ratings come as [B, R, K, *S], presence as [B, R, *S]."""

    makes_hard: ClassVar[bool] = False
    """Whether the loss replaces each soft label by its most probable class, so that ties must be broken before."""

    def check_parameters(self) -> None:
        """Check the parameters against their type hints; training begins with it.

        Raises:
            RaterbenchError: a parameter is no known word, not finite, or out of range.
        """
        check_stored(self)

    @abstractmethod
    def activate(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits [B, K, *S] to probabilities [B, K, *S] that sum to 1. At test time a call holds one case."""

    @abstractmethod
    def loss(self, logits: torch.Tensor, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """The scalar to minimise over all present raters."""


class SoftCrossEntropy(Recipe):
    """Softmax and cross-entropy on labels as they are, hard or soft; the mean over all present (voxel, rater) pairs."""

    def activate(self, logits: torch.Tensor) -> torch.Tensor:
        return logits.softmax(dim=1)

    def loss(self, logits: torch.Tensor, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        return soft_cross_entropy(logits, ratings, present)


class Conventional(Recipe):
    """Labels binarised after augmentation, softmax, Dice loss over the foreground classes (Lemay 2022, section 2.2).

    With two classes the softmax is the sigmoid of the difference of the logits. ``smooth`` is the thesis' missing constant
    of the published code (ivadomed).
    """

    makes_hard = True

    def __init__(self, *, smooth: Annotated[float, Range(0)] = 1.0) -> None:
        self.smooth = smooth

    def activate(self, logits: torch.Tensor) -> torch.Tensor:
        return logits.softmax(dim=1)

    def loss(self, logits: torch.Tensor, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        hard = functional.one_hot(ratings.argmax(dim=2), ratings.shape[2]).movedim(-1, 2)
        return soft_dice_loss(self.activate(logits), hard.to(ratings.dtype), present, smooth=self.smooth)


class SoftSeg(Recipe):
    """Soft labels, normalised ReLU, adaptive wing loss (Gros, Lemay and Cohen-Adad 2021; Lemay 2022, chapter 4).

    Args:
        omega, theta, epsilon, alpha: constants of the loss (Wang et al. 2019) as the thesis sets them; with ``alpha`` above 1
            the loss has no kink where it is 0.
        scope: the maximum of the normalised ReLU is taken over the whole ``batch``, as published, or over each ``slice``.
            A prediction is a batch of one case's slices.
    """

    name = "softseg"

    def __init__(
        self,
        *,
        omega: Positive = 8.0,
        theta: Positive = 0.5,
        epsilon: Positive = 1.0,
        alpha: Annotated[float, Range(1, without="low")] = 2.1,
        scope: Literal["batch", "slice"] = "batch",
    ) -> None:
        self.omega, self.theta, self.epsilon, self.alpha, self.scope = omega, theta, epsilon, alpha, scope

    def activate(self, logits: torch.Tensor) -> torch.Tensor:
        """Normalised ReLU. Two classes use the foreground's logit alone; a voxel without any mass is background."""
        positive = logits.relu()
        if logits.shape[1] == 2:
            foreground = self._over_maximum(positive[:, 1:])
            return torch.cat([1 - foreground, foreground], dim=1)
        scaled = self._over_maximum(positive)
        mass = scaled.sum(dim=1, keepdim=True)
        background = torch.zeros_like(scaled)
        background[:, 0] = 1
        return torch.where(mass > 0, scaled / mass.clamp(min=torch.finfo(mass.dtype).tiny), background)

    def loss(self, logits: torch.Tensor, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        predicted = self.activate(logits)[:, None, 1:]
        wing = adaptive_wing(
            predicted, ratings[:, :, 1:], omega=self.omega, theta=self.theta, epsilon=self.epsilon, alpha=self.alpha
        )
        return masked_mean(wing.sum(dim=2), present)

    def _over_maximum(self, positive: torch.Tensor) -> torch.Tensor:
        if self.scope == "batch":
            return positive / positive.max().clamp(min=torch.finfo(positive.dtype).tiny)
        peak = positive.flatten(1).amax(dim=1).clamp(min=torch.finfo(positive.dtype).tiny)
        return positive / peak.view(-1, *[1] * (positive.ndim - 1))


RECIPES: Registry[Recipe] = Registry("recipe", Recipe, __package__ or "")
"""Every recipe by name."""
