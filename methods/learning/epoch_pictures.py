"""How the prediction of one validation slice changes over epochs, kept for a figure."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ..fit_report import EpochPictures
from .batches.slices import Slices
from .budget import Budget


class Predictor(Protocol):
    """What gives the probabilities [B, K, h, w] of a window of images [B, C, H, W], of patches in each of their planes."""

    def slice_probability(self, module: nn.Module, images: torch.Tensor, window: tuple[slice, slice]) -> torch.Tensor: ...


class EpochWatch:
    """Keeps the predictions of the middle slice of the first validation case after ``budget.keep_epochs`` epochs.

    The slice does not depend on what is learned, so that it is the same for all candidates. Kept is the part that a rater
    judged, without the padding.
    Predicting draws no random numbers and leaves the weights as they are, so that training is the same with and without it.
    """

    def __init__(self, predictor: Predictor, validation: Slices, budget: Budget, device: torch.device) -> None:
        self.predictor, self.device = predictor, device
        self.epochs = kept_epochs(budget)
        self.found: dict[int, npt.NDArray[np.uint8]] = {}
        self.best: tuple[int, npt.NDArray[np.uint8]] | None = None
        if self.epochs:
            row = int((validation.cases == validation.cases[0]).sum()) // 2
            batch = validation.batch(torch.tensor([row]), torch.device("cpu"))
            self.images, judged = batch.images, _plane(batch.present[0].any(dim=0))
            self.window = _extent(judged.any(dim=1)), _extent(judged.any(dim=0))

    @torch.no_grad()
    def add(self, module: nn.Module, epoch: int, best_epoch: int) -> None:
        """Keep the prediction after ``epoch`` if it is one of those, or the best until now."""
        if not self.epochs or (epoch not in self.epochs and epoch != best_epoch):
            return
        module.eval()
        probability = self.predictor.slice_probability(module, self.images.to(self.device), self.window)
        foreground = (255 * (1 - _plane(probability[0, 0]).float())).round().clamp(0, 255).byte().cpu().numpy()
        if epoch in self.epochs:
            self.found[epoch] = foreground
        if epoch == best_epoch:
            self.best = epoch, foreground

    def pictures(self) -> EpochPictures | None:
        """All that was kept; None where nothing was asked for."""
        if self.best is None:
            return None
        image = _plane(self.images[0, 0])[self.window].numpy()
        low, high = np.percentile(image, [0.5, 99.5])
        scaled = (255 * np.clip((image - low) / max(high - low, 1e-6), 0, 1)).astype(np.uint8)
        epochs = (*self.found, self.best[0])
        return EpochPictures(scaled, epochs, np.stack([*self.found.values(), self.best[1]]))


def _plane(maps: torch.Tensor) -> torch.Tensor:
    """[H, W] as it is, and of a patch [D, H, W] the middle plane."""
    return maps if maps.ndim == 2 else maps[len(maps) // 2]


def _extent(some: torch.Tensor) -> slice:
    """From the first to the last True of [n]; all of it where nothing is True, as in a slice that nobody judged."""
    places = some.nonzero()
    if not len(places):
        return slice(0, len(some))
    return slice(int(places[0]), int(places[-1]) + 1)


def kept_epochs(budget: Budget) -> tuple[int, ...]:
    """The epochs that are kept, from 0: the first, the last, and between them at equal ratios; fewer where these coincide."""
    if not budget.keep_epochs:
        return ()
    return tuple(sorted({int(epoch) - 1 for epoch in np.geomspace(1, budget.epochs, budget.keep_epochs).round()}))
