"""The network that all diagnosis networks are made of, and the one that sees no mask."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Self

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .base import DiagnosisBudget
from .training import TrainedDiagnosis


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut (He et al., 2016); the features have half the height and width."""

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(n_inputs, n_outputs, 3, stride=2, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(n_outputs)
        self.second = nn.Conv2d(n_outputs, n_outputs, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(n_outputs)
        self.shortcut = nn.Conv2d(n_inputs, n_outputs, 1, stride=2, bias=False)
        self.shortcut_norm = nn.BatchNorm2d(n_outputs)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        changed = functional.relu(self.first_norm(self.first(features)))
        changed = self.second_norm(self.second(changed))
        result: torch.Tensor = functional.relu(changed + self.shortcut_norm(self.shortcut(features)))
        return result

    def fold_norms(self) -> None:
        """Make the normalisations, as they are after training, part of the convolutions before them."""
        for name in ("first", "second", "shortcut"):
            _fold(self, name, f"{name}_norm")


class ResidualNetwork(nn.Module):
    """A small residual network from channels [B, C, H, W] to one logit [B].

    The first convolution and each of three blocks halve height and width: 64 pixels become 4.
    """

    def __init__(self, n_channels: int, features: Sequence[int]) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(n_channels, features[0], 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(features[0])
        self.blocks = nn.ModuleList(ResidualBlock(a, b) for a, b in pairwise(features))
        self.last = nn.Linear(features[-1], 1)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # A fifth faster on the CPU.

    def stem(self, channels: torch.Tensor) -> torch.Tensor:
        """The features before the first block."""
        channels = channels.contiguous(memory_format=torch.channels_last)
        return functional.relu(self.norm(self.convolution(channels)))

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """The logit [B] from the features of the last block."""
        logit: torch.Tensor = self.last(features.mean(dim=(2, 3))).squeeze(1)
        return logit

    def without_norms(self) -> Self:
        """Itself in evaluation mode, its normalisations folded into the convolutions; it can be trained no more."""
        self.eval()
        _fold(self, "convolution", "norm")
        for block in self.blocks:
            block.fold_norms()  # type: ignore[operator]
        return self

    def forward(self, channels: torch.Tensor) -> torch.Tensor:
        features = self.stem(channels)
        for block in self.blocks:
            features = block(features)
        return self.head(features)


def _fold(module: nn.Module, convolution: str, norm: str) -> None:
    before, after = module.get_submodule(convolution), module.get_submodule(norm)
    assert isinstance(before, nn.Conv2d)
    assert isinstance(after, nn.BatchNorm2d)
    setattr(module, convolution, fuse_conv_bn_eval(before, after))
    setattr(module, norm, nn.Identity())


class NoMask(TrainedDiagnosis):
    """Diagnoses from the image alone: what a mask has to add something to (NoMask; Wu et al., 2022, figure 2).

    >>> from raterbench.methods.diagnosis.residual_network import NoMask
    >>> NoMask().check_parameters()
    """

    def build(self, n_channels: int, n_classes: int, budget: DiagnosisBudget) -> nn.Module:
        del n_classes
        return _ImageAlone(n_channels, budget.features)


class _ImageAlone(ResidualNetwork):
    def forward(self, channels: torch.Tensor, masks: torch.Tensor | None = None) -> torch.Tensor:
        del masks
        return super().forward(channels)
