"""One network for each rater, and the one that validation cases like best."""

from __future__ import annotations

import numpy as np
import torch

from ...datasets.base import Dataset
from ..fit_report import Trial
from ..learning.alarms import majority_counts, majority_dice
from ..learning.batches.slices import Slices
from ..learning.network import rows_in_chunks
from ..networks.separate_networks import SeparateNetworks


class BestRater(SeparateNetworks):
    """Trains a network on each rater alone, as ``SeparateNetworks``, and predicts with one of them.

    That is the one with the largest Dice with the majority of the raters on the validation slices, the first of equals; no test
    case takes part in the choice. It answers whether combining raters is worth more than choosing one.

    Args:
        recipe, budget: as in ``NetworkMethod``.

    After ``fit``: ``best_rater_``. The report has each rater's Dice in ``trials``.
    """

    predicts_with = ("best_rater_",)

    def finish(self, train: Dataset, validation: Slices) -> None:
        """Choose the rater, and report as ``NetworkMethod``."""
        dice = {rater: self._majority_dice(self.raters_.index(rater), validation) for rater in self.trained_raters_}
        self.best_rater_ = max(dice, key=dice.__getitem__)
        self.report_.trials = [Trial({"rater": rater}, score) for rater, score in dice.items()]
        super().finish(train, validation)

    def predicting_raters(self) -> tuple[str, ...]:
        return (self.best_rater_,)

    @torch.no_grad()
    def _majority_dice(self, r: int, slices: Slices) -> float:
        """Dice between the network of rater ``r`` and the majority, pooled over all slices."""
        counts = np.zeros((self.n_classes_, self.n_classes_), np.int64)
        self.module_.eval()
        for rows in rows_in_chunks(slices):
            batch = slices.batch(rows, self.device_)
            probability = self.recipe_.activate(self.module_.networks[r](batch.images))
            counts += majority_counts(probability, batch.ratings, batch.present).cpu().numpy()
        return majority_dice(counts)
