"""Learn every rater's confusion matrix together with the segmentation."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ...datasets.base import Case, Dataset
from ...parameters import Range
from ..backbones.base import Backbone
from ..base import Prediction
from ..learning.batches.slices import Slices
from ..learning.budget import Budget
from ..learning.confusion_matrices import (
    MatrixHead,
    expected_votes,
    matrices,
    n_parameters,
    negative_log_likelihood,
    normalise_columns,
    starting_diagonal,
    starting_point,
    trace,
)
from ..learning.learned_truth import LearnedTruthMethod, monitored_rows
from ..learning.losses import masked_mean, summed_votes
from ..learning.preparation import restore_maps

Level = Literal["global", "image", "pixel"]
LEVELS = get_args(Level)
Start = Literal["identity", "random"]
Rank = Annotated[int, Range(1)]
TraceWeight = Annotated[float, Range()]
Diagonal = Annotated[float, Range(0, 1, without="low")]
LearningRate = Annotated[float, Range(0, without="low")]
Warmup = Annotated[float, Range(0, 1)]
Anchor = Annotated[float, Range(0)]


class ConfusionOutputs(NamedTuple):
    """``logits`` [B, K, *S] of the truth, ``confusion`` [B, R, K, K, *S], with spatial axes of length 1 where shared."""

    logits: torch.Tensor
    confusion: torch.Tensor


class ConfusionNetwork(LearnedTruthMethod):
    """A segmentation network and confusion matrices of the raters, learned together (Zhang et al. 2020, eq. 4).

    The network's probabilities p are multiplied by each rater's matrix A (``A[i, j] = p(rater says i, given the truth is
    j)``, columns sum to 1). The loss is the negative log-likelihood of the present raters' labels, plus a weight times the
    trace of A. Unlike in the published code, the likelihood is that of A p itself and not of a second softmax of it, and
    absent raters have no effect.

    The likelihood does not identify the truth: any p explains the ratings if the matrices compensate for it. The
    initialisation fixes which class is which. The matrices start near the identity and stay there while the network learns
    from all raters (``warmup``); then they change slowly, and the loss that the start would have is added to their own
    (``anchor``), so where the likelihood is flat the truth remains what most raters mean. A matrix of every voxel can follow
    what raters do along outlines; one matrix for all voxels cannot, and then a truth near the rater who draws too much may
    explain the others best. A strong trace term prefers exchanged labels, because their matrices have a smaller trace. Both
    give alarms: the learned truth leaves the majority of the raters, or the matrices are no longer diagonally dominant. The
    paper has no warm-up and no anchor (0 and 0).

    Args:
        level: one matrix a rater (``global``), one a rater and image (``image``), or one at every voxel (``pixel``).
        rank: None for full matrices; else ``B2 B1 + s I`` with factors of this rank. Their terms differ at the start, as in the
            published code, whose start is random; here they add up to the same start as that of full matrices.
        trace_weight: lambda, the weight of the trace, which is minimised; its mean over present (voxel, rater) pairs.
        start: ``identity``, near the identity; or ``random``, as in the published code, for comparison.
        diagonal: the diagonal at the start, above 1/K. 1 becomes 1 - 1e-6, because a matrix of exactly 0 and 1 has no
            gradient.
        matrix_learning_rate: Adam's for the matrices, through the same cosine schedule.
        warmup: share of the epochs during which the matrices are kept at their start.
        anchor: weight of the negative log-likelihood under matrices that stay at their start; 0 leaves it out.
        budget: what all candidates share.
    """

    module_: WithMatrices
    predicts_with = ("confusion_",)

    def __init__(
        self,
        *,
        level: Level = "pixel",
        rank: Rank | None = None,
        trace_weight: TraceWeight = 0.01,
        start: Start = "identity",
        diagonal: Diagonal = 0.8,
        matrix_learning_rate: LearningRate = 1e-3,
        warmup: Warmup = 0.2,
        anchor: Anchor = 0.3,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(budget=budget)
        self.level = level
        self.rank = rank
        self.trace_weight = trace_weight
        self.start = start
        self.diagonal = diagonal
        self.matrix_learning_rate = matrix_learning_rate
        self.warmup = warmup
        self.anchor = anchor

    def loss(self, outputs: ConfusionOutputs, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        expected = expected_votes(outputs.confusion, outputs.logits.float().softmax(dim=1))
        values = negative_log_likelihood(expected, ratings)
        if self.trace_weight:
            # As in eq. 4 the trace counts once for each pair that is present, so an absent rater's matrix is left alone.
            values = values + self.trace_weight * trace(outputs.confusion)
        loss = masked_mean(values, present)
        return loss + self.anchor * self._loss_at_start(outputs.logits, ratings, present) if self.anchor else loss

    def _loss_at_start(self, logits: torch.Tensor, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """The loss if all matrices were still at their start, with one value on the diagonal and one beside it."""
        diagonal = starting_diagonal(logits.shape[1], self.diagonal)
        beside = (1 - diagonal) / (logits.shape[1] - 1)
        expected = beside + (diagonal - beside) * logits.float().softmax(dim=1)
        return -(summed_votes(ratings, present) * expected.log()).sum() / present.sum().clamp(min=1)

    def build(self, n_channels: int, n_classes: int, n_raters: int) -> nn.Module:
        starting_diagonal(n_classes, self.diagonal)
        network = self.backbone(n_channels, n_classes)
        return WithMatrices(network, self.head(network, n_classes, n_raters), n_classes, self.rank)

    def head(self, network: Backbone, n_classes: int, n_raters: int) -> nn.Module:
        """The part that gives the matrices' parameters from the network's features."""
        start = starting_point(n_classes, self.rank, self.diagonal) if self.start == "identity" else None
        return MatrixHead(self.level, network, n_raters, n_parameters(n_classes, self.rank), start)

    def logits(self, outputs: ConfusionOutputs) -> torch.Tensor:
        return outputs.logits

    def parameter_groups(self, module: nn.Module) -> list[dict[str, Any]]:
        del module
        return [
            {"params": list(self.module_.network.parameters())},
            {"params": list(self.module_.head.parameters()), "lr": self.matrix_learning_rate, "weight_decay": 0.0},
        ]

    def start_epoch(self, module: nn.Module, epoch: int) -> None:
        del module
        self.module_.head.requires_grad_(epoch >= self.warmup * self.budget_.epochs)

    def finish(self, train: Dataset, validation: Slices) -> None:
        """Set ``confusion_`` [R, K, K], NaN for raters that training never saw, and warn of what looks wrong."""
        super().finish(train, validation)
        self.confusion_ = self.checked_confusion(self.mean_confusion(validation), train)
        if self.report_.best_epoch < self.warmup * self.budget_.epochs:
            self.report_.alarms.append("the epoch that was kept is one of the warm-up: the matrices are still at their start")

    @torch.no_grad()
    def mean_confusion(self, slices: Slices) -> npt.NDArray[np.float64]:
        """Each rater's mean matrix [R, K, K] over judged voxels, column j weighted by the learned probability of class j."""
        self.module_.eval()
        total = torch.zeros(len(self.raters_), self.n_classes_, self.n_classes_, dtype=torch.float64)
        for rows in monitored_rows(slices).split(4 * self.budget_.batch_size):
            batch = slices.batch(rows, self.device_)
            outputs = self.module_(batch.images)
            weight = outputs.logits.float().softmax(dim=1) * batch.present.any(dim=1, keepdim=True)
            total += (outputs.confusion * weight[:, None, None]).sum(dim=(0, *range(4, outputs.confusion.ndim))).double().cpu()
        mean: npt.NDArray[np.float64] = normalise_columns(total, observed=1).numpy()
        return mean

    @torch.no_grad()
    def predict(self, case: Case, *, samples: int = 0, seed: int = 0) -> Prediction:
        """Probability, and of each rater the matrix on this case and the probability of being right; NaN if never seen.

        A matrix is [K, K], or of every voxel [K, K, *S] where the level is ``pixel`` or the case has several slices.
        """
        del samples, seed
        logits, confusion, right = self.outputs(case, _with_reliability)
        if self.level == "global":
            estimates: npt.NDArray[Any] = self.confusion_
        elif len(confusion) == 1 and confusion.shape[4:].numel() == 1:
            estimates = confusion.flatten(4)[0, ..., 0].double().cpu().numpy()
        else:
            maps = confusion.expand(*confusion.shape[:4], *logits.shape[2:])
            estimates = restore_maps(maps, case, self.preparation_)
        return replace(
            self.segmentation(self.probability(logits, case), case),
            rater_confusion=self.by_rater(estimates),
            rater_reliability=self.by_rater(restore_maps(right, case, self.preparation_).clip(0, 1)),
        )


def _with_reliability(outputs: ConfusionOutputs) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The outputs, and the probability [B, R, *S] that each rater says the truth."""
    diagonal = outputs.confusion.diagonal(dim1=2, dim2=3).movedim(-1, 2)
    return *outputs, (diagonal * outputs.logits.float().softmax(dim=1).unsqueeze(1)).sum(dim=2)


class WithMatrices(nn.Module):
    """A network, and a ``head`` from its features (decoder, bottleneck) to the matrices' parameters [B, R, C, *S]."""

    def __init__(self, network: Backbone, head: nn.Module, n_classes: int, rank: int | None) -> None:
        super().__init__()
        self.network, self.head = network, head
        self.n_classes, self.rank = n_classes, rank

    def forward(self, images: torch.Tensor) -> ConfusionOutputs:
        decoder, bottleneck = self.network.features(images)
        logits = self.network.classify(decoder)
        return ConfusionOutputs(logits, matrices(self.head(decoder, bottleneck), self.n_classes, self.rank))
