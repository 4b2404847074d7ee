"""The image where the mask says that the object is."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from .base import DiagnosisBudget
from .residual_network import ResidualNetwork
from .training import TrainedDiagnosis

MARGIN = 0.1
"""What is added on each side of the box, as a share of its side."""


class DLROI(TrainedDiagnosis):
    """Diagnoses from the part of the image around the object (DL-ROI; Bajwa et al., 2019, as in Wu et al., 2022).

    The image is cut to the box in which the mask says foreground with more than .5, and a tenth of its side more on each
    side; this is resized to the size of the slice. The network sees no mask. Without foreground it sees the whole slice.

    >>> from raterbench.methods.diagnosis.dl_roi import DLROI
    >>> DLROI().check_parameters()
    """

    name = "dl-roi"

    def build(self, n_channels: int, n_classes: int, budget: DiagnosisBudget) -> nn.Module:
        del n_classes
        return _Cropped(n_channels, budget.features)


class _Cropped(ResidualNetwork):
    def forward(self, channels: torch.Tensor, masks: torch.Tensor | None = None) -> torch.Tensor:
        assert masks is not None
        return super().forward(crop_to_object(channels, masks[:, 1:].sum(dim=1) > 0.5))


def crop_to_object(images: torch.Tensor, foreground: torch.Tensor) -> torch.Tensor:
    """Images [B, C, H, W], each cut to the box of its ``foreground`` [B, H, W] and a margin, and resized to H x W."""
    centre, scale = [], []
    for axis in (2, 1):  # x comes first in an affine map.
        size, there = foreground.shape[axis], foreground.any(dim=3 - axis)
        first = there.int().argmax(dim=1)
        after = size - there.flip(1).int().argmax(dim=1)
        empty = ~there.any(dim=1)
        first, after = first.masked_fill(empty, 0), after.masked_fill(empty, size)
        share = (after - first) / size * torch.where(empty, 1.0, 1 + 2 * MARGIN)
        scale.append(share)
        centre.append((first + after) / size - 1)
    zero = torch.zeros_like(scale[0])
    rows = [torch.stack([scale[0], zero, centre[0]], dim=1), torch.stack([zero, scale[1], centre[1]], dim=1)]
    grid = functional.affine_grid(torch.stack(rows, dim=1), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
