"""Features of the mask, which those of the image attend to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from .base import DiagnosisBudget
from .residual_network import ResidualBlock, ResidualNetwork
from .training import TrainedDiagnosis

ATTENDED = (1, 2)
"""After which blocks the image attends to the mask, counted from 0."""
MOST_KEYS = 8
"""Features of the mask are pooled to at most so many along each side."""


class DLSeAT(TrainedDiagnosis):
    """Diagnoses from the image, whose features attend to those of the mask (DL-SeAT; Wu et al., 2022b, SeATrans).

    A second encoder with half the channels sees the mask alone. After the second and the third block, an attention with the
    image's features as query and the mask's as key and value adds to the image's features.

    >>> from raterbench.methods.diagnosis.dl_seat import DLSeAT
    >>> DLSeAT().check_parameters()
    """

    name = "dl-seat"

    def build(self, n_channels: int, n_classes: int, budget: DiagnosisBudget) -> nn.Module:
        return _TwoEncoders(n_channels, n_classes, budget.features)


class _TwoEncoders(nn.Module):
    def __init__(self, n_channels: int, n_classes: int, features: Sequence[int]) -> None:
        super().__init__()
        half = [max(1, width // 2) for width in features]
        self.image = ResidualNetwork(n_channels, features)
        self.mask_stem = nn.Sequential(
            nn.Conv2d(n_classes - 1, half[0], 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(half[0]), nn.ReLU()
        )
        self.mask_blocks = nn.ModuleList(ResidualBlock(a, b) for a, b in pairwise(half))
        self.attentions = nn.ModuleDict({str(i): _Attention(features[i + 1], half[i + 1]) for i in ATTENDED})

    def forward(self, images: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
        features, of_mask = self.image.stem(images), self.mask_stem(masks[:, 1:])
        for i, (block, mask_block) in enumerate(zip(self.image.blocks, self.mask_blocks, strict=True)):
            features, of_mask = block(features), mask_block(of_mask)
            if i in ATTENDED:
                features = features + self.attentions[str(i)](features, of_mask)
        return self.image.head(features)


class _Attention(nn.Module):
    """One head: the ``features`` [B, C, H, W] ask, those of the mask [B, M, H, W] answer with [B, C, H, W]."""

    def __init__(self, n_features: int, n_mask: int) -> None:
        super().__init__()
        self.query = nn.Linear(n_features, n_mask, bias=False)
        self.key = nn.Linear(n_mask, n_mask, bias=False)
        self.value = nn.Linear(n_mask, n_features)

    def forward(self, features: torch.Tensor, of_mask: torch.Tensor) -> torch.Tensor:
        pooled = functional.avg_pool2d(of_mask, max(1, of_mask.shape[-1] // MOST_KEYS))
        asking, answering = (maps.flatten(2).transpose(1, 2) for maps in (features, pooled))
        affinity = self.query(asking) @ self.key(answering).transpose(1, 2) / math.sqrt(answering.shape[-1])
        found: torch.Tensor = affinity.softmax(dim=2) @ self.value(answering)
        return found.transpose(1, 2).reshape(features.shape)
