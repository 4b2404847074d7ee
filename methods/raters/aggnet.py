"""Expectation maximisation around a network: its probability is the prior of the truth, the raters' votes are the evidence."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import torch
from torch import nn

from ...datasets.base import Case, Dataset
from ...parameters import Range
from ..backbones.base import Backbone
from ..base import Prediction
from ..fit_report import FitReport
from ..learning.budget import Budget
from ..learning.learned_truth import LearnedTruthMethod
from ..learning.losses import LEAST, masked_mean, soft_cross_entropy
from ..learning.preparation import Batch, Slices
from .votes import confusion_of, count_votes, counted_votes, majority_of, summed_evidence

START = 0.8
"""The diagonal of the matrices before the majority vote sets them."""


class AggNet(LearnedTruthMethod):
    """EM with a network inside (Albarqouni et al. 2016): one confusion matrix a rater, for all voxels.

    E step: the posterior of the truth of a voxel is proportional to the network's probability times, of each present rater,
    the probability of the vote. M step: the network learns the posterior by cross-entropy, and a rater's matrix is how often
    the rater said what where the posterior has which class. An epoch is a round of EM: its matrices stay as they are, and the
    posteriors of its batches are counted for the next ones. The posterior is that of the network as it is at each step, so
    that a step descends the negative log-likelihood of the votes, which also is the validation loss.

    Like all matrices that all voxels share, these do not fix the truth: votes along outlines depend on one another, and then
    a truth near the rater who draws most may explain them best. So the matrices start from the majority vote, and the network
    learns that vote alone in the first epochs (``warmup``): an untrained network would be as good a prior for the wrong class.
    Alarms say where the truth leaves the majority nevertheless.

    Differences from published codes: the matrices' columns sum to 1 whatever the pseudo-count, the posterior is normalised, and
    absent raters have no effect.

    Args:
        warmup: share of the epochs in which the network learns the majority vote and the matrices keep their start.
        pseudo_count: voxels that are added to each entry of a matrix.
        budget: what all candidates share.

    After ``fit``: ``confusion_`` [R, K, K].
    """

    name = "aggnet"
    module_: _WithConfusion

    def __init__(
        self,
        *,
        warmup: Annotated[float, Range(0, 1)] = 0.2,
        pseudo_count: Annotated[float, Range(0, without="low")] = 1.0,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(budget=budget)
        self.warmup = warmup
        self.pseudo_count = pseudo_count

    def build(self, n_channels: int, n_classes: int, n_raters: int) -> nn.Module:
        return _WithConfusion(self.backbone(n_channels, n_classes), n_raters, n_classes)

    def train(self, module: nn.Module, slices: Slices, validation: Slices, report: FitReport, *, seed: int) -> None:
        """As ``NetworkMethod.train``, with matrices that start from the majority vote."""
        self._set_confusion(counted_votes(slices, majority_of, self.device_))
        super().train(module, slices, validation, report, seed=seed)

    def start_epoch(self, module: nn.Module, epoch: int) -> None:
        del module
        self.is_warm_ = epoch >= self.warmup * self.budget_.epochs
        self.counts_ = torch.zeros_like(self.module_.confusion, dtype=torch.float64)

    def step_loss(self, module: nn.Module, batch: Batch) -> torch.Tensor:
        logits = module(batch.images)
        if module.training:
            if not self.is_warm_:
                judged = batch.present.any(dim=1, keepdim=True)
                return soft_cross_entropy(logits.float(), majority_of(batch).unsqueeze(1), judged)
            posterior = self._joint(logits.detach(), batch.ratings, batch.present).softmax(dim=1)
            self.counts_ += count_votes(posterior, batch.ratings, batch.present)
        return self.loss(logits, batch.ratings, batch.present)

    def loss(self, outputs: torch.Tensor, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """The negative log-likelihood of a voxel's votes, the mean over judged voxels.

        Its gradient is that of the cross-entropy against the posterior.
        """
        likelihood = self._joint(outputs, ratings, present).logsumexp(dim=1, keepdim=True)
        return masked_mean(-likelihood, present.any(dim=1, keepdim=True))

    def end_epoch(self, module: nn.Module, epoch: int, validation: Slices) -> None:
        super().end_epoch(module, epoch, validation)
        if self.is_warm_:
            self._set_confusion(self.counts_)

    def finish(self, train: Dataset, validation: Slices) -> None:
        """Set ``confusion_`` [R, K, K], NaN for raters that training never saw, and warn of what looks wrong."""
        super().finish(train, validation)
        self.confusion_ = self.checked_confusion(self.module_.confusion.double().cpu().numpy(), train)
        if self.report_.best_epoch < self.warmup * self.budget_.epochs:
            self.report_.alarms.append("the epoch that was kept is one of the warm-up: the majority vote is all that was learned")

    def predict(self, case: Case, *, samples: int = 0, seed: int = 0) -> Prediction:
        """Probability, and each rater's matrix [K, K], the same for every case."""
        prediction = super().predict(case, samples=samples, seed=seed)
        return replace(prediction, rater_confusion=dict(zip(self.raters_, self.confusion_, strict=True)))

    def _joint(self, logits: torch.Tensor, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """The logarithm of the probability of a class and all votes, [B, K, *S]; its softmax is the posterior."""
        evidence = self.module_.confusion.clamp(min=LEAST).log()
        return logits.float().log_softmax(dim=1) + summed_evidence(evidence, ratings, present)

    def _set_confusion(self, counts: torch.Tensor) -> None:
        self.module_.confusion.copy_(confusion_of(counts, self.pseudo_count))


class _WithConfusion(nn.Module):
    """A network, and the raters' matrices ``confusion`` [R, K, K], which no gradient changes."""

    confusion: torch.Tensor

    def __init__(self, network: Backbone, n_raters: int, n_classes: int) -> None:
        super().__init__()
        self.network = network
        beside = (1 - START) / (n_classes - 1)
        matrix: Any = beside + (START - beside) * torch.eye(n_classes)
        self.register_buffer("confusion", matrix.expand(n_raters, -1, -1).clone())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.network(images)
        return logits
