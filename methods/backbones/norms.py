"""Normalisation and dropout of networks that come from MONAI, as a budget asks for them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

from monai.networks.layers.utils import get_norm_layer
from torch import nn

Normalisation = Literal["instance", "batch", "group"]
MOST_GROUPS = 8
"""Groups of channels that a group normalisation has at most."""


def monai_norm(kind: Normalisation, widths: Sequence[int]) -> tuple[str, dict[str, Any]]:
    """The normalisation as MONAI's networks take it, with a learned scale and shift for each channel.

    A group normalisation has as many groups, at most 8, as divide the channels of all layers, ``widths``.
    """
    options: dict[str, Any] = {"affine": True}
    if kind == "group":
        options["num_groups"] = math.gcd(MOST_GROUPS, *map(int, widths))
    return kind, options


def replace_batch_norms(network: nn.Module, kind: Normalisation, spatial_dims: int) -> None:
    """Put another normalisation in the place of each batch normalisation, with the same scale and shift at the start."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d | nn.BatchNorm3d):
                width = child.num_features
                setattr(module, name, get_norm_layer(monai_norm(kind, [width]), spatial_dims, width))


def drop_channels(network: nn.Module, spatial_dims: int) -> None:
    """Let each dropout set whole channels to zero, and not single voxels, whose neighbours tell what they were."""
    whole: type[nn.Module] = nn.Dropout2d if spatial_dims == 2 else nn.Dropout3d
    for module in list(network.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                setattr(module, name, whole(child.p))
