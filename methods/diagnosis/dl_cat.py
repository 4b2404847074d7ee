"""The mask as further channels of the image."""

from __future__ import annotations

import copy

import torch
from torch import nn

from .base import DiagnosisBudget
from .residual_network import ResidualNetwork
from .training import TrainedDiagnosis


class DLCat(TrainedDiagnosis):
    """Diagnoses from image and mask, which are channels of one input (DL-CAT; Wu et al., 2022, section 3.1).

    The channels of the mask are the probabilities of the foreground classes.

    >>> from raterbench.methods.diagnosis.dl_cat import DLCat
    >>> DLCat().check_parameters()
    """

    def build(self, n_channels: int, n_classes: int, budget: DiagnosisBudget) -> nn.Module:
        return Concatenation(n_channels + n_classes - 1, budget.features)

    def frozen_network(self) -> nn.Module:
        """A copy of the fitted network for gradients with respect to its input alone, as fast as can be."""
        frozen = copy.deepcopy(self.module_)
        assert isinstance(frozen, Concatenation)
        return frozen.without_norms().requires_grad_(False)


class Concatenation(ResidualNetwork):
    """Images [B, C, H, W] and masks [B, K, H, W] to logits [B]."""

    def forward(self, channels: torch.Tensor, masks: torch.Tensor | None = None) -> torch.Tensor:
        assert masks is not None
        return super().forward(torch.cat([channels, masks[:, 1:]], dim=1))
