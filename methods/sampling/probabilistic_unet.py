"""The Probabilistic U-Net: a U-Net, and a latent variable of the whole slice that decides between segmentations."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ...parameters import Seed
from ..backbones.base import Backbone, spatial_mean
from ..backbones.encoder import Encoder
from ..learning.budget import Budget
from .base import Beta, Draws, Encoded, LatentHead, LatentNetwork, Latents, SampledOutputs, SamplingMethod, Warmup
from .gaussians import Gaussian, gaussian_from, kl_divergence


class ProbabilisticUNet(SamplingMethod):
    """A conditional variational autoencoder on top of a U-Net (Kohl et al. 2018).

    The prior is a Gaussian of the image, the posterior one of the image and what a rater drew; each has an encoder of its own.
    A sample of it is tiled, put beside the features of the backbone, and three pointwise layers give the logits. Training
    takes samples from the posterior, a prediction from the prior, which sees no label. The encoders have the first five widths
    of the budget. A voxel that the rater did not judge is 0 in all label channels of the posterior, where others are 1/2 for
    the rater's class and -1/2 for the rest.

    The standard deviations are softplus plus a floor and not exponentials, which became infinite in published code. Weight
    decay is the budget's, on squares, and no penalty on norms.

    Args:
        n_latents: dimensions of the latent variable; the paper's is 6.
        beta: weight of the divergence; the paper's is 1.
        warmup: share of the epochs in which its weight rises from 0; the paper has none.
        draws: segmentations that the probability is the mean of.
        sampling_seed: of the noise in predictions.
        budget: what all candidates share.
    """

    def __init__(
        self,
        *,
        n_latents: Latents = 6,
        beta: Beta = 1.0,
        warmup: Warmup = 0.0,
        draws: Draws = 16,
        sampling_seed: Seed = 0,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(beta=beta, warmup=warmup, draws=draws, sampling_seed=sampling_seed, budget=budget)
        self.n_latents = n_latents

    def build(self, n_channels: int, n_classes: int, n_raters: int) -> nn.Module:
        del n_raters
        backbone = self.backbone(n_channels, n_classes)
        return _WithLatent(backbone, n_channels, n_classes, self.budget_.features[:5], self.n_latents)


class _WithLatent(LatentNetwork):
    def __init__(self, backbone: Backbone, n_channels: int, n_classes: int, widths: Sequence[int], n_latents: int) -> None:
        super().__init__()
        self.head = LatentHead(backbone, n_latents)
        self.prior = _WholeSlice(Encoder(n_channels, widths), widths[-1], n_latents)
        self.posterior = _WholeSlice(Encoder(n_channels, widths, n_classes), widths[-1], n_latents)
        self.n_latents = n_latents

    def noise_size(self, size: Sequence[int]) -> int:
        del size
        return self.n_latents

    def encode(self, images: torch.Tensor) -> Encoded:
        return *self.head.encode(images), *self.prior(images)

    def reconstruct(
        self, encoded: Encoded, images: torch.Tensor, labels: torch.Tensor, raters: torch.Tensor, noise: torch.Tensor
    ) -> SampledOutputs:
        del raters
        *features, mean, sigma = encoded
        posterior = self.posterior(images, labels)
        return SampledOutputs(self.head(*features, posterior.at(noise)), kl_divergence(posterior, Gaussian(mean, sigma)))

    def sample(self, encoded: Encoded, raters: torch.Tensor, noise: torch.Tensor) -> SampledOutputs:
        del raters
        *features, mean, sigma = encoded
        return SampledOutputs(self.head(*features, Gaussian(mean, sigma).at(noise)), noise.new_zeros(len(noise)))


class _WholeSlice(nn.Module):
    """A Gaussian [P, D] from the mean over a slice of an encoder's coarsest features."""

    def __init__(self, encoder: Encoder, width: int, n_latents: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.last = nn.Linear(width, 2 * n_latents)

    def forward(self, images: torch.Tensor, labels: torch.Tensor | None = None) -> Gaussian:
        return gaussian_from(self.last(spatial_mean(self.encoder(images, labels)[-1]).flatten(1)))
