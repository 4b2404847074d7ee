"""Max-MIG: a network and an aggregation of the votes that tell as much of each other as they can."""

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
from ..learning.batches.slices import Batch, Slices
from ..learning.budget import Budget
from ..learning.network import rows_in_chunks
from .majority_start import MajorityStart, Warmup, starting_matrices
from .votes import confusion_of, counted_votes, majority_of, majority_shares, summed_evidence

SMALLEST = 1e-4
"""What is added to the matrices of the majority vote before their logarithm is taken, as in the published code."""


class MaxMIG(MajorityStart):
    """Maximises the mutual information between a network and the raters' votes (Cao et al. 2019).

    The votes of a voxel are aggregated by a second classifier: the softmax of the sum over present raters of weights for the
    class that each says, plus the logarithm of the classes' prior. The loss (``max_mig_loss``) is a bound of minus the mutual
    information of both classifiers: they should agree on a voxel, and not on two different ones. In place of the paper's pairs
    of a few images, all pairs of judged voxels of a batch count, which takes a product of sums and no matrix of pairs.

    The weights start from the logarithm of the raters' confusion with the majority vote, and only that says which class is
    which. The prior is that of the majority vote. Background is most of an image and tells the network little, so classes can
    count alike (``balance``). The network's logits remain those of classes that are as frequent as they are: what the weights
    change is added to them in the loss.

    The raters' matrices are those of the votes on training cases against the truth that network and votes say together. The
    learned weights cannot be read as such: a constant for all classes has no effect in them.

    Args:
        warmup: as in ``MajorityStart``.
        balance: 0 counts all voxels alike, as published. With 1 the classes of the majority vote count alike, however rare;
            in between, a voxel counts as its class' prior to the power of minus ``balance``.
        rater_learning_rate: Adam's for the raters' weights, through the same schedule.
        budget: what all candidates share.
    """

    name = "max-mig"
    module_: _WithAggregation

    def __init__(
        self,
        *,
        warmup: Warmup = 0.2,
        balance: Annotated[float, Range(0, 1)] = 1.0,
        rater_learning_rate: Annotated[float, Range(0, without="low")] = 1e-3,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(warmup=warmup, budget=budget)
        self.balance = balance
        self.rater_learning_rate = rater_learning_rate

    def prepare(self, train: Dataset, **options: Any) -> Slices:
        """As ``NetworkMethod.prepare``; sets the prior of the classes [K]."""
        slices = super().prepare(train, **options)
        counts = torch.ones(self.n_classes_, dtype=torch.float64)
        for rows in rows_in_chunks(slices):
            counts += majority_of(slices.batch(rows, self.device_)).transpose(0, 1).flatten(1).double().sum(dim=1).cpu()
        self.prior_ = (counts / counts.sum()).float().to(self.device_)
        return slices

    def build(self, n_channels: int, n_classes: int, n_raters: int) -> nn.Module:
        return _WithAggregation(self.backbone(n_channels, n_classes), n_raters, n_classes)

    def train(self, module: nn.Module, slices: Slices, validation: Slices, report: FitReport, *, seed: int) -> None:
        """As ``NetworkMethod.train``, with weights that start from the majority vote; then count the votes."""
        start = confusion_of(counted_votes(slices, majority_of, self.device_), 1.0)
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
        super().start_epoch(module, epoch)
        self.module_.weight.requires_grad_(self.is_warmed_up_)

    def loss(self, outputs: torch.Tensor, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        factor = self.prior_.pow(-self.balance)
        factor = factor / (self.prior_ * factor).sum()
        prior = self.prior_ * factor  # of the classes of voxels that count so often
        along_classes = (-1, *[1] * (outputs.ndim - 2))
        weight = (majority_shares(ratings, present) * factor.view(along_classes)).sum(dim=1)
        left = (outputs.float() + factor.log().view(along_classes)).log_softmax(dim=1)
        gained = summed_evidence(self.module_.weight, ratings, present)
        right = (gained + prior.log().view(along_classes)).log_softmax(dim=1)
        return max_mig_loss(left, right, prior, weight, present.any(dim=1).sum())

    def confusion(self) -> npt.NDArray[np.float64]:
        matrices: npt.NDArray[np.float64] = confusion_of(self.counts_, 1.0).numpy()
        return matrices

    def _aggregated(self, batch: Batch) -> torch.Tensor:
        """The truth that network and votes say together, [B, K, *S]: proportional to their product over the prior."""
        gained = summed_evidence(self.module_.weight, batch.ratings, batch.present)
        logits: torch.Tensor = self.module_(batch.images).float()
        return (logits + gained).softmax(dim=1)


def max_mig_loss(
    left: torch.Tensor, right: torch.Tensor, prior: torch.Tensor, weight: torch.Tensor, judged: torch.Tensor
) -> torch.Tensor:
    """Minus the bound of the mutual information of two classifiers by the Kullback-Leibler divergence (Cao et al. 2019).

    With ``m[a, b] = sum_k left_k(a) right_k(b) / prior_k`` of voxels a and b: minus the mean of ``1 + log m[a, a]``, plus the
    mean of ``m[a, b]`` over different a and b. A voxel counts ``weight`` times, and a pair as often as the product of both.

    ``left`` and ``right`` [B, K, *S] are the logarithms of the probabilities, ``prior`` [K] is that of the classes, ``weight``
    [B, *S] is 0 where nobody judged, and ``judged`` is the number of the other voxels.
    """
    axes = [axis for axis in range(left.ndim) if axis != 1]
    log_prior = prior.log().view(-1, *[1] * (left.ndim - 2))
    same = (left + right - log_prior).logsumexp(dim=1)
    of_left, of_right = ((weight.unsqueeze(1) * classifier.exp()).sum(dim=axes) for classifier in (left, right))
    pairs = (of_left * of_right / prior).sum() - (weight.square() * same.exp()).sum()
    return pairs / (judged * (judged - 1)).clamp(min=1) - (weight * (same + 1)).sum() / judged.clamp(min=1)


class _WithAggregation(nn.Module):
    """A network, and the raters' weights [R, K, K]: ``[r, i, j]`` is what class j gains where rater r says i."""

    def __init__(self, network: Backbone, n_raters: int, n_classes: int) -> None:
        super().__init__()
        self.network = network
        self.weight = nn.Parameter(starting_matrices(n_raters, n_classes).log())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.network(images)
        return logits
