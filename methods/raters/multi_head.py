"""One network with a head for each rater."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ...datasets.base import Dataset
from ..backbones.base import Backbone
from ..learning.batches.slices import Slices
from ..learning.budget import Budget
from ..learning.losses import masked_mean
from ..learning.network import NetworkMethod


class MultiHead(NetworkMethod):
    """A network whose last layer has a head for each rater; the prediction is the mean of the heads' probabilities.

    Each head learns the labels of its rater by cross-entropy, the mean over present (voxel, rater) pairs; everything before
    the last layer learns from all raters. A rater who judged nothing in training has a head that learned nothing, which is
    left out of the mean. It is the first stage of Guan et al. (2018), their "doctor net"; ``WDNet`` also learns weights of the
    heads.

    Args:
        budget: what all candidates share.
    """

    needs_rater_identity = True
    learns_raters = True
    predicts_with = ("seen_",)

    def __init__(self, *, budget: Budget | None = None) -> None:
        super().__init__(budget=budget)

    def prepare(self, train: Dataset, **options: Any) -> Slices:
        """As ``NetworkMethod.prepare``; notes which raters judged a voxel."""
        slices = super().prepare(train, **options)
        self.seen_ = slices.seen_raters().to(self.device_)
        return slices

    def build(self, n_channels: int, n_classes: int, n_raters: int) -> nn.Module:
        return _WithHeads(self.backbone(n_channels, n_raters * n_classes), n_raters)

    def loss(self, outputs: Any, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """As there, with ``outputs`` the logits [B, R, K, *S] of all heads."""
        return masked_mean(-(ratings * outputs.float().log_softmax(dim=2)).sum(dim=2), present)

    def logits(self, outputs: Any) -> torch.Tensor:
        """The logarithm of the mean probability, but for a constant."""
        seen: torch.Tensor = outputs[:, self.seen_]
        return seen.float().log_softmax(dim=2).logsumexp(dim=1)

    def finish(self, train: Dataset, validation: Slices) -> None:
        """Warn of heads that are left out."""
        super().finish(train, validation)
        for rater, seen in zip(self.raters_, self.seen_.tolist(), strict=True):
            if not seen:
                self.report_.warnings.append(f"rater {rater!r} judged nothing in the training part: its head is left out")


class _WithHeads(nn.Module):
    """A network whose last layer gives the logits [B, R, K, *S] of all raters."""

    def __init__(self, network: Backbone, n_raters: int) -> None:
        super().__init__()
        self.network, self.n_raters = network, n_raters

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.unflatten(self.network(images), 1, (self.n_raters, -1))
