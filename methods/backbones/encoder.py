"""Blocks of convolutions, an encoder and a decoder, for networks beside the backbone. They are for slices (2-D)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from .base import Condition, resize_maps

SLOPE = 0.1
"""Of the leaky ReLU, as in the U-Net."""


class Block(nn.Module):
    """Convolutions of 3 voxels, each with a batch normalisation and a leaky ReLU.

    Unlike an instance normalisation it keeps what is constant over a slice, such as a latent variable or the size of a mask.
    A normalisation over all channels and voxels of a slice keeps it, too, but with it networks learned much more slowly.
    """

    def __init__(self, n_in: int, n_out: int, layers: int = 1) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(nn.Conv2d(n_out if i else n_in, n_out, 3, padding=1) for i in range(layers))
        self.norms = nn.ModuleList(nn.BatchNorm2d(n_out) for _ in range(layers))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            maps = functional.leaky_relu(norm(convolution(maps)), SLOPE)
        return maps


class Encoder(nn.Module):
    """Features of images [P, C, *S], and of labels [P, K, *S] beside them if there are ``n_classes``, at each level.

    Level l has ``widths[l]`` channels and sides 2^l times as short. Images and labels have a first layer each, whose outputs
    are added up: the same function as one layer of both.
    """

    def __init__(self, n_channels: int, widths: Sequence[int], n_classes: int = 0) -> None:
        super().__init__()
        first = widths[0]
        self.images = nn.Conv2d(n_channels, first, 3, padding=1)
        self.labels = nn.Conv2d(n_classes, first, 3, padding=1, bias=False) if n_classes else None
        self.norm = nn.BatchNorm2d(first)
        pairs = zip((first, *widths), widths, strict=False)
        self.blocks = nn.ModuleList(Block(n_in, n_out, 2 if level else 1) for level, (n_in, n_out) in enumerate(pairs))

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor | None = None, changes: Mapping[int, Condition] | None = None
    ) -> list[torch.Tensor]:
        """The features of all levels; those of a level in ``changes`` are replaced by what its function gives."""
        maps = self.images(images)
        if self.labels is not None and labels is not None:
            maps = maps + self.labels(labels)
        maps, levels, changes = functional.leaky_relu(self.norm(maps), SLOPE), [], changes or {}
        for level, block in enumerate(self.blocks):
            maps = block(functional.avg_pool2d(maps, 2) if level else maps)
            if level in changes:
                maps = changes[level](maps)
            levels.append(maps)
        return levels


class PlainDecoder(nn.Module):
    """Logits [P, K, *S] from an encoder's levels: from the coarsest on upsampled and put beside the next, one block."""

    def __init__(self, widths: Sequence[int], n_classes: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(fine + coarse, fine) for fine, coarse in pairwise(widths))
        self.last = nn.Conv2d(widths[0], n_classes, 1)

    def forward(self, levels: Sequence[torch.Tensor]) -> torch.Tensor:
        maps = levels[-1]
        for level in reversed(range(len(self.blocks))):
            maps = self.blocks[level](torch.cat([levels[level], resize_maps(maps, levels[level].shape[2:])], dim=1))
        logits: torch.Tensor = self.last(maps)
        return logits
