"""Confusion matrices from one head that all raters share, with an embedding for each rater."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from ..backbones.base import Backbone, spatial_mean
from ..learning.budget import Budget
from ..learning.confusion_matrices import n_parameters, starting_point
from .confusion_network import Anchor, ConfusionNetwork, Diagonal, LearningRate, Level, Rank, Start, TraceWeight, Warmup

EMBEDDING = 16
HIDDEN = 24


class CRNetwork(ConfusionNetwork):
    """Conditioned on the rater: CR global, CR image and CR pixel (Lopez-Perez et al. 2023, 2024).

    As ``ConfusionNetwork``, with one head for all raters, whose input is a learned embedding of the rater. All raters share
    its features, so it can learn many raters with few ratings each. Differences from the published code: the matrices start
    near the identity and are fixed during ``warmup``, in place of epochs that maximise the trace; every present rater of a
    slice counts at each step, in place of one drawn at random (the same expectation with less noise); the layers are
    narrower, for the suite's backbone.

    Args:
        level: the embedding alone (``global``), with pooled features of the image (``image``), or with the features of
            every voxel (``pixel``).
        rank, trace_weight, start, diagonal, matrix_learning_rate, warmup, anchor, budget: as in ``ConfusionNetwork``. The
            released experiments have a trace weight of 0.
    """

    def __init__(
        self,
        *,
        level: Level = "pixel",
        rank: Rank | None = None,
        trace_weight: TraceWeight = 0.0,
        start: Start = "identity",
        diagonal: Diagonal = 0.8,
        matrix_learning_rate: LearningRate = 5e-3,
        warmup: Warmup = 0.2,
        anchor: Anchor = 0.3,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(
            level=level,
            rank=rank,
            trace_weight=trace_weight,
            start=start,
            diagonal=diagonal,
            matrix_learning_rate=matrix_learning_rate,
            warmup=warmup,
            anchor=anchor,
            budget=budget,
        )

    def head(self, network: Backbone, n_classes: int, n_raters: int) -> nn.Module:
        start = starting_point(n_classes, self.rank, self.diagonal) if self.start == "identity" else None
        return _ConditionedHead(self.level, network, n_raters, n_parameters(n_classes, self.rank), start)


class _ConditionedHead(nn.Module):
    """Hidden features of the image times the rater's embedding, through a linear layer to [B, R, C, *S].

    A product and not a sum: with a sum, what raters have in common at all voxels is learned first, and one matrix for all
    voxels biases the truth towards the rater who marks most.
    """

    def __init__(self, level: str, backbone: Backbone, n_raters: int, n_parameters: int, start: torch.Tensor | None) -> None:
        super().__init__()
        self.level = level
        self.embedding = nn.Embedding(n_raters, EMBEDDING)
        self.of_rater = nn.Linear(EMBEDDING, HIDDEN)
        if level != "global":
            self.of_image = backbone.pointwise(backbone.decoder_width, HIDDEN)
        self.last = backbone.pointwise(HIDDEN, n_parameters)
        if start is not None:
            with torch.no_grad():
                self.last.weight.mul_(0.01)
                assert self.last.bias is not None
                self.last.bias.copy_(start)

    def forward(self, decoder: torch.Tensor, bottleneck: torch.Tensor) -> torch.Tensor:
        del bottleneck
        raters = self.of_rater(self.embedding.weight)[None, :, :, *[None] * (decoder.ndim - 2)]
        if self.level == "global":
            hidden = raters.expand(len(decoder), *raters.shape[1:])
        else:
            image = functional.relu(self.of_image(decoder))
            if self.level == "image":
                image = spatial_mean(image)
            hidden = image.unsqueeze(1) * raters
        raw = self.last(hidden.flatten(0, 1))
        return torch.unflatten(raw, 0, hidden.shape[:2])
