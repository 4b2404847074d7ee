"""The U-Net, the backbone of all candidates unless a budget names another one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.nets.basic_unet import BasicUNet

from .base import Backbone, Features


class UNet(Backbone):
    """MONAI's BasicUNet with instance normalisation; sides of images must be divisible by 32."""

    name = "unet"

    def __init__(self, n_channels: int, n_classes: int, widths: Sequence[int], *, spatial_dims: int = 2) -> None:
        super().__init__(spatial_dims=spatial_dims, decoder_width=int(widths[5]), bottleneck_width=int(widths[4]))
        self.unet = BasicUNet(spatial_dims, n_channels, n_classes, tuple(widths))

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
