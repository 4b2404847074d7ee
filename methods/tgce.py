"""Truncated generalised cross-entropy: a loss that learns where each rater can be relied on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..datasets.base import Case, Dataset, Floats
from ..datasets.errors import RaterbenchError
from ..datasets.preparation import restore_maps
from .backbone import SegmentationNetwork
from .budget import Budget
from .losses import truncated_generalised_cross_entropy
from .network import NetworkMethod, absent_raters

LEVELS = ("scalar", "features", "pixel")
FORMS = ("recommended", "thesis")


class Outputs(NamedTuple):
    """``logits`` [B, K, *S] and each rater's ``reliability`` in 0..1, [B, R, *S] (or broadcastable to it)."""

    logits: torch.Tensor
    reliability: torch.Tensor


class TGCE(NetworkMethod):
    """Generalised cross-entropy against each present rater, weighed by a learned reliability (Lotero 2025, eq. 2-6).

    Where a rater is judged unreliable the loss is a constant instead, so that its votes stop pulling. The loss is linear in
    the reliability: it is a gate that opens where the vote has more than ``floor`` of the network's probability, and must
    not be read as a graded measure of a rater's quality.

    Args:
        q: 0 is cross-entropy, 1 the mean absolute error.
        level: a reliability for each rater and image (``scalar``), coarse map (``features``) or voxel (``pixel``).
        form: ``recommended`` sums over classes, so that the gate opens above ``floor``; ``thesis`` divides the data term by
            the number of classes, as printed, so that almost every vote looks reliable.
        floor: tau; None is 1/K, a vote no better than chance.
        budget: what all candidates share.
    """

    def __init__(
        self,
        *,
        q: float = 0.5,
        level: str = "scalar",
        form: str = "recommended",
        floor: float | None = None,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(budget=budget)
        self.q = q
        self.level = level
        self.form = form
        self.floor = floor

    def loss(self, outputs: Outputs, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        n_classes = ratings.shape[2]
        return truncated_generalised_cross_entropy(
            outputs.logits.float().softmax(dim=1),
            ratings,
            present,
            outputs.reliability.float(),
            q=self.q,
            floor=1 / n_classes if self.floor is None else self.floor,
            class_mean=self.form == "thesis",
        )

    def build(self, n_channels: int, n_classes: int, n_raters: int) -> nn.Module:
        if self.level not in LEVELS or self.form not in FORMS:
            raise RaterbenchError(f"TGCE has the levels {LEVELS} and the forms {FORMS}, not {self.level!r} and {self.form!r}")
        network = SegmentationNetwork(n_channels, n_classes, self.budget_.features)
        return _WithReliability(network, n_raters, self.level)

    def logits(self, outputs: Outputs) -> torch.Tensor:
        return outputs.logits

    def finish(self, train: Dataset, validation: Dataset) -> None:
        """Note which raters training never saw."""
        del validation
        self.unseen_ = frozenset(absent_raters(train))
        for rater in sorted(self.unseen_):
            self.warnings_.append(f"rater {rater!r} rated no training case: its reliability is not estimated")

    @torch.no_grad()
    def rater_reliability(self, case: Case) -> dict[str, Floats]:
        """Each rater's gate at every voxel of the case, [*S] float32 in 0..1, NaN for a rater training never saw."""
        maps = restore_maps(self.outputs(case).reliability, case, self.preparation_).clip(0, 1)
        unknown = np.full(case.shape, np.nan, dtype=np.float32)
        return {rater: unknown if rater in self.unseen_ else maps[r] for r, rater in enumerate(self.raters_)}


class _WithReliability(nn.Module):
    """A network and a 1x1 convolution to one sigmoid a rater, from the bottleneck or from the last features."""

    def __init__(self, network: SegmentationNetwork, n_raters: int, level: str) -> None:
        super().__init__()
        self.network, self.level = network, level
        width = network.decoder_width if level == "pixel" else network.bottleneck_width
        self.head = nn.Conv2d(width, n_raters, kernel_size=1)
        # All raters start mostly reliable, so that the first epochs learn from everybody.
        for parameter, start in zip(self.head.parameters(), (0.0, 2.0), strict=True):
            nn.init.constant_(parameter, start)

    def forward(self, images: torch.Tensor) -> Outputs:
        decoder, bottleneck = self.network.features(images)
        source = decoder if self.level == "pixel" else bottleneck
        if self.level == "scalar":
            source = source.mean(dim=(2, 3), keepdim=True)
        reliability = self.head(source).sigmoid()
        if self.level != "pixel":
            reliability = functional.interpolate(reliability, size=images.shape[2:], mode="bilinear", align_corners=False)
        return Outputs(self.network.final_conv(decoder), reliability)
