"""One threshold of the brightness for all images: what any network should beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

import numpy as np
import numpy.typing as npt
import torch

from ...datasets.base import Case, Dataset, Floats
from ...errors import RaterbenchError
from ...parameters import Range
from ...voxel_counts import dice_from_counts
from ..base import Method
from ..fit_report import FitReport

PERCENT = 100
NO_OBJECT = "no label has an object, so that the threshold is that of the brightest voxels"
ROUNDING = 1e-6
"""What keeps an intensity of exactly some percent there, in units of a percent."""


class IntensityThreshold(Method):
    """Foreground is what is at least so bright, in percent of the brightest voxel of its image (Vadineanu 2025, section 3.4).

    The threshold is the one of 1, 2 ... 100 with the best Dice of all training and validation voxels together, each present
    rating counted, the lowest of equals. Where an image has negative values, percents count from its darkest voxel. Predictions
    are certain: 0 or 1. For two classes.

    Args:
        channel: which channel of the image.
        dark: objects are darker than the background: percents count from the brightest voxel down to the darkest.

    After ``fit``: ``threshold_``, in percent.
    """

    def __init__(self, *, channel: Annotated[int, Range(0, 1000)] = 0, dark: bool = False) -> None:
        self.channel = channel
        self.dark = dark

    def skip_reason(self, dataset: Dataset) -> str | None:
        return None if dataset.n_classes == 2 else f"one threshold makes two classes, and there are {dataset.n_classes}"

    def n_networks(self, n_raters: int) -> int:
        del n_raters
        return 0

    def fit(self, train: Dataset, validation: Dataset, *, seed: int, device: str | torch.device = "cpu") -> Self:
        """Try all thresholds; nothing is drawn. Without an object in any label it is 100 %, the brightest voxels.

        Raises:
            RaterbenchError: no voxel of any case is judged.
        """
        del seed, device
        self.check_parameters()
        counts = np.zeros((2, PERCENT + 1), np.int64)  # voxels of each label at each percent
        for part in (train, validation):
            for case in part:
                percent = self._percent(case)
                for labels in case.ratings.values():
                    for k in range(2):
                        counts[k] += np.bincount(percent[labels == k], minlength=PERCENT + 1)
        if not counts.any():
            raise RaterbenchError(f"nobody judged a voxel of the {len(train) + len(validation)} training and validation cases")
        above = counts[:, ::-1].cumsum(axis=1)[:, ::-1]  # at each percent or brighter
        dice = dice_from_counts(above[1], above.sum(axis=0), counts[1].sum())[1:]
        # Of equally good thresholds the lowest; where no label has an object, all have a Dice of 0.
        self.threshold_ = int(np.argmax(dice)) + 1 if counts[1].any() else PERCENT
        self.report_ = FitReport(warnings=[] if counts[1].any() else [NO_OBJECT])
        return self

    def fit_report(self) -> FitReport:
        return self.report_

    def predict_proba(self, case: Case) -> Floats:
        bright = self._percent(case) >= self.threshold_
        return np.stack([~bright, bright]).astype(np.float32)

    def weights(self) -> Mapping[str, torch.Tensor]:
        return {"threshold": torch.tensor(self.threshold_)}

    def facts(self) -> Mapping[str, Any]:
        return {}

    def restore(
        self, weights: Mapping[str, torch.Tensor], facts: Mapping[str, Any], *, device: str | torch.device = "cpu"
    ) -> Self:
        del facts, device
        self.check_parameters()
        self.threshold_, self.report_ = int(weights["threshold"]), FitReport()
        return self

    def _percent(self, case: Case) -> npt.NDArray[np.intp]:
        """The brightness of each voxel [*S] in whole percent, rounded down."""
        if self.channel >= len(case.image):
            raise RaterbenchError(
                f"channel = {self.channel}, but the image of case {case.id!r} has {len(case.image)}: channels count from 0"
            )
        image = case.image[self.channel].astype(np.float64)
        low, high = min(0.0, float(image.min())), float(image.max())
        if self.dark:
            image, low, high = -image, -high, -float(image.min())
        share = (image - low) / (high - low) if high > low else np.zeros_like(image)
        percent: npt.NDArray[np.intp] = np.floor(PERCENT * share + ROUNDING).astype(np.intp)
        return percent
