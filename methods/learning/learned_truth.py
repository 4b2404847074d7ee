"""The base of network methods that learn a truth which no rater drew: they are watched, without knowing the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ...datasets.base import Dataset
from .alarms import agreement, agreement_counts, labels_swapped, truth_left_majority
from .network import NetworkMethod, absent_raters
from .preparation import Slices

WATCHED = 256
"""Validation slices that are looked at after each epoch: enough for a Dice, few beside an epoch."""


def watched(slices: Slices) -> torch.Tensor:
    """Rows of the slices that are looked at, evenly spread, so that no case stands for all."""
    return torch.linspace(0, len(slices) - 1, min(len(slices), WATCHED)).round().long()


class LearnedTruthMethod(NetworkMethod):
    """A network that may disagree with every rater, and says so when it disagrees with their majority.

    After ``fit``: ``agreements_``, Dice of the learned truth with the majority of the raters on validation slices, an entry
    an epoch; ``unseen_``, raters without a training case; ``alarms_``, those of the warnings that speak of what was learned:
    the learned truth has left the majority; labels may be swapped.
    """

    listed = False
    needs_rater_identity = True

    def initialise(self, train: Dataset, **options: Any) -> Slices:
        self.agreements_: list[float] = []
        self.alarms_: list[str] = []
        self.unseen_ = frozenset(absent_raters(train))
        return super().initialise(train, **options)

    def end_epoch(self, module: nn.Module, epoch: int, validation: Slices) -> None:
        del module, epoch
        self.agreements_.append(agreement(self.counts_against_majority(validation)))

    def finish(self, train: Dataset, validation: Slices) -> None:
        """Warn where the learned truth is not what most raters mean."""
        self.alarm(truth_left_majority(self.agreements_, self.training_.best_epoch))
        self.alarm(labels_swapped(self.counts_against_majority(validation), train.classes))

    def alarm(self, words: Sequence[str]) -> None:
        """Warn of what was learned; other warnings tell of the data."""
        self.alarms_ += words
        self.warnings_ += words

    @torch.no_grad()
    def counts_against_majority(self, slices: Slices) -> npt.NDArray[np.int64]:
        """Voxels [K, K] that the learned truth calls i and the majority of the present raters calls j."""
        self.module_.eval()
        total = torch.zeros(self.n_classes_, self.n_classes_, dtype=torch.int64)
        for rows in watched(slices).split(4 * self.budget_.batch_size):
            images, ratings, present = slices.batch(rows, self.device_)
            probability = self.recipe_.activate(self.logits(self.module_(images)))
            total += agreement_counts(probability, ratings, present).cpu()
        counts: npt.NDArray[np.int64] = total.numpy()
        return counts
