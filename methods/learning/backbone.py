"""The one backbone of all candidates, with its inner features within reach of a head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from monai.networks.nets.basic_unet import BasicUNet


class Features(NamedTuple):
    """``decoder`` [B, F, H, W] just before the last layer, ``bottleneck`` [B, G, H/16, W/16]."""

    decoder: torch.Tensor
    bottleneck: torch.Tensor


class SegmentationNetwork(BasicUNet):
    """MONAI's 2-D BasicUNet (instance normalisation). Images [B, C, H, W] to logits [B, K, H, W]; sides divisible by 32."""

    def __init__(self, n_channels: int, n_classes: int, features: Sequence[int]) -> None:
        super().__init__(spatial_dims=2, in_channels=n_channels, out_channels=n_classes, features=tuple(features))
        self.decoder_width, self.bottleneck_width = int(features[5]), int(features[4])

    def features(self, images: torch.Tensor) -> Features:
        """What the last layer sees, and the deepest level."""
        levels = [self.conv_0(images)]
        for down in (self.down_1, self.down_2, self.down_3, self.down_4):
            levels.append(down(levels[-1]))
        decoded = levels[4]
        for up, skip in zip((self.upcat_4, self.upcat_3, self.upcat_2, self.upcat_1), levels[3::-1], strict=True):
            decoded = up(decoded, skip)
        return Features(decoder=decoded, bottleneck=levels[4])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.final_conv(self.features(images).decoder)
        return logits
