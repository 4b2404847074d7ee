"""The frequency of each class, whatever the image shows: what costs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import torch

from ...datasets.base import IGNORE, Case, Dataset, Floats
from ...errors import RaterbenchError
from ..base import Method


class ClassFrequencies(Method):
    """Predicts at every voxel how often raters named each class in training and validation cases.

    It does not look at the image: the floor for probabilities, and a segmenter for studies that are not about segmentation.

    After ``fit``: ``frequencies_`` [K].
    """

    def n_networks(self, n_raters: int) -> int:
        del n_raters
        return 0

    def fit(self, train: Dataset, validation: Dataset, *, seed: int, device: str | torch.device = "cpu") -> Self:
        """Count the labels of all raters; nothing is drawn.

        Raises:
            RaterbenchError: no voxel of any case is judged.
        """
        del seed, device
        self.check_parameters()
        counts = np.zeros(IGNORE + 1, np.int64)
        for part in (train, validation):
            for case in part:
                for labels in case.ratings.values():
                    counts += np.bincount(labels.ravel(), minlength=IGNORE + 1)
        judged = counts[: train.n_classes]
        if not judged.any():
            raise RaterbenchError(f"nobody judged a voxel of the {len(train) + len(validation)} training and validation cases")
        self.frequencies_ = judged / judged.sum()
        return self

    def predict_proba(self, case: Case) -> Floats:
        column = self.frequencies_.astype(np.float32).reshape(-1, *[1] * len(case.shape))
        return np.broadcast_to(column, (len(column), *case.shape)).copy()

    def weights(self) -> dict[str, torch.Tensor]:
        return {"frequencies": torch.from_numpy(self.frequencies_)}

    def facts(self) -> Mapping[str, Any]:
        return {}

    def restore(
        self, weights: Mapping[str, torch.Tensor], facts: Mapping[str, Any], *, device: str | torch.device = "cpu"
    ) -> Self:
        del facts, device
        self.frequencies_ = weights["frequencies"].cpu().numpy()
        return self
