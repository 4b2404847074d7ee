"""What a backbone is: a network from images to logits, whose features a head can use."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import nn
from torch.nn import functional


class Features(NamedTuple):
    """``decoder`` [B, F, *S] just before the last layer, ``bottleneck`` [B, G, *T] at the coarsest level."""

    decoder: torch.Tensor
    bottleneck: torch.Tensor


Condition = Callable[[torch.Tensor], torch.Tensor]
"""From features [B, F, *T], such as those of the bottleneck, to what the next layer gets in their place."""


class Backbone(nn.Module, ABC):
    """Base class of backbones: images [B, C, *S] to logits [B, K, *S], with features that a head can use.

    A subclass takes ``(n_channels, n_classes, widths, *, spatial_dims)``: the channels of images, the classes, the widths of
    ``Budget.features``, and the number of spatial axes. It gives its own widths to ``super().__init__``.

    Args:
        spatial_dims: 2 or 3, the length of S.
        decoder_width: F, the channels of ``Features.decoder``.
        bottleneck_width: G, the channels of ``Features.bottleneck``.

    A class that sets ``takes_dropout`` also takes the keyword ``dropout``, the share of ``Budget.dropout``. One that sets
    ``takes_normalisation`` takes the keyword ``normalisation``, a word of ``Budget.normalisation``; without it the network has
    its own. One that sets ``takes_condition`` has ``features(images, condition=None)``: a function of the bottleneck
    [B, G, *T] that gives what the decoder gets in its place. ``last_layer`` is how the names of the weights begin that make
    logits of the last features: these depend on the classes, and first weights from a file may be without them.
    """

    takes_dropout: ClassVar[bool] = False
    takes_condition: ClassVar[bool] = False
    takes_normalisation: ClassVar[bool] = False
    last_layer: ClassVar[str] = "last."

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

    def pretrained_parts(self) -> list[nn.Module]:
        """The parts of which a file may hold the first weights (``Budget.weights``), the whole network first."""
        return [self]

    def pointwise(self, n_in: int, n_out: int, *, bias: bool = True) -> nn.Conv2d | nn.Conv3d:
        """A layer for a head: the same linear map of the channels at every voxel."""
        convolution = nn.Conv2d if self.spatial_dims == 2 else nn.Conv3d
        return convolution(n_in, n_out, kernel_size=1, bias=bias)


def spatial_mean(features: torch.Tensor) -> torch.Tensor:
    """The mean of [B, F, *S] over all voxels, with spatial axes of length 1."""
    return features.mean(dim=tuple(range(2, features.ndim)), keepdim=True)


def resize_maps(maps: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Maps [B, F, *T] resampled linearly to the spatial shape ``size``."""
    mode = "bilinear" if maps.ndim == 4 else "trilinear"
    return functional.interpolate(maps, size=tuple(size), mode=mode, align_corners=False)
