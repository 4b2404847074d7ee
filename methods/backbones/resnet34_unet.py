"""A U-Net whose encoder is a residual network of 34 layers."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, ClassVar

import torch
from monai.networks.nets.flexible_unet import FlexibleUNet
from torch import nn

from ...errors import RaterbenchError
from .base import Backbone, Condition, Features
from .norms import Normalisation, drop_channels, replace_batch_norms

COARSE = 32
"""Voxels of a side that are one at the coarsest level."""


class ResNet34UNet(Backbone):
    """MONAI's FlexibleUNet on a ResNet-34 (He et al. 2016), with batch normalisation unless the budget names another one.

    The encoder's widths are the ResNet's own: 64, 64, 128, 256 and 512. The decoder's are the last five of
    ``Budget.features``, from the fine to the coarse level: ``features = [16, 32, 64, 128, 256, 16]`` gives MONAI's. Dropout is
    that of whole channels after each convolution of the decoder. First weights are random unless ``Budget.weights`` names a
    file; nothing is downloaded. MONAI's ResNet-34 has shortcuts without weights, those of MedicalNet: weights of torchvision,
    whose shortcuts have some, are those of another network. Sides of images must be divisible by 32, and one of them by 64, so
    that a voxel is not alone at the coarsest level.
    """

    name = "resnet34-unet"
    takes_dropout = takes_condition = takes_normalisation = True
    last_layer = "network.segmentation_head."
    encoder_name: ClassVar[str] = "resnet34"

    def __init__(
        self,
        n_channels: int,
        n_classes: int,
        widths: Sequence[int],
        *,
        spatial_dims: int = 2,
        dropout: float = 0.0,
        normalisation: Normalisation = "batch",
    ) -> None:
        decoder = tuple(int(widths[level]) for level in (4, 3, 2, 1, 5))
        network = FlexibleUNet(
            n_channels, n_classes, self.encoder_name, decoder_channels=decoder, spatial_dims=spatial_dims, dropout=dropout
        )
        if normalisation != "batch":
            replace_batch_norms(network, normalisation, spatial_dims)
        drop_channels(network, spatial_dims)
        super().__init__(spatial_dims=spatial_dims, decoder_width=decoder[-1], bottleneck_width=network.encoder.in_planes)
        self.network = network

    def features(self, images: torch.Tensor, condition: Condition | None = None) -> Features:
        if prod(side // COARSE for side in images.shape[2:]) < 2:
            sides = " x ".join(map(str, images.shape[2:]))
            raise RaterbenchError(
                f"the backbone {self.name!r} makes one voxel of {sides}, which cannot be normalised: set "
                "preparation.multiple = 64, or a larger patch"
            )
        network: Any = self.network
        levels = network.encoder(images)
        if condition is not None:
            levels[-1] = condition(levels[-1])
        return Features(decoder=network.decoder(levels, network.skip_connect), bottleneck=levels[-1])

    def classify(self, decoder: torch.Tensor) -> torch.Tensor:
        network: Any = self.network
        logits: torch.Tensor = network.segmentation_head(decoder)
        return logits

    def pretrained_parts(self) -> list[nn.Module]:
        network: Any = self.network
        return [self, network.encoder]
