"""The base of network methods that learn a truth which no rater drew: they are watched, without knowing the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ...datasets.base import Dataset
from .alarms import labels_swapped, majority_counts, majority_dice, truth_left_majority
from .network import NetworkMethod, absent_raters
from .preparation import Slices

WATCHED = 256
"""Validation slices that are looked at after each epoch: enough for a Dice, few beside an epoch."""


def watched(slices: Slices) -> torch.Tensor:
    """Rows of the slices that are looked at, evenly spread, so that no case stands for all."""
    return torch.linspace(0, len(slices) - 1, min(len(slices), WATCHED)).round().long()


class LearnedTruthMethod(NetworkMethod):
    """A network that may disagree with every rater, and says so when it disagrees with their majority.

    After ``fit``: ``unseen_``, raters without a training case. The report's ``majority_dice`` is the Dice of the learned truth
    with the majority of the raters on validation slices after each epoch, and its ``alarms`` say where the learned truth has
    left the majority, or labels may be swapped.
    """

    listed = False
    needs_rater_identity = True

    def initialise(self, train: Dataset, **options: Any) -> Slices:
        self.unseen_ = frozenset(absent_raters(train))
        return super().initialise(train, **options)

    def end_epoch(self, module: nn.Module, epoch: int, validation: Slices) -> None:
        del module, epoch
        self.report_.majority_dice.append(majority_dice(self.counts_against_majority(validation)))

    def finish(self, train: Dataset, validation: Slices) -> None:
        """Warn where the learned truth is not what most raters mean."""
        report = self.report_
        report.alarms += truth_left_majority(report.majority_dice, report.best_epoch)
        report.alarms += labels_swapped(self.counts_against_majority(validation), train.classes)

    def by_rater(self, estimates: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        """Estimates [R, ...] by the raters' names, NaN for raters that training never saw."""
        named = zip(self.raters_, estimates, strict=True)
        return {rater: np.full_like(one, np.nan) if rater in self.unseen_ else one for rater, one in named}

    @torch.no_grad()
    def counts_against_majority(self, slices: Slices) -> npt.NDArray[np.int64]:
        """Voxels [K, K] that the learned truth calls i and the majority of the present raters calls j."""
        self.module_.eval()
        total = torch.zeros(self.n_classes_, self.n_classes_, dtype=torch.int64)
        for rows in watched(slices).split(4 * self.budget_.batch_size):
            images, ratings, present = slices.batch(rows, self.device_)
            probability = self.recipe_.activate(self.logits(self.module_(images)))
            total += majority_counts(probability, ratings, present).cpu()
        counts: npt.NDArray[np.int64] = total.numpy()
        return counts
