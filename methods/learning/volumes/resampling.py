"""Linear resampling of volumes and their labels along each axis by itself."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional


def resize_volume(volumes: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Volumes [n, C, D, H, W] resampled linearly to the spatial shape ``size``; what shrinks is averaged.

    A triangular filter in each axis is the product of one within slices and one across them, which PyTorch has for images.
    """
    if tuple(volumes.shape[-3:]) == tuple(size):
        return volumes
    n, channels, depth = volumes.shape[:3]
    within = functional.interpolate(
        volumes.float().flatten(1, 2), size=tuple(size[1:]), mode="bilinear", align_corners=False, antialias=True
    ).view(n, channels, depth, -1)
    if depth == size[0]:
        return within.view(n, channels, *size)
    across = functional.interpolate(
        within, size=(size[0], within.shape[-1]), mode="bilinear", align_corners=False, antialias=True
    )
    return across.view(n, channels, *size)
