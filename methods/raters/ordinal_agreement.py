"""How many raters mark a voxel, as a number whose distribution is learned."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import nn

from ...datasets.base import Dataset
from ...voxel_counts import is_judged
from ..learning.budget import Budget
from ..learning.losses import LEAST, ranked_probability_score
from ..learning.network import NetworkMethod
from ..learning.precision import full_precision


class OrdinalAgreement(NetworkMethod):
    """Predicts how many raters mark a voxel, and learns by the ranked probability score of the number that did.

    A number is an ordinal target: to predict that three of five mark a voxel where four do is nearly right, and cross-entropy
    would not know. The score (Epstein 1969) is the squared distance of the two distribution functions, here the mean over
    thresholds and judged voxels. It needs no names of raters. Where fewer judged a voxel than the largest number of raters M of
    a training case, what they say is compared with what so many raters, drawn from M at random, would say. For two classes.

    Args:
        foreground: its probability. ``share``: the expected share of raters who mark the voxel; ``majority``: the probability
            that more than half of M raters do, where a half counts half.
        budget: what all candidates share.

    After ``fit``: ``most_``, the number M.
    """

    predicts_with = ("most_",)

    def __init__(self, *, foreground: Literal["share", "majority"] = "share", budget: Budget | None = None) -> None:
        super().__init__(budget=budget)
        self.foreground = foreground

    def skip_reason(self, dataset: Dataset) -> str | None:
        if dataset.n_classes != 2:
            return f"it counts the raters who mark a voxel, which is for two classes, and there are {dataset.n_classes}"
        return super().skip_reason(dataset)

    def fit_targets(self, train: Dataset) -> None:
        self.most_ = max(1, *(sum(is_judged(labels) for labels in case.ratings.values()) for case in train))

    def build(self, n_channels: int, n_classes: int, n_raters: int) -> nn.Module:
        del n_classes, n_raters
        return self.backbone(n_channels, self.most_ + 1)

    def loss(self, outputs: torch.Tensor, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """As there, with ``outputs`` the logits [B, M+1, *S] of the numbers."""
        predicted = outputs.float().softmax(dim=1).movedim(1, -1)
        judges, marks = present.sum(dim=1), (ratings[:, :, 1] * present).sum(dim=1)
        total = 0 * outputs.float().sum()
        with full_precision(outputs):
            for m in range(1, int(judges.max()) + 1):
                there, fewer = judges == m, min(m, self.most_)
                numbers = predicted[there] @ thinning(self.most_, fewer).to(predicted).T
                total = total + ranked_probability_score(numbers, marks[there] * (fewer / m)).sum()
        return total / (judges > 0).sum().clamp(min=1)

    def logits(self, outputs: torch.Tensor) -> torch.Tensor:
        numbers = outputs.float().softmax(dim=1)
        counts = torch.arange(self.most_ + 1, device=numbers.device).view(-1, *[1] * (numbers.ndim - 2))
        shares = counts / self.most_
        worth = shares if self.foreground == "share" else (torch.sign(shares - 0.5) + 1) / 2
        marked = (numbers * worth).sum(dim=1, keepdim=True).clamp(0, 1)
        return torch.cat([1 - marked, marked], dim=1).clamp(min=LEAST).log()


def thinning(of: int, drawn: int) -> torch.Tensor:
    """The probability [drawn+1, of+1] that n of ``drawn`` raters mark a voxel if c of all ``of`` do: hypergeometric."""
    draws = math.comb(of, drawn)
    return torch.tensor(
        [[math.comb(c, n) * math.comb(of - c, drawn - n) / draws for c in range(of + 1)] for n in range(drawn + 1)]
    )
