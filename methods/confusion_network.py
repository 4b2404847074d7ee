"""Learn every rater's confusion matrix beside the segmentation."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from ..datasets.base import Case, Dataset
from .backbone import SegmentationNetwork
from .budget import Budget
from .losses import masked_mean
from .network import NetworkMethod, absent_raters, nan_confusion


class Outputs(NamedTuple):
    """``logits`` [B, K, *S] of the truth, ``rated`` [B, R, K, *S]: what each rater is expected to say."""

    logits: torch.Tensor
    rated: torch.Tensor


class ConfusionNetwork(NetworkMethod):
    """A segmentation network and one confusion matrix a rater, learned together (Zhang et al. 2020, eq. 4).

    The network's probabilities p are taken through each rater's matrix A (``A[i, j] = p(rater says i, given the truth is
    j)``, columns sum to 1), and the negative log-likelihood of what present raters said is the loss, plus a weight times the
    trace of A. Unlike the published code, the likelihood is that of A p itself, not of a second softmax of it, and a rater
    who is absent takes no part.

    The truth is known only up to a relabelling: what keeps its meaning is the start. The matrices begin near the identity,
    stay there while the network learns from all raters (``warmup``), and then have a learning rate of their own.

    Args:
        trace_weight: lambda, the weight of the trace, which is minimised; its mean over present (voxel, rater) pairs.
        diagonal: where the diagonals start.
        matrix_learning_rate: Adam's for the matrices, through the same cosine schedule.
        warmup: share of the epochs during which the matrices are kept at their start.
        budget: what all candidates share.
    """

    module_: _WithConfusion

    def __init__(
        self,
        *,
        trace_weight: float = 0.01,
        diagonal: float = 0.9,
        matrix_learning_rate: float = 1e-2,
        warmup: float = 0.2,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(budget=budget)
        self.trace_weight = trace_weight
        self.diagonal = diagonal
        self.matrix_learning_rate = matrix_learning_rate
        self.warmup = warmup

    def loss(self, outputs: Outputs, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        surprise = -(ratings * outputs.rated.clamp(min=1e-7).log()).sum(dim=2)
        trace = self.module_.confusion().diagonal(dim1=1, dim2=2).sum(dim=1)
        # As in eq. 4 the trace counts once for each pair that is present, so an absent rater's matrix is left alone.
        return masked_mean(surprise + self.trace_weight * trace.view(-1, *[1] * (present.ndim - 2)), present)

    def build(self, n_channels: int, n_classes: int, n_raters: int) -> nn.Module:
        network = SegmentationNetwork(n_channels, n_classes, self.budget_.features)
        return _WithConfusion(network, n_raters, n_classes, self.diagonal)

    def logits(self, outputs: Outputs) -> torch.Tensor:
        return outputs.logits

    def parameter_groups(self, module: nn.Module) -> list[dict[str, Any]]:
        matrices = self.module_.matrix_logits
        return [
            {"params": [parameter for parameter in module.parameters() if parameter is not matrices]},
            {"params": [matrices], "lr": self.matrix_learning_rate, "weight_decay": 0.0},
        ]

    def start_epoch(self, module: nn.Module, epoch: int) -> None:
        del module
        self.module_.matrix_logits.requires_grad_(epoch >= self.warmup * self.budget_.epochs)

    def finish(self, train: Dataset, validation: Dataset) -> None:
        """Set ``confusion_`` [R, K, K], NaN for raters that training never saw, and warn of what looks wrong."""
        del validation
        with torch.no_grad():
            self.confusion_ = self.module_.confusion().double().cpu().numpy()
        for rater in absent_raters(train):
            self.confusion_[train.raters.index(rater)] = nan_confusion(self.n_classes_)
            self.warnings_.append(f"rater {rater!r} rated no training case: its confusion is not estimated")
        diagonal = np.diagonal(self.confusion_, axis1=1, axis2=2)
        if np.nanmin(np.nanmean(diagonal, axis=0)) < 0.5:
            self.warnings_.append("the raters' mean matrix is not diagonally dominant: the learned truth may be relabelled")

    def rater_confusion(self, case: Case) -> dict[str, npt.NDArray[np.float64]]:
        """Each rater's matrix [K, K], the same for every case."""
        del case
        return dict(zip(self.raters_, self.confusion_, strict=True))


class _WithConfusion(nn.Module):
    """A network and matrices A = softmax of ``matrix_logits`` [R, K, K] over the observed class."""

    def __init__(self, network: SegmentationNetwork, n_raters: int, n_classes: int, diagonal: float) -> None:
        super().__init__()
        self.network = network
        start = math.log(diagonal * (n_classes - 1) / (1 - diagonal))
        self.matrix_logits = nn.Parameter(start * torch.eye(n_classes).repeat(n_raters, 1, 1))

    def confusion(self) -> torch.Tensor:
        """[R, K, K], columns sum to 1."""
        return self.matrix_logits.softmax(dim=1)

    def forward(self, images: torch.Tensor) -> Outputs:
        logits = self.network(images)
        matrices = self.confusion()
        # A p at every voxel for every rater is one 1x1 convolution of p, in float32: bfloat16 cannot tell .998 from 1.
        weight = matrices.flatten(0, 1)[..., None, None]
        with torch.autocast(images.device.type, enabled=False):
            rated = functional.conv2d(logits.float().softmax(dim=1), weight)
        return Outputs(logits, rated.unflatten(1, matrices.shape[:2]))
