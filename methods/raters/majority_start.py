"""The base class of methods that estimate a truth and the raters, and start from the majority vote."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ...datasets.base import Case, Dataset
from ...parameters import Range
from ..base import Prediction
from ..learning.batches.slices import Batch, Slices
from ..learning.budget import Budget
from ..learning.learned_truth import LearnedTruthMethod
from ..learning.losses import soft_cross_entropy
from .votes import majority_of

Warmup = Annotated[float, Range(0, 1)]
START = 0.8
"""The diagonal of the raters' matrices before the majority vote sets them."""


class MajorityStart(LearnedTruthMethod):
    """A network that learns the majority vote alone in its first epochs, and one matrix a rater that starts from that vote.

    An untrained network is as good a guide to the wrong truth as to the right one: what it says by chance would become the
    raters' matrices, and these would teach it the same again.

    Args:
        warmup: share of the epochs in which the network learns the majority vote, and the raters' part keeps its start.
        budget: what all candidates share.

    After ``fit``: ``confusion_`` [R, K, K], NaN for raters that training never saw.
    """

    listed = False
    predicts_with = ("confusion_",)

    def __init__(self, *, warmup: Warmup = 0.2, budget: Budget | None = None) -> None:
        super().__init__(budget=budget)
        self.warmup = warmup

    def prepare(self, train: Dataset, **options: Any) -> Slices:
        self.is_warmed_up_ = False
        return super().prepare(train, **options)

    def start_epoch(self, module: nn.Module, epoch: int) -> None:
        del module
        self.is_warmed_up_ = epoch >= self.warmup * self.budget_.epochs

    def step_loss(self, module: nn.Module, batch: Batch) -> torch.Tensor:
        """The method's own loss; in the warm-up of training, cross-entropy against the majority vote."""
        logits = module(batch.images)
        if module.training and not self.is_warmed_up_:
            judged = batch.present.any(dim=1, keepdim=True)
            return soft_cross_entropy(logits.float(), majority_of(batch).unsqueeze(1), judged)
        return self.loss(logits, batch.ratings, batch.present)

    @abstractmethod
    def confusion(self) -> npt.NDArray[np.float64]:
        """The raters' matrices [R, K, K] that were learned, with any numbers for raters that training never saw."""

    def finish(self, train: Dataset, validation: Slices) -> None:
        """Set ``confusion_``, and warn of what looks wrong."""
        super().finish(train, validation)
        self.confusion_ = self.checked_confusion(self.confusion(), train)
        if self.report_.best_epoch < self.warmup * self.budget_.epochs:
            self.report_.alarms.append("the epoch that was kept is one of the warm-up: only the majority vote was learned")

    def predict(self, case: Case, *, samples: int = 0, seed: int = 0) -> Prediction:
        """Probability, and each rater's matrix [K, K], the same for every case."""
        prediction = super().predict(case, samples=samples, seed=seed)
        return replace(prediction, rater_confusion=dict(zip(self.raters_, self.confusion_, strict=True)))


def starting_matrices(n_raters: int, n_classes: int) -> torch.Tensor:
    """Equal matrices [R, K, K] with the diagonal ``START``, until the majority vote sets them."""
    beside = (1 - START) / (n_classes - 1)
    matrix = beside + (START - beside) * torch.eye(n_classes)
    return matrix.expand(n_raters, -1, -1).clone()
