"""PHiSeg: latent variables at several resolutions, from the whole slice to single voxels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import torch
from torch import nn

from ...datasets.base import Dataset
from ...parameters import Range, Seed
from ..backbones.base import resize_maps
from ..backbones.encoder import Block, Encoder
from ..learning.batches.slices import Slices
from ..learning.budget import BACKBONE, Budget
from .base import Beta, Draws, Encoded, LatentNetwork, Latents, SampledOutputs, SamplingMethod, Warmup
from .gaussians import Gaussian, gaussian_from, kl_divergence

LEVELS = 5
"""Resolutions: that of the slice, and each half the one before."""


class PHiSeg(SamplingMethod):
    """A hierarchy of latent variables, each of which refines the coarser ones (Baumgartner et al. 2019).

    At each of the coarsest ``latent_levels`` resolutions there is a Gaussian at every voxel, of the image and of the coarser
    samples (prior), or of what a rater drew, too (posterior). The segmentation is made of the samples alone: level by level
    it adds logits to those of the coarser level. The loss is the cross-entropy of the sum up to each level, and the
    divergence of each level. Training takes samples from the posterior, a prediction from the prior. Voxels that the rater did
    not judge are as in ``ProbabilisticUNet``.

    The paper's code multiplies the divergence of the latent level l, 0 the finest, by 4^l, since the level has so many times
    fewer voxels. That is not the bound of the likelihood, and on small slices it can be too much: one bit of the coarsest of
    five levels, the choice between two outlines, then costs 256 ln 2 = 177 nats, and all samples become alike. Here all levels
    weigh the same unless ``level_weight`` says otherwise. As in the paper the finest latent level has a quarter of the
    resolution by default: samples of single voxels are the fastest way to lower the loss, but have nothing in common.

    It is a network of its own: of the budget it takes the first five widths, and neither backbone nor dropout.

    Args:
        n_latents: latent dimensions at each voxel of a level; the paper's is 2.
        latent_levels: levels with latent variables, of five, from the coarsest; the paper has five of seven.
        level_weight: the divergence of the latent level l has the weight ``beta * level_weight ** l``; the paper's is 4.
        beta: weight of the divergence.
        warmup: share of the epochs in which its weight rises from 0; the paper has none.
        draws: segmentations that the probability is the mean of.
        sampling_seed: of the noise in predictions.
        budget: what all candidates share.
    """

    name = "phiseg"

    def __init__(
        self,
        *,
        n_latents: Latents = 2,
        latent_levels: Annotated[int, Range(1, LEVELS)] = 3,
        level_weight: Annotated[float, Range(0, 16)] = 1.0,
        beta: Beta = 1.0,
        warmup: Warmup = 0.5,
        draws: Draws = 16,
        sampling_seed: Seed = 0,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(beta=beta, warmup=warmup, draws=draws, sampling_seed=sampling_seed, budget=budget)
        self.n_latents = n_latents
        self.latent_levels = latent_levels
        self.level_weight = level_weight

    def build(self, n_channels: int, n_classes: int, n_raters: int) -> nn.Module:
        del n_raters
        widths, first = self.budget_.features[:LEVELS], LEVELS - self.latent_levels
        weights = [self.level_weight ** max(0, level - first) for level in range(LEVELS)]
        return _Hierarchy(n_channels, n_classes, widths, n_latents=self.n_latents, first=first, weights=weights)

    def finish(self, train: Dataset, validation: Slices) -> None:
        """Warn where the budget has a backbone or dropout that this network does not take."""
        super().finish(train, validation)
        if self.budget_.backbone != BACKBONE or self.budget_.dropout:
            self.report_.warnings.append("the network is PHiSeg's own: the budget's backbone and dropout are not used")


class _Hierarchy(LatentNetwork):
    """Two encoders, two chains of Gaussians, and what makes logits of samples; ``first`` is the finest latent level."""

    def __init__(
        self,
        n_channels: int,
        n_classes: int,
        widths: Sequence[int],
        *,
        n_latents: int,
        first: int,
        weights: Sequence[float],
    ) -> None:
        super().__init__()
        self.n_latents, self.first, self.weights = n_latents, first, weights
        coarser, latents = (*widths[1:], 0), [n_latents if level >= first else 0 for level in range(LEVELS)]
        self.images = Encoder(n_channels, widths)
        self.labels = Encoder(n_channels, widths, n_classes)
        given = (*latents[1:], 0)
        self.prior = nn.ModuleList(_Step(*pair, n_latents) for pair in zip(widths, given, strict=True))
        self.posterior = nn.ModuleList(_Step(*pair, n_latents) for pair in zip(widths, given, strict=True))
        inner = [a + b for a, b in zip(latents, coarser, strict=True)]
        self.decoders = nn.ModuleList(Block(n_in, width, 2) for n_in, width in zip(inner, widths, strict=True))
        self.heads = nn.ModuleList(nn.Conv2d(width, n_classes, 1) for width in widths)

    def noise_size(self, size: Sequence[int]) -> int:
        return sum(self._length(size, level) for level in range(self.first, LEVELS))

    def encode(self, images: torch.Tensor) -> Encoded:
        return tuple(self.images(images))

    def reconstruct(
        self, encoded: Encoded, images: torch.Tensor, labels: torch.Tensor, raters: torch.Tensor, noise: torch.Tensor
    ) -> SampledOutputs:
        del raters
        return self._down(encoded, noise, self.labels(images, labels))

    def sample(self, encoded: Encoded, raters: torch.Tensor, noise: torch.Tensor) -> SampledOutputs:
        del raters
        return self._down(encoded, noise, None)

    def _down(self, encoded: Encoded, noise: torch.Tensor, labels: Sequence[torch.Tensor] | None) -> SampledOutputs:
        """From the coarsest level to the finest; the samples are the posterior's where there are features of ``labels``."""
        size, divergence = encoded[0].shape[2:], noise.new_zeros(len(noise))
        latent: torch.Tensor | None = None
        decoded: torch.Tensor | None = None
        total: torch.Tensor | None = None
        sums = []
        for level in reversed(range(LEVELS)):
            here = encoded[level].shape[2:]
            if level >= self.first:
                own, noise = noise.tensor_split([self._length(size, level)], dim=1)
                prior = drawn_from = self.prior[level](encoded[level], latent)
                if labels is not None:
                    drawn_from = self.posterior[level](labels[level], latent)
                    divergence = divergence + self.weights[level] * kl_divergence(drawn_from, prior)
                latent = drawn_from.at(own.unflatten(1, (self.n_latents, *here)))
            parts = [latent] if level >= self.first and latent is not None else []
            if decoded is not None:
                parts.append(resize_maps(decoded, here))
            decoded = self.decoders[level](torch.cat(parts, dim=1))
            logits = resize_maps(self.heads[level](decoded), size)
            total = logits if total is None else total + logits
            sums.append(total)
        return SampledOutputs(torch.stack(sums, dim=1), divergence)

    def _length(self, size: Sequence[int], level: int) -> int:
        return self.n_latents * math.prod(side >> level for side in size)


class _Step(nn.Module):
    """The Gaussian of a level, [P, D, *S], from the encoder's features and the sample of the next coarser level."""

    def __init__(self, width: int, given: int, n_latents: int) -> None:
        super().__init__()
        self.block = Block(width + given, width)
        self.last = nn.Conv2d(width, 2 * n_latents, 1)

    def forward(self, features: torch.Tensor, coarser: torch.Tensor | None) -> Gaussian:
        parts = [features] if coarser is None else [features, resize_maps(coarser, features.shape[2:])]
        return gaussian_from(self.last(self.block(torch.cat(parts, dim=1))))
