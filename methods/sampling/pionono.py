"""Pionono: each rater has a latent Gaussian, from which the rater's segmentations come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from torch import nn
from torch.nn import functional

from ...datasets.base import Dataset
from ...parameters import Range, Seed
from ..backbones.base import Backbone
from ..learning.batches.slices import Slices
from ..learning.budget import Budget
from .base import Beta, Draws, Encoded, LatentHead, LatentNetwork, Latents, SampledOutputs, SamplingMethod
from .gaussians import FLOOR, UNIT, Gaussian, kl_divergence

Positive = Annotated[float, Range(0, 1_000_000, without="low")]


class Pionono(SamplingMethod):
    """A Gaussian of each rater, learned with the segmentation (Schmidt et al. 2023).

    A sample of a rater's Gaussian is tiled and put beside the features of the backbone, as in the Probabilistic U-Net. All
    images share it, so it stands for how a rater draws, in the mean and from one time to the next. The prior is the same for
    all raters: mean 0 and ``prior_sigma``. Unlike in the published code the loss is cross-entropy, as in the other methods
    that sample, and no Dice, and the prediction is no gold standard, which would be one more rater: samples are shared out
    evenly among the raters who rated a training case, in an order that depends on the case, and so their mean is, too.

    Args:
        n_latents: dimensions of the latent variable; the paper's is 8.
        beta: weight of the divergence.
        prior_sigma: standard deviation of the prior.
        start: standard deviation of the raters' means before training.
        training_draws: samples of a rater's Gaussian in a training step; their losses are averaged.
        latent_learning_rate: Adam's for the Gaussians, through the same schedule.
        draws: segmentations that the probability is the mean of.
        sampling_seed: of the noise in predictions.
        budget: what all candidates share.
    """

    needs_rater_identity = True
    learns_raters = True
    predicts_with = ("seen_",)
    module_: _OfRaters

    def __init__(
        self,
        *,
        n_latents: Latents = 8,
        beta: Beta = 1.0,
        prior_sigma: Positive = 2.0,
        start: Positive = 8.0,
        training_draws: Draws = 5,
        latent_learning_rate: Positive = 0.02,
        draws: Draws = 16,
        sampling_seed: Seed = 0,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(beta=beta, draws=draws, training_draws=training_draws, sampling_seed=sampling_seed, budget=budget)
        self.n_latents = n_latents
        self.prior_sigma = prior_sigma
        self.start = start
        self.latent_learning_rate = latent_learning_rate

    def prepare(self, train: Dataset, *, seed: int, device: str | torch.device = "cpu") -> Slices:
        """Set ``seen_`` [R] bool, the raters who judged a voxel of the training part, and warn of the others."""
        slices = super().prepare(train, seed=seed, device=device)
        self.seen_ = slices.seen_raters()
        for r in (~self.seen_).nonzero().flatten().tolist():
            self.report_.warnings.append(
                f"rater {self.raters_[r]!r} judged nothing in the training part: no sample is this rater's"
            )
        return slices

    def build(self, n_channels: int, n_classes: int, n_raters: int) -> nn.Module:
        backbone = self.backbone(n_channels, n_classes)
        return _OfRaters(backbone, n_raters, self.n_latents, self.prior_sigma, self.start)

    def parameter_groups(self, module: nn.Module) -> list[dict[str, Any]]:
        """The Gaussians have no weight decay: what draws them to the prior is the divergence."""
        del module
        latent = {"params": [self.module_.mean, self.module_.raw], "lr": self.latent_learning_rate, "weight_decay": 0.0}
        return [{"params": list(self.module_.head.parameters())}, latent]

    def raters_of_samples(self, number: int, generator: torch.Generator) -> torch.Tensor:
        """The raters seen in training, one after the other in an order that is drawn, again and again."""
        seen = self.seen_.nonzero().flatten()
        order = seen[torch.randperm(len(seen), generator=generator)]
        return order[torch.arange(number) % len(order)]


class _OfRaters(LatentNetwork):
    """A head on a backbone, and the raters' Gaussians: ``mean`` and, before softplus, sigma, both [R, D]."""

    def __init__(self, backbone: Backbone, n_raters: int, n_latents: int, prior_sigma: float, start: float) -> None:
        super().__init__()
        self.head = LatentHead(backbone, n_latents)
        self.mean = nn.Parameter(start * torch.randn(n_raters, n_latents))
        self.raw = nn.Parameter(torch.full((n_raters, n_latents), UNIT))
        self.prior_sigma = prior_sigma

    def noise_size(self, size: Sequence[int]) -> int:
        del size
        return self.mean.shape[1]

    def gaussians(self, raters: torch.Tensor) -> Gaussian:
        """Of the raters [P], each [P, D]."""
        return Gaussian(self.mean[raters], functional.softplus(self.raw[raters]) + FLOOR)

    def encode(self, images: torch.Tensor) -> Encoded:
        return self.head.encode(images)

    def reconstruct(
        self, encoded: Encoded, images: torch.Tensor, labels: torch.Tensor, raters: torch.Tensor, noise: torch.Tensor
    ) -> SampledOutputs:
        del images, labels
        posterior = self.gaussians(raters)
        prior = Gaussian(torch.zeros_like(posterior.mean), torch.full_like(posterior.sigma, self.prior_sigma))
        return self.sample(encoded, raters, noise)._replace(divergence=kl_divergence(posterior, prior))

    def sample(self, encoded: Encoded, raters: torch.Tensor, noise: torch.Tensor) -> SampledOutputs:
        return SampledOutputs(self.head(*encoded, self.gaussians(raters).at(noise)), noise.new_zeros(len(noise)))
