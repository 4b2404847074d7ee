"""A network of a few layers that costs next to nothing: for trying out a method, not for results."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from .base import Backbone, Condition, Features, spatial_mean

COARSE = 16
"""Voxels of a side that are one at the coarsest level, as in the U-Net."""


class Shallow(Backbone):
    """One convolution of 3 voxels, and the mean of the whole image; it takes the last two of ``Budget.features``.

    It learns what the brightness of a voxel and its neighbours tells. A training step takes a tenth of that of the smallest
    U-Net, so contract checks of methods use it. Sides of images must be divisible by 16.
    """

    name = "shallow"
    takes_condition = True

    def __init__(self, n_channels: int, n_classes: int, widths: Sequence[int], *, spatial_dims: int = 2) -> None:
        super().__init__(spatial_dims=spatial_dims, decoder_width=int(widths[5]), bottleneck_width=int(widths[4]))
        convolution = nn.Conv2d if spatial_dims == 2 else nn.Conv3d
        self.near = convolution(n_channels, self.decoder_width, kernel_size=3, padding=1)
        self.coarse = self.pointwise(self.decoder_width, self.bottleneck_width)
        self.whole = self.pointwise(self.bottleneck_width, self.decoder_width)
        self.last = self.pointwise(self.decoder_width, n_classes)

    def features(self, images: torch.Tensor, condition: Condition | None = None) -> Features:
        near = self.near(images)
        pool = functional.avg_pool2d if self.spatial_dims == 2 else functional.avg_pool3d
        bottleneck = functional.leaky_relu(self.coarse(pool(functional.leaky_relu(near), COARSE)))
        if condition is not None:
            bottleneck = condition(bottleneck)
        decoder = functional.leaky_relu(near + self.whole(spatial_mean(bottleneck)))
        return Features(decoder, bottleneck)

    def classify(self, decoder: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.last(decoder)
        return logits
