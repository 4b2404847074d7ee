"""Expectation maximisation around a network: its probability is the prior of the truth, the raters' votes are the evidence."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ...datasets.base import Dataset
from ...parameters import Range
from ..backbones.base import Backbone
from ..fit_report import FitReport
from ..learning.batches.slices import Slices
from ..learning.budget import Budget
from ..learning.losses import masked_mean
from .majority_start import MajorityStart, Warmup, starting_matrices
from .votes import confusion_of, count_votes, counted_votes, majority_of, summed_evidence


class AggNet(MajorityStart):
    """EM with a network inside (Albarqouni et al. 2016): one confusion matrix a rater, for all voxels.

    E step: the posterior of the truth of a voxel is proportional to the network's probability times, for each present rater,
    the probability of the vote. M step: the network learns the posterior by cross-entropy, and a rater's matrix is how often
    the rater said what where the posterior has which class. An epoch is a round of EM: its matrices stay as they are, and the
    posteriors of its batches are counted for the next ones. The posterior is that of the network as it is at each step, so
    that a step descends the negative log-likelihood of the votes, which also is the validation loss.

    Like all matrices that all voxels share, these do not fix the truth: votes along outlines depend on one another, and then
    a truth near the rater who draws most may explain them best. Each round moves the matrices there, and the network, which
    is the prior of the next round, follows. So the matrices start from the majority vote, as the network does
    (``MajorityStart``), and the votes count against the majority, too, beside the posterior (``anchor``): a prior of the
    matrices with these counts. The published method has no such prior. Alarms say where the truth leaves the majority
    nevertheless.

    Differences from published codes: columns of the matrices sum to 1 whatever the pseudo-count, the posterior is normalised,
    and absent raters have no effect.

    Args:
        warmup: as in ``MajorityStart``.
        pseudo_count: voxels that are added to each entry of a matrix.
        anchor: how often each vote counts against the majority while it counts once against the posterior; 0 is plain maximum
            likelihood, as published.
        budget: what all candidates share.
    """

    name = "aggnet"
    module_: _WithConfusion

    def __init__(
        self,
        *,
        warmup: Warmup = 0.2,
        pseudo_count: Annotated[float, Range(0, without="low")] = 1.0,
        anchor: Annotated[float, Range(0, 1_000_000)] = 1.0,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(warmup=warmup, budget=budget)
        self.pseudo_count = pseudo_count
        self.anchor = anchor

    def prepare(self, train: Dataset, **options: Any) -> Slices:
        slices = super().prepare(train, **options)
        self.counts_ = torch.zeros_like(self.module_.confusion, dtype=torch.float64)
        return slices

    def build(self, n_channels: int, n_classes: int, n_raters: int) -> nn.Module:
        return _WithConfusion(self.backbone(n_channels, n_classes), n_raters, n_classes)

    def train(self, module: nn.Module, slices: Slices, validation: Slices, report: FitReport, *, seed: int) -> None:
        """As ``NetworkMethod.train``, with matrices that start from the majority vote."""
        self.of_majority_ = counted_votes(slices, majority_of, self.device_).to(self.device_)
        self._set_confusion(self.of_majority_)
        super().train(module, slices, validation, report, seed=seed)

    def start_epoch(self, module: nn.Module, epoch: int) -> None:
        super().start_epoch(module, epoch)
        self.counts_.zero_()

    def loss(self, outputs: torch.Tensor, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """The negative log-likelihood of a voxel's votes, the mean over judged voxels; in training it counts the posterior.

        Its gradient is that of the cross-entropy against the posterior.
        """
        evidence = summed_evidence(self.module_.confusion.log(), ratings, present)
        joint = outputs.float().log_softmax(dim=1) + evidence
        if self.module_.training:
            self.counts_ += count_votes(joint.detach().softmax(dim=1), ratings, present)
        return masked_mean(-joint.logsumexp(dim=1, keepdim=True), present.any(dim=1, keepdim=True))

    def end_epoch(self, module: nn.Module, epoch: int, validation: Slices) -> None:
        super().end_epoch(module, epoch, validation)
        if self.is_warmed_up_:
            # An epoch may have several passes, so the votes are counted again as often as its posteriors were.
            passes = self.counts_.sum() / self.of_majority_.sum()
            self._set_confusion(self.counts_ + self.anchor * passes * self.of_majority_)

    def confusion(self) -> npt.NDArray[np.float64]:
        matrices: npt.NDArray[np.float64] = self.module_.confusion.double().cpu().numpy()
        return matrices

    def _set_confusion(self, counts: torch.Tensor) -> None:
        self.module_.confusion.copy_(confusion_of(counts, self.pseudo_count))


class _WithConfusion(nn.Module):
    """A network, and the raters' matrices ``confusion`` [R, K, K], which no gradient changes."""

    confusion: torch.Tensor

    def __init__(self, network: Backbone, n_raters: int, n_classes: int) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("confusion", starting_matrices(n_raters, n_classes))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.network(images)
        return logits
