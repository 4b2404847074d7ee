"""One network a rater: what is learned when nobody's labels are mixed with another's."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from ...datasets.base import Case, Dataset, Floats
from ...seeds import derived_seed
from ..learning.network import CHUNK, NetworkMethod
from ..learning.preparation import Slices, prepare_image, restore
from ..learning.training import LAYERS, Training
from ..learning.training import train as run_training


class SeparateNetworks(NetworkMethod):
    """A network trained on each rater alone; the prediction is the mean of their probabilities (Zhang et al. 2020).

    All networks start from the same weights and have the whole budget each, so a unit takes as many times longer as there are
    raters. A rater's network sees the slices of which that rater judged a voxel, and stops by that rater's validation loss. A
    rater who judged nothing in the validation part has the epoch of the least training loss, and one who judged nothing in
    the training part has no network; both are said in ``warnings_``.

    After ``fit``: ``trainings_``, how each rater's training went, by name; ``training_`` is their mean.
    """

    module_: _SideBySide
    needs_rater_identity = True

    def loss(self, outputs: torch.Tensor, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """The mean over raters of the recipe's loss of each network, logits [B, R, K, *S], against its own rater."""
        judged = [r for r in range(outputs.shape[1]) if present[:, r].any()]
        if not judged:
            return 0 * outputs.sum()
        losses = [self.recipe_.loss(outputs[:, r], ratings[:, r : r + 1], present[:, r : r + 1]) for r in judged]
        return torch.stack(losses).mean()

    def build(self, n_channels: int, n_classes: int, n_raters: int) -> nn.Module:
        network = super().build(n_channels, n_classes, n_raters)
        return _SideBySide(copy.deepcopy(network) for _ in range(n_raters))

    def n_networks(self, n_raters: int) -> int:
        return n_raters

    def fit(self, train: Dataset, validation: Dataset, *, seed: int, device: str | torch.device = "cpu") -> Self:
        """Train the networks one after the other, each with the same seed."""
        slices = self.initialise(train, seed=seed, device=device)
        held_out = self.slices(validation)
        self.trainings_: dict[str, Training] = {}
        for r, rater in enumerate(self.raters_):
            mine, theirs = _of_rater(slices, r), _of_rater(held_out, r)
            if not len(mine):
                self.warnings_.append(f"rater {rater!r} judged nothing in the training part: there is no network for it")
                continue
            if not len(theirs):
                theirs = mine
                self.warnings_.append(
                    f"rater {rater!r} judged nothing in the validation part: its network has the least training loss"
                )
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(derived_seed(seed, LAYERS))
                network = _SideBySide([self.module_.networks[r]])
                self.trainings_[rater] = run_training(self, network, mine, theirs, seed=seed, device=self.device_)
        self.training_ = mean_training(list(self.trainings_.values()))
        self.finish(train, held_out)
        return self

    @torch.no_grad()
    def predict_proba(self, case: Case) -> Floats:
        """Probability [K, *S] float32, the mean over the raters seen in training, in the case's own geometry."""
        self.module_.eval()
        chunks = prepare_image(case, self.preparation_).to(self.device_).split(CHUNK)
        networks = [self.module_.networks[self.raters_.index(rater)] for rater in self.trainings_]
        # One network after the other: all logits of a volume for many raters at once would not fit into memory.
        total: Any = sum(self.recipe_.activate(torch.cat([network(chunk) for chunk in chunks])) for network in networks)
        return restore(total / len(networks), case, self.preparation_)


class _SideBySide(nn.Module):
    """Networks that share nothing: images [B, C, H, W] to logits [B, R, K, H, W]."""

    def __init__(self, networks: Iterable[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.stack([network(images) for network in self.networks], dim=1)


def _of_rater(slices: Slices, r: int) -> Slices:
    """The slices of which one rater judged a voxel, with this rater alone."""
    return Slices(slices.images, slices.ratings[:, r : r + 1], slices.present[:, r : r + 1]).judged()


def mean_training(trainings: list[Training]) -> Training:
    """One curve for several trainings: each epoch's mean over those that had not stopped; the latest of the best epochs."""
    length = max(len(training.curve) for training in trainings)
    curve = []
    for epoch in range(length):
        losses = [training.curve[epoch][1:] for training in trainings if epoch < len(training.curve)]
        fitted, validated = np.mean(losses, axis=0).tolist()
        curve.append((epoch, fitted, validated))
    return Training(curve, max(training.best_epoch for training in trainings))
