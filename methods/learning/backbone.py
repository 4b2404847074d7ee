"""Backbones: the networks from images to logits, by the name that ``Budget(backbone=...)`` gives.

To add one, write a subclass of ``Backbone`` here and enter it in ``BACKBONES``; a plug-in file enters its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from monai.networks.nets.basic_unet import BasicUNet
from torch import nn
from torch.nn import functional

from ...errors import RaterbenchError, nearest


class Features(NamedTuple):
    """``decoder`` [B, F, *S] just before the last layer, ``bottleneck`` [B, G, *T] at the coarsest level."""

    decoder: torch.Tensor
    bottleneck: torch.Tensor


class Backbone(nn.Module, ABC):
    """Base class of backbones: images [B, C, *S] to logits [B, K, *S], with features that a head can use.

    ``__init__`` takes the numbers of channels and classes, the widths of ``Budget.features``, and the number of spatial axes.

    Args:
        spatial_dims: 2 or 3, the length of S.
        decoder_width: F, the channels of ``Features.decoder``.
        bottleneck_width: G, the channels of ``Features.bottleneck``.
    """

    def __init__(self, *, spatial_dims: int, decoder_width: int, bottleneck_width: int) -> None:
        super().__init__()
        self.spatial_dims = spatial_dims
        self.decoder_width, self.bottleneck_width = decoder_width, bottleneck_width

    @abstractmethod
    def features(self, images: torch.Tensor) -> Features:
        """Everything but the last layer."""

    @abstractmethod
    def classify(self, decoder: torch.Tensor) -> torch.Tensor:
        """The last layer: ``Features.decoder`` to logits [B, K, *S]."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classify(self.features(images).decoder)

    def pointwise(self, n_in: int, n_out: int, *, bias: bool = True) -> nn.Conv2d | nn.Conv3d:
        """A layer for a head: the same linear map of the channels at every voxel."""
        convolution = nn.Conv2d if self.spatial_dims == 2 else nn.Conv3d
        return convolution(n_in, n_out, kernel_size=1, bias=bias)


class UNet(Backbone):
    """MONAI's BasicUNet with instance normalisation; sides of images must be divisible by 32."""

    def __init__(self, n_channels: int, n_classes: int, features: Sequence[int], *, spatial_dims: int = 2) -> None:
        super().__init__(spatial_dims=spatial_dims, decoder_width=int(features[5]), bottleneck_width=int(features[4]))
        self.unet = BasicUNet(spatial_dims, n_channels, n_classes, tuple(features))

    def features(self, images: torch.Tensor) -> Features:
        unet = self.unet
        levels = [unet.conv_0(images)]
        for down in (unet.down_1, unet.down_2, unet.down_3, unet.down_4):
            levels.append(down(levels[-1]))
        decoded = levels[4]
        for up, skip in zip((unet.upcat_4, unet.upcat_3, unet.upcat_2, unet.upcat_1), levels[3::-1], strict=True):
            decoded = up(decoded, skip)
        return Features(decoder=decoded, bottleneck=levels[4])

    def classify(self, decoder: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.unet.final_conv(decoder)
        return logits


BACKBONES: dict[str, Callable[[int, int, Sequence[int]], Backbone]] = {"unet": UNet}
"""Every backbone by name; called with the numbers of channels and classes and with ``Budget.features``."""


def find_backbone(name: str) -> Callable[[int, int, Sequence[int]], Backbone]:
    """The backbone called ``name``.

    Raises:
        RaterbenchError: there is none; the nearest known name is given.
    """
    if name not in BACKBONES:
        raise RaterbenchError(f"there is no backbone called {name!r}{nearest(name, BACKBONES)}")
    return BACKBONES[name]


def spatial_mean(features: torch.Tensor) -> torch.Tensor:
    """The mean of [B, F, *S] over all voxels, with spatial axes of length 1."""
    return features.mean(dim=tuple(range(2, features.ndim)), keepdim=True)


def resize_maps(maps: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Maps [B, F, *T] resampled linearly to the spatial shape ``size``."""
    mode = "bilinear" if maps.ndim == 4 else "trilinear"
    return functional.interpolate(maps, size=tuple(size), mode=mode, align_corners=False)
