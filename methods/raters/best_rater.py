"""One network for each rater, and the one that validation cases like best."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from ...datasets.base import Dataset
from ..fit_report import Trial
from ..learning.alarms import majority_counts, majority_dice
from ..learning.batches.slices import Slices
from ..learning.network import chunk_size, rows_in_chunks
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
        for rows in self._rows(slices):
            batch = slices.batch(rows, self.device_)
            logits = torch.cat([self.module_.networks[r](images) for images in batch.images.split(chunk_size(slices))])
            ratings, present = batch.ratings, batch.present
            if self.recipe_.compares_voxels:  # Not with padding, as in a prediction.
                judged = _extent(present)
                logits, ratings, present = logits[judged], ratings[judged], present[judged]
            counts += majority_counts(self.recipe_.activate(logits), ratings, present).cpu().numpy()
        return majority_dice(counts)

    def _rows(self, slices: Slices) -> Iterable[torch.Tensor]:
        """The rows in chunks, or those of each case together where the recipe compares the voxels of a case."""
        if not self.recipe_.compares_voxels:
            return rows_in_chunks(slices)
        return [(slices.cases == case).nonzero()[:, 0] for case in slices.cases.unique()]


def _extent(present: torch.Tensor) -> Any:
    """``...`` and for each axis from the first to the last place at which anybody judged a voxel, of [B, R, *S]."""
    some = present.flatten(0, 1).any(dim=0)
    places = some.nonzero()
    return ..., *(slice(int(low), int(high) + 1) for low, high in zip(places.amin(0), places.amax(0), strict=True))
