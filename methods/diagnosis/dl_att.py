"""The mask as attention."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from .base import DiagnosisBudget
from .residual_network import ResidualNetwork
from .training import TrainedDiagnosis


class DLAtt(TrainedDiagnosis):
    """Diagnoses from the image, looking more at the object (DL-ATT; Li et al., 2019, as in Wu et al., 2022).

    The features of the first convolution and of each block are multiplied by 1 + a, where a is the mask at their resolution:
    for two classes the probability of the foreground, for nested structures the mean over them, so that the innermost counts
    most.

    >>> from raterbench.methods.diagnosis.dl_att import DLAtt
    >>> DLAtt().check_parameters()
    """

    def build(self, n_channels: int, n_classes: int, budget: DiagnosisBudget) -> nn.Module:
        del n_classes
        return _Attentive(n_channels, budget.features)


class _Attentive(ResidualNetwork):
    def forward(self, channels: torch.Tensor, masks: torch.Tensor | None = None) -> torch.Tensor:
        assert masks is not None
        attention, features = mean_structure(masks), channels
        for layer in (self.stem, *self.blocks):
            features = layer(features)
            features = features * (1 + functional.avg_pool2d(attention, masks.shape[-1] // features.shape[-1]))
        return self.head(features)


def mean_structure(masks: torch.Tensor) -> torch.Tensor:
    """The mean over nested structures, where class k lies in 1 to k: masks [B, K, H, W] to [B, 1, H, W] between 0 and 1."""
    n_structures = masks.shape[1] - 1
    depth = torch.arange(1, n_structures + 1, device=masks.device) / n_structures
    return (masks[:, 1:] * depth.view(1, -1, 1, 1)).sum(dim=1, keepdim=True)
