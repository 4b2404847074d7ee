"""What methods that sample segmentations share: the network's parts, one rater at a time, the loss, how samples are drawn."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Annotated, NamedTuple

import numpy as np
import torch
from torch import nn

from ...datasets.base import Case, Dataset
from ...parameters import Range, Seed
from ...seeds import derived_seed
from ..backbones.base import Backbone
from ..base import Prediction
from ..learning.batches.slices import Batch, Slices
from ..learning.budget import Budget
from ..learning.losses import summed_votes
from ..learning.network import CHUNK, NetworkMethod

Encoded = tuple[torch.Tensor, ...]
Draws = Annotated[int, Range(1, 10_000)]
Beta = Annotated[float, Range(0, 1_000_000)]
Warmup = Annotated[float, Range(0, 1)]
Latents = Annotated[int, Range(1, 4096)]

LOOKED_AT = 8
"""Training cases whose samples are compared after training."""
LEAST_VARIETY = 0.05
"""The share of the variance of a prediction that must lie between samples, or there is an alarm."""
CERTAIN = 0.01
"""Variance of a prediction, as a share of its foreground, below which nothing is left to vary."""


class SampledOutputs(NamedTuple):
    """``logits`` [P, L, K, *S] of L levels, the last of which is the segmentation, and ``divergence`` [P] in nats.

    P are segmentations: pairs of a slice and a rater in training, of a slice and a sample in a prediction.
    """

    logits: torch.Tensor
    divergence: torch.Tensor


class LatentNetwork(nn.Module, ABC):
    """A network that makes segmentations of images and noise."""

    @abstractmethod
    def noise_size(self, size: Sequence[int]) -> int:
        """How many standard normal numbers a segmentation of the spatial shape ``size`` is made of."""

    @abstractmethod
    def encode(self, images: torch.Tensor) -> Encoded:
        """What all segmentations of slices [B, C, *S] have in common, each part [B, ...]."""

    @abstractmethod
    def reconstruct(
        self, encoded: Encoded, images: torch.Tensor, labels: torch.Tensor, raters: torch.Tensor, noise: torch.Tensor
    ) -> SampledOutputs:
        """Segmentations from the posterior, which knows what the rater drew: for training.

        Args:
            encoded: of each pair's slice, each part [P, ...].
            images: [P, C, *S].
            labels: [P, K, *S], 1/2 for the rater's class, -1/2 for the others, and 0 where the rater judged nothing.
            raters: [P] int64.
            noise: [P, N].
        """

    @abstractmethod
    def sample(self, encoded: Encoded, raters: torch.Tensor, noise: torch.Tensor) -> SampledOutputs:
        """Segmentations of images alone; the arguments are those of ``reconstruct``, and the divergence is 0."""

    def forward(self, images: torch.Tensor) -> SampledOutputs:
        """The segmentation without noise (of the first rater, where raters differ)."""
        nobody = torch.zeros(len(images), dtype=torch.int64, device=images.device)
        return self.sample(self.encode(images), nobody, images.new_zeros(len(images), self.noise_size(images.shape[2:])))


class LatentHead(nn.Module):
    """Logits [P, 1, K, *S] from a backbone's features and a latent variable [P, D] that is the same at every voxel.

    Three pointwise layers, the last of which is the backbone's own (Kohl et al. 2018). The first is linear in features and
    latent variable together; that of the features is computed once for all samples. Unlike there, what the first two layers
    give is added to the features: in place of them it makes training slow, because no normalisation follows.
    """

    def __init__(self, backbone: Backbone, n_latents: int) -> None:
        super().__init__()
        width = backbone.decoder_width
        self.backbone = backbone
        self.first = backbone.pointwise(width, width)
        self.latent = nn.Linear(n_latents, width, bias=False)
        self.second = backbone.pointwise(width, width)

    def encode(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The features [B, F, *S], and the part of the first layer that needs no latent variable."""
        features = self.backbone.features(images).decoder
        return features, self.first(features)

    def forward(self, features: torch.Tensor, first: torch.Tensor, latent: torch.Tensor) -> torch.Tensor:
        shift = self.latent(latent)
        hidden = nn.functional.leaky_relu(first + shift.view(*shift.shape, *[1] * (first.ndim - 2)), 0.1)
        added = nn.functional.leaky_relu(self.second(hidden), 0.1)
        return self.backbone.classify(features + added).unsqueeze(1)


class SamplingMethod(NetworkMethod):
    """Base of methods that learn which segmentations raters may draw, and sample from them.

    A training step sees one rater of each slice, drawn from those who judged a voxel of it; validation sees all. Of each pair
    of slice and rater ``training_draws`` samples are taken. The loss is the cross-entropy, summed over judged voxels and
    averaged over pairs, plus ``beta`` times the divergence of posterior and prior. In a share ``warmup`` of the epochs, the
    first ones, the weight of the divergence rises from 0 to ``beta``; validation has ``beta`` from the start, and the same
    noise in each epoch, so that epochs can be compared.

    The probability of a case is the mean over ``draws`` segmentations. ``Prediction.samples`` begins with the same ones. Their
    noise depends on ``sampling_seed``, the seed given to ``predict`` and the name of the case, and all slices of a case have
    the same noise, so that a sample of a volume is one segmentation and not another one in each slice.

    Subclasses implement ``build``, which gives a ``LatentNetwork``. An alarm says where samples hardly differ.
    """

    listed = False
    takes_volumes = False
    module_: LatentNetwork

    def __init__(
        self,
        *,
        beta: Beta = 1.0,
        draws: Draws = 16,
        training_draws: Draws = 1,
        warmup: Warmup = 0.0,
        sampling_seed: Seed = 0,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(budget=budget)
        self.beta = beta
        self.draws = draws
        self.training_draws = training_draws
        self.warmup = warmup
        self.sampling_seed = sampling_seed

    def prepare(self, train: Dataset, *, seed: int, device: str | torch.device = "cpu") -> Slices:
        self.ramp_ = 1.0
        return super().prepare(train, seed=seed, device=device)

    def start_epoch(self, module: nn.Module, epoch: int) -> None:
        """Let the weight of the divergence rise from 0 to ``beta`` in the warm-up."""
        del module
        rising = self.warmup * self.budget_.epochs
        self.ramp_ = min(1.0, epoch / rising) if rising else 1.0

    def select_targets(
        self, ratings: torch.Tensor, present: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """One rater a slice, drawn uniformly from those who judged a voxel of it; the others are not present."""
        judged = present.flatten(2).any(dim=2)
        draw = torch.rand(judged.shape, generator=generator).to(judged.device)
        chosen = draw.masked_fill(~judged, -1.0).argmax(dim=1, keepdim=True)
        drawn = torch.zeros_like(judged).scatter(1, chosen, value=True)
        return ratings, present & drawn.view(*drawn.shape, *[1] * (present.ndim - 2))

    def step_loss(self, module: nn.Module, batch: Batch) -> torch.Tensor:
        assert isinstance(module, LatentNetwork)
        pairs = batch.present.flatten(2).any(dim=2).nonzero()
        if not len(pairs):
            nothing: torch.Tensor = 0 * module(batch.images).logits.sum()
            return nothing
        encoded, noise = module.encode(batch.images), self.training_noise(module, batch.images, pairs)
        pairs = pairs.repeat(self.training_draws, 1)
        total = batch.images.new_zeros(())
        for (rows, raters), part in zip((part.unbind(1) for part in pairs.split(CHUNK)), noise.split(CHUNK), strict=True):
            votes, seen = batch.ratings[rows, raters], batch.present[rows, raters]
            labels = posterior_labels(votes, seen)
            outputs = module.reconstruct(_rows(encoded, rows), batch.images[rows], labels, raters, part)
            if module.training:
                outputs = outputs._replace(divergence=self.ramp_ * outputs.divergence)
            total = total + len(rows) * self.loss(outputs, votes.unsqueeze(1), seen.unsqueeze(1))
        return total / len(pairs)

    def training_noise(self, module: LatentNetwork, images: torch.Tensor, pairs: torch.Tensor) -> torch.Tensor:
        """Noise [``training_draws`` P, N] of pairs (slice, rater) [P, 2].

        It is new in each training step. In validation it is always the same, and one for all raters of a slice.
        """
        size = module.noise_size(images.shape[2:])
        if module.training:
            return torch.randn(self.training_draws * len(pairs), size).to(images.device)
        fixed = torch.randn(self.training_draws, len(images), size, generator=torch.Generator().manual_seed(0))
        return fixed.to(images.device)[:, pairs[:, 0]].flatten(0, 1)

    def loss(self, outputs: SampledOutputs, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Cross-entropy of each level, summed over judged voxels, the mean over (slice, rater) pairs; plus the divergence."""
        pairs = present.flatten(2).any(dim=2).sum().clamp(min=1)
        log_p = outputs.logits.float().log_softmax(dim=2)
        reconstruction = -(summed_votes(ratings, present).unsqueeze(1) * log_p).sum() / pairs
        return reconstruction + self.beta * outputs.divergence.mean()

    def logits(self, outputs: SampledOutputs) -> torch.Tensor:
        return outputs.logits[:, -1]

    def slice_probability(self, module: nn.Module, images: torch.Tensor, window: tuple[slice, slice]) -> torch.Tensor:
        """The mean over samples, their noise the same in each epoch."""
        assert isinstance(module, LatentNetwork)
        noise, raters = self.drawn("", images.shape[2:], self.draws)
        mean, _ = self._sampled(module, images, noise.to(images.device), raters.to(images.device), 0)
        return mean[..., window[0], window[1]]

    @torch.no_grad()
    def predict(self, case: Case, *, samples: int = 0, seed: int = 0) -> Prediction:
        """The mean over ``draws`` segmentations, and the first ``samples`` of them, or more where more are asked for."""
        self.module_.eval()
        images = self.padded_image(case)
        noise, raters = self.drawn(case.id, images.shape[2:], max(samples, self.draws), seed)
        noise, raters = noise.to(self.device_), raters.to(self.device_)
        parts = [self._sampled(self.module_, chunk, noise, raters, samples) for chunk in images.split(CHUNK)]
        prediction = self.segmentation(torch.cat([mean for mean, _ in parts]), case)
        if not samples:
            return prediction
        kept = torch.cat([kept for _, kept in parts], dim=1)
        found = np.stack([self.segmentation(one, case).probability for one in kept])
        return Prediction(prediction.probability, samples=found, prepared=prediction.prepared)

    def drawn(self, name: str, size: Sequence[int], number: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
        """Noise [n, N] and raters [n] of the samples of the case called ``name``; more samples begin with the same ones."""
        place = zlib.crc32(name.encode("utf-8", "surrogateescape"))
        generator = torch.Generator().manual_seed(derived_seed(self.sampling_seed, seed, place))
        raters, length = self.raters_of_samples(number, generator), self.module_.noise_size(size)
        return torch.stack([torch.randn(length, generator=generator) for _ in range(number)]), raters

    def raters_of_samples(self, number: int, generator: torch.Generator) -> torch.Tensor:
        """Whose segmentation each sample is, [n]; 0 for methods that do not tell raters apart."""
        del generator
        return torch.zeros(number, dtype=torch.int64)

    def _sampled(
        self, module: LatentNetwork, images: torch.Tensor, noise: torch.Tensor, raters: torch.Tensor, samples: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The mean [n, K, *S] over the draws, and the first ``samples`` segmentations [samples, n, K, *S]."""
        encoded, n = module.encode(images), len(images)
        found = self._each_sample(module, encoded, n, noise, raters)
        total, kept = torch.zeros((), device=images.device), []
        for i, probability in enumerate(found):
            if i < self.draws:
                total = total + probability
            if i < samples:
                kept.append(probability)
        return total / self.draws, torch.stack(kept) if kept else total[:0]

    def _each_sample(
        self, module: LatentNetwork, encoded: Encoded, n: int, noise: torch.Tensor, raters: torch.Tensor
    ) -> Iterator[torch.Tensor]:
        """The probabilities [n, K, *S] of one sample after the other; several go through the network at once."""
        together = max(1, CHUNK // n)
        every = torch.arange(len(noise), device=noise.device)
        # Those of the mean come first, so that its last bit does not depend on how many samples are asked for.
        for part in (*every[: self.draws].split(together), *every[self.draws :].split(together)):
            rows = torch.arange(n, device=noise.device).repeat(len(part))
            whose = part.repeat_interleave(n)
            outputs = module.sample(_rows(encoded, rows), raters[whose], noise[whose])
            yield from self.recipe_.activate(self.logits(outputs)).split(n)

    def finish(self, train: Dataset, validation: Slices) -> None:
        """Add an alarm where samples hardly differ."""
        super().finish(train, validation)
        self.report_.alarms += self.alike_samples(train)

    def alike_samples(self, train: Dataset) -> list[str]:
        """An alarm if samples of the same case hardly differ although the network is uncertain: it ignores its latent variable.

        The variance of a voxel's label is p (1 - p), p the mean over samples. What lies between samples is the variance of
        their probabilities; the rest is the uncertainty of each sample.
        """
        between, whole, foreground = 0.0, 0.0, 0.0
        for position in np.linspace(0, len(train) - 1, min(len(train), LOOKED_AT)).round().astype(int):
            samples = self.predict(train[position].unlabelled(), samples=max(2, self.draws)).samples
            assert samples is not None
            mean = samples.mean(axis=0, dtype=np.float64)
            between += float(samples.var(axis=0, dtype=np.float64).sum())
            whole += float((mean * (1 - mean)).sum())
            foreground += float(mean[1:].sum())
        if whole < CERTAIN * foreground or between >= LEAST_VARIETY * whole:
            return []
        return [
            f"the samples of a case hardly differ: {between / whole:.1%} of the variance of the prediction lies between them; "
            "the network ignores its latent variable: lower beta, or train longer"
        ]


def posterior_labels(votes: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """What ``LatentNetwork.reconstruct`` gets of votes [P, K, *S] where ``seen`` [P, *S]: 1/2 and -1/2, and 0 elsewhere."""
    return (votes - 0.5) * seen.unsqueeze(1)


def _rows(encoded: Encoded, rows: torch.Tensor) -> Encoded:
    return tuple(part[rows] for part in encoded)
