"""Generalised cross-entropy: between cross-entropy, which learns fast, and absolute error, which tolerates wrong labels."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import nn

from ...datasets.base import Dataset
from ...parameters import Range
from ..learning.batches.slices import Slices
from ..learning.budget import Budget
from ..learning.losses import generalised_cross_entropy
from ..learning.network import NetworkMethod


class GCE(NetworkMethod):
    """Generalised cross-entropy against every present rater, all with the same weight (Zhang and Sabuncu 2018).

    The loss of a vote is (1 - p^q) / q, where p is the network's probability of it: the larger q, the smaller the gradient of
    votes that the network finds unlikely, and the slower it learns. It equals TGCE with every gate open. With truncation, a
    vote with p of at most ``truncation`` has no gradient. An untrained network gives every vote about 1/K, so a larger
    truncation would leave out all votes: as in the paper, the first epochs have none.

    Args:
        q: 0 is cross-entropy, 1 is half the absolute error; the paper's is .7.
        truncation: k, from 0 (none) to below 1; the paper's is .5.
        warmup: share of the epochs without truncation.
        budget: what all candidates share.
    """

    def __init__(
        self,
        *,
        q: Annotated[float, Range(0, 1)] = 0.7,
        truncation: Annotated[float, Range(0, 1, without="high")] = 0.0,
        warmup: Annotated[float, Range(0, 1)] = 0.4,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(budget=budget)
        self.q = q
        self.truncation = truncation
        self.warmup = warmup

    def loss(self, outputs: Any, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        return generalised_cross_entropy(outputs.float(), ratings, present, q=self.q, truncation=self.truncation_, logits=True)

    def prepare(self, train: Dataset, *, seed: int, device: str | torch.device = "cpu") -> Slices:
        """As ``NetworkMethod.prepare``; training starts without truncation."""
        self.truncation_ = 0.0
        return super().prepare(train, seed=seed, device=device)

    def start_epoch(self, module: nn.Module, epoch: int) -> None:
        del module
        self.truncation_ = self.truncation if epoch >= self.warmup * self.budget_.epochs else 0.0
