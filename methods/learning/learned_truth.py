"""The base class of network methods that estimate a truth together with the raters' errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ...datasets.base import Dataset
from .alarms import labels_swapped, majority_counts, majority_dice, not_dominant, truth_left_majority
from .batches.slices import Slices
from .network import NetworkMethod

MONITORED = 256
"""Validation slices that are predicted after each epoch: enough for a Dice, and little work beside an epoch."""


def monitored_rows(slices: Slices) -> torch.Tensor:
    """Up to ``MONITORED`` rows of the slices, evenly spread over the cases."""
    return torch.linspace(0, len(slices) - 1, min(len(slices), MONITORED)).round().long()


class LearnedTruthMethod(NetworkMethod):
    """A network whose truth may differ from every rater; monitors its Dice with the majority of the raters.

    After ``fit``: ``unseen_``, the raters who judged no voxel of the training part. The report's ``majority_dice`` is
    measured on validation slices after each epoch, and its ``alarms`` say where the learned truth has left the majority or
    labels may be swapped.
    """

    listed = False
    needs_rater_identity = True
    learns_raters = True
    predicts_with = ("unseen_",)

    def prepare(self, train: Dataset, **options: Any) -> Slices:
        slices = super().prepare(train, **options)
        seen = slices.seen_raters().tolist()
        self.unseen_ = tuple(rater for rater, there in zip(self.raters_, seen, strict=True) if not there)
        return slices

    def end_epoch(self, module: nn.Module, epoch: int, validation: Slices) -> None:
        del module, epoch
        self.report_.majority_dice.append(majority_dice(self.counts_against_majority(validation)))

    def finish(self, train: Dataset, validation: Slices) -> None:
        """Add an alarm where the learned truth differs from what most raters mean."""
        report = self.report_
        report.alarms += truth_left_majority(report.majority_dice, report.best_epoch)
        report.alarms += labels_swapped(self.counts_against_majority(validation), train.classes)

    def checked_confusion(self, confusion: npt.NDArray[np.float64], train: Dataset) -> npt.NDArray[np.float64]:
        """Estimates [R, K, K] with NaN for raters that training never saw, with a warning, and alarms for what looks wrong."""
        for rater in sorted(self.unseen_):
            confusion[self.raters_.index(rater)] = np.nan
            self.report_.warnings.append(f"rater {rater!r} judged nothing in the training part: its confusion is not estimated")
        self.report_.alarms += not_dominant(confusion, train.classes)
        return confusion

    def by_rater(self, estimates: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        """Estimates [R, ...] by the raters' names, NaN for raters that training never saw."""
        named = zip(self.raters_, estimates, strict=True)
        return {rater: np.full_like(one, np.nan) if rater in self.unseen_ else one for rater, one in named}

    @torch.no_grad()
    def counts_against_majority(self, slices: Slices) -> npt.NDArray[np.int64]:
        """Voxels [K, K] that the learned truth calls i and the majority of the present raters calls j."""
        self.module_.eval()
        total = torch.zeros(self.n_classes_, self.n_classes_, dtype=torch.int64)
        for rows in monitored_rows(slices).split(4 * self.budget_.batch_size):
            batch = slices.batch(rows, self.device_)
            probability = self.recipe_.activate(self.logits(self.module_(batch.images)))
            total += majority_counts(probability, batch.ratings, batch.present).cpu()
        counts: npt.NDArray[np.int64] = total.numpy()
        return counts
