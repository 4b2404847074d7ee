"""The U-Net, the backbone of all candidates unless a budget names another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from monai.networks.nets.basic_unet import BasicUNet
from torch.nn import functional

from .base import Backbone, Condition, Features
from .norms import Normalisation, monai_norm

SMALL = 2**14
"""Numbers in a batch of maps up to which a plain matrix product is faster on the CPU than oneDNN, whose calls take longer than
the arithmetic."""


class UNet(Backbone):
    """MONAI's BasicUNet, with instance normalisation unless another one is asked for; sides of images are divisible by 32.

    The layers and first weights are MONAI's. The walk through them is here, with the calls that are fastest for the small
    networks and batches of a benchmark: results differ from MONAI's by rounding error. In training ``dropout`` is the
    probability that a channel is set to zero after each convolution but the last; 0 draws nothing.
    """

    name = "unet"
    takes_dropout = takes_condition = takes_normalisation = True
    last_layer = "unet.final_conv."

    def __init__(
        self,
        n_channels: int,
        n_classes: int,
        widths: Sequence[int],
        *,
        spatial_dims: int = 2,
        dropout: float = 0.0,
        normalisation: Normalisation = "instance",
    ) -> None:
        super().__init__(spatial_dims=spatial_dims, decoder_width=int(widths[5]), bottleneck_width=int(widths[4]))
        norm = monai_norm(normalisation, widths)
        self.unet = BasicUNet(spatial_dims, n_channels, n_classes, tuple(widths), norm=norm)
        self.normalisation, self.dropout = normalisation, dropout

    def features(self, images: torch.Tensor, condition: Condition | None = None) -> Features:
        levels = self.encode(images)
        if condition is not None:
            levels[4] = condition(levels[4])
        return Features(decoder=self.decode(levels), bottleneck=levels[4])

    def encode(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Features of the five levels; level l has ``widths[l]`` channels and sides 2^l times as short."""
        unet: Any = self.unet
        levels = [self._two_layers(unet.conv_0, images)]
        for down in (unet.down_1, unet.down_2, unet.down_3, unet.down_4):
            levels.append(self._two_layers(down.convs, down.max_pooling(levels[-1])))
        return levels

    def decode(self, levels: Sequence[torch.Tensor], changes: Mapping[int, Condition] | None = None) -> torch.Tensor:
        """``Features.decoder`` from the features of the five levels.

        ``changes`` has functions by level, 1 to 4: the decoder's features there, the bottleneck's at level 4, become what the
        function gives, before they are upsampled. They have as many channels as the encoder's of the level.
        """
        unet: Any = self.unet
        ups, changes = (unet.upcat_1, unet.upcat_2, unet.upcat_3, unet.upcat_4), changes or {}
        decoded = levels[4]
        for level in (4, 3, 2, 1):
            if level in changes:
                decoded = changes[level](decoded)
            up = ups[level - 1]
            decoded = self._two_layers(up.convs, torch.cat([levels[level - 1], up.upsample(decoded)], dim=1))
        return decoded

    def classify(self, decoder: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.unet.final_conv(decoder)
        return logits

    def _two_layers(self, block: Any, maps: torch.Tensor) -> torch.Tensor:
        """Twice a convolution, a normalisation, a leaky ReLU, and the dropout of whole channels."""
        for layer in (block.conv_0, block.conv_1):
            norm = layer.adn.N
            maps = _convolved(layer.conv, maps)
            if self.normalisation == "instance":
                # The same function as instance normalisation, in a kernel that takes half the time.
                maps = functional.group_norm(maps, maps.shape[1], norm.weight, norm.bias, norm.eps)
            else:
                maps = norm(maps)
            maps = functional.leaky_relu_(maps, layer.adn.A.negative_slope)
            if self.dropout:
                maps = torch.feature_dropout(maps, self.dropout, self.training)
        return maps


def _convolved(convolution: Any, maps: torch.Tensor) -> torch.Tensor:
    if maps.ndim == 4 and maps.device.type == "cpu" and maps.numel() <= SMALL:
        weight, bias, size = convolution.weight, convolution.bias, convolution.kernel_size
        small: torch.Tensor = torch.ops.aten.thnn_conv2d(maps, weight, size, bias, convolution.stride, convolution.padding)
        return small
    large: torch.Tensor = convolution(maps)
    return large
