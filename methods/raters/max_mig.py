"""Max-MIG: a network and an aggregation of the votes that tell as much of each other as they can."""

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
from ..learning.losses import soft_cross_entropy
from ..learning.network import CHUNK
from ..learning.preparation import Batch, Slices
from .votes import confusion_of, counted_votes, majority_of, majority_shares, summed_evidence

START = 0.8
"""The diagonal of the matrices before the majority vote sets them."""
SMALLEST = 1e-4
"""What is added to the matrices of the majority vote before their logarithm is taken, as in the published code."""


class MaxMIG(LearnedTruthMethod):
    """Maximises the mutual information between a network and the raters' votes (Cao et al. 2019).

    The votes of a voxel are aggregated by a second classifier, the softmax of the sum over present raters of weights for the
    class that each says, plus the logarithm of the classes' prior. The loss (``max_mig_loss``) is a bound of minus the mutual
    information of both classifiers: they should agree on a voxel, and not on two different ones. In place of the paper's pairs
    of a few images, all pairs of judged voxels of a batch count, which takes a product of sums and no matrix of pairs.

    The weights start from the logarithm of the raters' confusion with the majority vote. Only that start says which class is
    which, so they keep it while the network learns the majority vote alone (``warmup``). The prior is that of the majority
    vote. Background is most of an image, and tells the network little: classes have weights by which they count more alike
    (``balance``). The network's logits remain those of the classes as frequent as they are: what the weights change is added
    to them in the loss.

    Args:
        warmup: share of the epochs in which the network learns the majority vote and the raters' weights keep their start.
        balance: 0 counts all voxels alike, as published. With 1 the classes of the majority vote count alike, however rare;
            in between, a voxel counts by its class' prior to the power of minus ``balance``.
        rater_learning_rate: Adam's for the raters' weights, through the same schedule.
        budget: what all candidates share.

    After ``fit``: ``confusion_`` [R, K, K], each rater's confusion with the truth that network and votes of the training cases
    say together; the published weights cannot be read as such, because a constant for all classes has no effect in them.
    """

    name = "max-mig"
    module_: _WithAggregation

    def __init__(
        self,
        *,
        warmup: Annotated[float, Range(0, 1)] = 0.2,
        balance: Annotated[float, Range(0, 1)] = 1.0,
        rater_learning_rate: Annotated[float, Range(0, without="low")] = 1e-3,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(budget=budget)
        self.warmup = warmup
        self.balance = balance
        self.rater_learning_rate = rater_learning_rate

    def prepare(self, train: Dataset, **options: Any) -> Slices:
        """As ``NetworkMethod.prepare``; sets the prior of the classes [K]."""
        slices = super().prepare(train, **options)
        counts = torch.ones(self.n_classes_, dtype=torch.float64)
        for rows in torch.arange(len(slices)).split(CHUNK):
            counts += majority_of(slices.batch(rows, self.device_)).transpose(0, 1).flatten(1).double().sum(dim=1).cpu()
        self.prior_ = (counts / counts.sum()).float().to(self.device_)
        return slices

    def build(self, n_channels: int, n_classes: int, n_raters: int) -> nn.Module:
        return _WithAggregation(self.backbone(n_channels, n_classes), n_raters, n_classes)

    def train(self, module: nn.Module, slices: Slices, validation: Slices, report: FitReport, *, seed: int) -> None:
        """As ``NetworkMethod.train``, with weights that start from the majority vote; then count the votes for ``confusion_``."""
        start = confusion_of(counted_votes(slices, majority_of, self.device_), SMALLEST)
        with torch.no_grad():
            self.module_.weight.copy_((start + SMALLEST).log())
        super().train(module, slices, validation, report, seed=seed)
        module.eval()
        self.counts_ = counted_votes(slices, self._aggregated, self.device_)

    def parameter_groups(self, module: nn.Module) -> list[dict[str, Any]]:
        del module
        raters = {"params": [self.module_.weight], "lr": self.rater_learning_rate, "weight_decay": 0.0}
        return [{"params": list(self.module_.network.parameters())}, raters]

    def start_epoch(self, module: nn.Module, epoch: int) -> None:
        del module
        self.is_warm_ = epoch >= self.warmup * self.budget_.epochs
        self.module_.weight.requires_grad_(self.is_warm_)

    def step_loss(self, module: nn.Module, batch: Batch) -> torch.Tensor:
        logits = module(batch.images)
        if module.training and not self.is_warm_:
            judged = batch.present.any(dim=1, keepdim=True)
            return soft_cross_entropy(logits.float(), majority_of(batch).unsqueeze(1), judged)
        return self.loss(logits, batch.ratings, batch.present)

    def loss(self, outputs: torch.Tensor, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        spatial = [1] * (outputs.ndim - 2)
        of_class = self.prior_.pow(-self.balance)
        of_class = of_class / (self.prior_ * of_class).sum()
        prior = self.prior_ * of_class  # of the classes among weighted voxels
        log_prior, shift = prior.log().view(-1, *spatial), of_class.log().view(-1, *spatial)
        weight = (majority_shares(ratings, present) * of_class.view(-1, *spatial)).sum(dim=1)
        left = (outputs.float() + shift).log_softmax(dim=1)
        right = (summed_evidence(self.module_.weight, ratings, present) + log_prior).log_softmax(dim=1)
        return max_mig_loss(left, right, prior, weight, present.any(dim=1).sum())

    def finish(self, train: Dataset, validation: Slices) -> None:
        """Set ``confusion_`` [R, K, K], NaN for raters that training never saw, and warn of what looks wrong."""
        super().finish(train, validation)
        self.confusion_ = self.checked_confusion(confusion_of(self.counts_, 1.0).numpy(), train)
        if self.report_.best_epoch < self.warmup * self.budget_.epochs:
            self.report_.alarms.append("the epoch that was kept is one of the warm-up: the majority vote is all that was learned")

    def predict(self, case: Case, *, samples: int = 0, seed: int = 0) -> Prediction:
        """Probability, and each rater's matrix [K, K], the same for every case."""
        prediction = super().predict(case, samples=samples, seed=seed)
        return replace(prediction, rater_confusion=dict(zip(self.raters_, self.confusion_, strict=True)))

    def _aggregated(self, batch: Batch) -> torch.Tensor:
        """The truth that network and votes say together, [B, K, *S]: proportional to their product over the prior."""
        gained = summed_evidence(self.module_.weight, batch.ratings, batch.present)
        return (self.module_(batch.images).float() + gained).softmax(dim=1)


def max_mig_loss(
    left: torch.Tensor, right: torch.Tensor, prior: torch.Tensor, weight: torch.Tensor, judged: torch.Tensor
) -> torch.Tensor:
    """Minus the bound of the mutual information of two classifiers by the Kullback-Leibler divergence (Cao et al. 2019).

    With ``m[a, b] = sum_k left_k(a) right_k(b) / prior_k`` of voxels a and b: minus the mean of ``1 + log m[a, a]``, plus the
    mean of ``m[a, b]`` over different a and b. A voxel counts ``weight`` times, a pair as often as the product of both.

    Args:
        left, right: the logarithms of the probabilities, [B, K, *S].
        prior: of the classes, [K].
        weight: of each voxel, [B, *S], 0 where nobody judged.
        judged: the number of judged voxels.
    """
    axes = [axis for axis in range(left.ndim) if axis != 1]
    log_prior = prior.log().view(-1, *[1] * (left.ndim - 2))
    same = (left + right - log_prior).logsumexp(dim=1)
    sums = [(weight.unsqueeze(1) * classifier.exp()).sum(dim=axes) for classifier in (left, right)]
    pairs = (sums[0] * sums[1] / prior).sum() - (weight.square() * same.exp()).sum()
    return pairs / (judged * (judged - 1)).clamp(min=1) - (weight * (same + 1)).sum() / judged.clamp(min=1)


class _WithAggregation(nn.Module):
    """A network, and the raters' weights [R, K, K]: ``[r, i, j]`` is what class j gains where rater r says i."""

    def __init__(self, network: Backbone, n_raters: int, n_classes: int) -> None:
        super().__init__()
        self.network = network
        beside = (1 - START) / (n_classes - 1)
        matrix = beside + (START - beside) * torch.eye(n_classes)
        self.weight = nn.Parameter(matrix.log().expand(n_raters, -1, -1).clone())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.network(images)
        return logits
