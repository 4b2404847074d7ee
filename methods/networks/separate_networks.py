"""One network for each rater, trained on the labels of that rater alone."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from ...datasets.base import Case, Dataset
from ..base import Prediction
from ..fit_report import FitReport
from ..learning.network import NetworkMethod


class SeparateNetworks(NetworkMethod):
    """A network trained on each rater alone; the prediction is the mean of their probabilities (Zhang et al. 2020).

    All networks start from the same weights, and each has the whole budget, so training time grows with the number of raters.
    A rater's network is trained on the slices of which that rater judged a voxel, and stops by that rater's validation loss.
    For a rater who judged nothing in the validation part the training slices validate, and one who judged nothing in the
    training part has no network; the report warns of both.

    After ``fit``: ``trained_raters_``, whose networks were trained. The report has the mean of all curves, and each rater's own
    report in ``stages``.
    """

    module_: _SideBySide
    needs_rater_identity = True
    predicts_with = ("trained_raters_",)

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
        slices = self.prepare(train, seed=seed, device=device)
        held_out = self.slices(validation)
        report = self.report_
        for r, rater in enumerate(self.raters_):
            mine, theirs = slices.of_rater(r), held_out.of_rater(r)
            if not len(mine):
                report.warnings.append(f"rater {rater!r} judged nothing in the training part: there is no network for it")
                continue
            if not len(theirs):
                theirs = mine
                report.warnings.append(
                    f"rater {rater!r} judged nothing in the validation part: its network has the least training loss"
                )
            report.stages[rater] = FitReport()
            self.train(_SideBySide([self.module_.networks[r]]), mine, theirs, report.stages[rater], seed=seed)
        self.trained_raters_ = tuple(report.stages)
        report.curve = mean_curve([own.curve for own in report.stages.values()])
        report.best_epoch = max(own.best_epoch for own in report.stages.values())
        self.finish(train, held_out)
        return self

    def slice_probability(self, module: nn.Module, images: torch.Tensor, window: tuple[slice, slice]) -> torch.Tensor:
        """The mean over the networks of ``module``: in training the one that learns."""
        assert isinstance(module, _SideBySide)
        return torch.stack(
            [super(SeparateNetworks, self).slice_probability(one, images, window) for one in module.networks]
        ).mean(0)

    def predicting_raters(self) -> tuple[str, ...]:
        """The raters whose networks make the prediction: those seen in training."""
        return self.trained_raters_

    @torch.no_grad()
    def predict(self, case: Case, *, samples: int = 0, seed: int = 0) -> Prediction:
        """Probability [K, *S] float32, the mean over ``predicting_raters``, in the case's own geometry."""
        del samples, seed
        self.module_.eval()
        networks = [self.module_.networks[self.raters_.index(rater)] for rater in self.predicting_raters()]
        # One network after the other: all logits of a volume for many raters at once would not fit into memory.
        total: Any = sum(self.probability(self.predicted(case, network), case) for network in networks)
        return self.segmentation(total / len(networks), case)


class _SideBySide(nn.Module):
    """Networks without shared weights: images [B, C, *S] to logits [B, R, K, *S]."""

    def __init__(self, networks: Iterable[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.stack([network(images) for network in self.networks], dim=1)


def mean_curve(curves: Sequence[Sequence[tuple[int, float, float]]]) -> list[tuple[int, float, float]]:
    """One curve for several trainings: each epoch's mean losses over the trainings that had not stopped before."""
    mean = []
    for epoch in range(max(len(curve) for curve in curves)):
        losses = [curve[epoch][1:] for curve in curves if epoch < len(curve)]
        training, validation = np.mean(losses, axis=0).tolist()
        mean.append((epoch, training, validation))
    return mean
