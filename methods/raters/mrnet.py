"""A network that is told how much each rater counts, and segments as these raters would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from ...datasets.base import Dataset
from ...errors import RaterbenchError
from ...parameters import Range
from ..backbones import BACKBONES
from ..backbones.base import Backbone
from ..learning.batches.slices import Batch, Slices
from ..learning.budget import Budget
from ..learning.losses import masked_mean, soft_cross_entropy
from ..learning.network import NetworkMethod

UNIFORM, RANDOM = 3 / 6, 2 / 6
"""How often a slice is learned with equal and with random weights of the raters; else it is one rater alone."""
LARGEST = 10
"""Random weights are whole numbers from 1 to this one, divided by their sum."""


class ExpertnessOutputs(NamedTuple):
    """``logits`` [B, K, *S]; ``raters`` [B, R, K, *S], the logits of the reconstructed raters, None where there are none."""

    logits: torch.Tensor
    raters: torch.Tensor | None


class MRNet(NetworkMethod):
    """A network whose input beside the image is the expertness of the raters (Ji et al. 2021, section 3.1).

    The expertness has a weight for each rater, and they sum to 1. It changes the coarsest features of the network, and the
    target is the mean of the raters' labels with these weights. In training a slice has equal weights, random ones, or one
    rater alone, with probabilities 3 : 2 : 1, which are the weights of the paper's three losses. Absent raters have a weight
    of 0, and the others sum to 1. A prediction has the ``expertness`` that is asked for.

    This is our own short version. The published code changes the features by a convolutional LSTM, makes the features of the
    three settings similar, and refines the segmentation with a second and a third network, one of which gets the wrong
    setting. Here the expertness scales and shifts the features, because a shift alone would be lost in the next
    normalisation, and the reconstruction of the raters is a second task of the same network (``reconstruction``).

    Args:
        expertness: from the name of a rater to a weight of 0 or more, for predictions; raters without one have 0. None is the
            same weight for all.
        reconstruction: weight of the cross-entropy of each rater's own segmentation, predicted from the last features; 0 leaves
            it out.
        budget: what all candidates share; its backbone must be one whose coarsest features can be changed.
    """

    name = "mrnet"
    needs_rater_identity = True
    learns_raters = True
    module_: _WithExpertness

    def __init__(
        self,
        *,
        expertness: Mapping[str, float] | None = None,
        reconstruction: Annotated[float, Range(0)] = 0.0,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(budget=budget)
        self.expertness = expertness
        self.reconstruction = reconstruction

    def check_parameters(self) -> None:
        """Check every parameter.

        Raises:
            RaterbenchError: a parameter is wrong, all weights are 0, or the backbone has no features that can be changed.
        """
        super().check_parameters()
        backbone = (self.budget or Budget()).backbone
        if not BACKBONES.get(backbone).takes_condition:
            raise RaterbenchError(f"mrnet: the coarsest features of the backbone {backbone!r} cannot be changed: use 'unet'")
        if self.expertness is not None:
            for rater, weight in self.expertness.items():
                if weight not in Range(0):
                    raise RaterbenchError(f"mrnet: expertness of {rater!r} is {weight!r}: give a number of 0 or more")
            if not any(self.expertness.values()):
                raise RaterbenchError("mrnet: expertness gives every rater 0: give one of them more")

    def prepare(self, train: Dataset, **options: Any) -> Slices:
        """As ``NetworkMethod.prepare``; sets the expertness of predictions.

        Raises:
            RaterbenchError: ``expertness`` names nobody who judged a training case.
        """
        slices = super().prepare(train, **options)
        weights = dict.fromkeys(self.raters_, 1.0) if self.expertness is None else self.expertness
        seen = slices.seen_raters()
        asked = torch.tensor([float(weights.get(rater, 0)) for rater in self.raters_]) * seen
        if not asked.any():
            known = ", ".join(repr(rater) for rater, there in zip(self.raters_, seen.tolist(), strict=True) if there)
            raise RaterbenchError(f"mrnet: expertness names nobody who judged a training case: name one of {known}")
        self.module_.asked.copy_(asked / asked.sum())
        return slices

    def build(self, n_channels: int, n_classes: int, n_raters: int) -> nn.Module:
        raters = n_raters if self.reconstruction else 0
        return _WithExpertness(self.backbone(n_channels, n_classes), n_raters, raters * n_classes)

    def step_loss(self, module: nn.Module, batch: Batch) -> torch.Tensor:
        """With drawn expertness in training, and equal weights of the present raters in validation."""
        expertness = drawn_expertness(batch.present) if module.training else equal_expertness(batch.present)
        return self._loss(module(batch.images, expertness), batch.ratings, batch.present, expertness)

    def loss(self, outputs: ExpertnessOutputs, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        return self._loss(outputs, ratings, present, equal_expertness(present))

    def _loss(
        self, outputs: ExpertnessOutputs, ratings: torch.Tensor, present: torch.Tensor, expertness: torch.Tensor
    ) -> torch.Tensor:
        target, counted = weighted_labels(ratings, present, expertness)
        loss = soft_cross_entropy(outputs.logits.float(), target, counted)
        if outputs.raters is None:
            return loss
        own = masked_mean(-(ratings * outputs.raters.float().log_softmax(dim=2)).sum(dim=2), present)
        return loss + self.reconstruction * own

    def logits(self, outputs: ExpertnessOutputs) -> torch.Tensor:
        return outputs.logits


def equal_expertness(present: torch.Tensor) -> torch.Tensor:
    """The same weight for every rater who judged a voxel of the slice, [B, R], summing to 1."""
    there = present.flatten(2).any(dim=2).float()
    return there / there.sum(dim=1, keepdim=True).clamp(min=1)


def drawn_expertness(present: torch.Tensor) -> torch.Tensor:
    """Weights [B, R] drawn for each slice: equal ones, random ones, or one rater; 0 for who judged nothing of the slice.

    They come from torch's global generator, which the training loop seeds.
    """
    there = present.flatten(2).any(dim=2).cpu()
    some = torch.randint(1, LARGEST + 1, there.shape) * there
    first = (torch.rand(there.shape) * there).argmax(dim=1)
    setting = torch.rand(len(there), 1)
    one = functional.one_hot(first, there.shape[1]) * there
    drawn = torch.where(setting < UNIFORM, there.long(), torch.where(setting < UNIFORM + RANDOM, some, one))
    return (drawn / drawn.sum(dim=1, keepdim=True).clamp(min=1)).to(present.device)


def weighted_labels(
    ratings: torch.Tensor, present: torch.Tensor, expertness: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean of the present raters' labels with weights [B, R], as one rater [B, 1, K, *S], and where it counts [B, 1, *S].

    Weights of raters who did not judge a voxel go to the others in proportion. A voxel that nobody with a weight judged does
    not count.
    """
    weights = expertness.view(*expertness.shape, *[1] * (present.ndim - 2)) * present
    total = weights.sum(dim=1, keepdim=True)
    mean = (weights.unsqueeze(2) * ratings).sum(dim=1) / total.clamp(min=torch.finfo(total.dtype).tiny)
    return mean.unsqueeze(1), total > 0


class _WithExpertness(nn.Module):
    """A network whose coarsest features are scaled and shifted by the raters' weights [B, R]; ``asked`` [R] without any."""

    asked: torch.Tensor

    def __init__(self, network: Backbone, n_raters: int, reconstructed: int) -> None:
        super().__init__()
        self.network, self.n_raters = network, n_raters
        width = network.bottleneck_width
        self.of_image = network.pointwise(width, width)
        self.of_raters = nn.Linear(n_raters, 2 * width, bias=False)
        self.reconstruct = network.pointwise(network.decoder_width, reconstructed) if reconstructed else None
        self.register_buffer("asked", torch.full((n_raters,), 1 / n_raters))

    def forward(self, images: torch.Tensor, expertness: torch.Tensor | None = None) -> ExpertnessOutputs:
        weights = self.asked.expand(len(images), -1) if expertness is None else expertness
        changes: Any = self.of_raters(weights)
        scale, shift = changes.view(*changes.shape, *[1] * (images.ndim - 2)).chunk(2, dim=1)

        def condition(bottleneck: torch.Tensor) -> torch.Tensor:
            return bottleneck + functional.leaky_relu(self.of_image(bottleneck) * (1 + scale) + shift)

        network: Any = self.network
        decoder = network.features(images, condition).decoder
        logits = self.network.classify(decoder)
        if self.reconstruct is None:
            return ExpertnessOutputs(logits, None)
        return ExpertnessOutputs(logits, torch.unflatten(self.reconstruct(decoder), 1, (self.n_raters, -1)))
