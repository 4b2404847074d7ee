"""Cheap annotations as partial ones: what they mark is believed, and what they do not mark is unknown."""

from __future__ import annotations

import copy
from typing import Annotated

import torch
from torch import nn

from ...errors import RaterbenchError
from ...parameters import Range
from ..fit_report import FitReport
from ..learning.batches.slices import Batch, Slices
from ..learning.budget import Budget
from ..learning.recipes import Recipe
from .two_quality_network import TwoQualityNetwork
from .views import HQ, LQ


class PartialLabelling(TwoQualityNetwork):
    """Believes the objects of a cheap annotation, and its background only where a teacher sees background, too.

    Careful annotations are learned as they are. A background voxel of a cheap one enters the loss where the teacher, whose
    weights are a running mean of the network's, gives the foreground less than ``certainty``, and no such voxel enters before
    the ``warmup`` is over. What validates are the careful annotations of the validation part, or, where it has none, the cheap
    ones as they are.

    Our own definition after the competitor of that name in Vadineanu (2025, table 3.3), whose code samples the background from
    the true labels, which nobody has.

    Args:
        decay: of the running mean, in each step.
        certainty: the foreground's probability below which the teacher is sure of background.
        warmup: share of the epochs without background from cheap annotations.
        hq, lq, recipe, budget: as in ``TwoQualityNetwork``.
    """

    listed = True
    teacher_: nn.Module | None = None

    def __init__(
        self,
        *,
        decay: Annotated[float, Range(0, 1, without="high")] = 0.99,
        certainty: Annotated[float, Range(0, 1)] = 0.05,
        warmup: Annotated[float, Range(0, 1)] = 0.2,
        hq: tuple[str, ...] = HQ,
        lq: tuple[str, ...] = LQ,
        recipe: Recipe | None = None,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(hq=hq, lq=lq, recipe=recipe, budget=budget)
        self.decay = decay
        self.certainty = certainty
        self.warmup = warmup

    def train(self, module: nn.Module, slices: Slices, validation: Slices, report: FitReport, *, seed: int) -> None:
        """As ``NetworkMethod.train``, with a teacher.

        Raises:
            RaterbenchError: no training case has a careful annotation, so that nothing says what background is.
        """
        careful = torch.from_numpy(self._careful())
        if not (slices.seen_raters() & careful).any():
            raise RaterbenchError(
                f"no training case is annotated by {' or '.join(map(repr, self.hq))}, so that background cannot be learned: "
                "choose other cases, or pool both parts (annotation-budget)"
            )
        only = validation.only_raters(careful)
        if not len(only):
            report.warnings.append("the validation part has no careful annotation: cheap ones chose the best epoch")
        self.teacher_ = copy.deepcopy(module).requires_grad_(False).eval()
        super().train(module, slices, only if len(only) else validation, report, seed=seed)
        self.teacher_ = None

    def start_epoch(self, module: nn.Module, epoch: int) -> None:
        del module
        self.is_warmed_up_ = epoch >= self.warmup * self.budget_.epochs

    def step_loss(self, module: nn.Module, batch: Batch) -> torch.Tensor:
        present = batch.present
        if module.training and self.teacher_ is not None:
            self._follow(module, self.teacher_)
            present = present & self._believed(batch, self.teacher_)
        return self.loss(module(batch.images), batch.ratings, present)

    @torch.no_grad()
    def _believed(self, batch: Batch, teacher: nn.Module) -> torch.Tensor:
        """Where a rater is believed [B, R, *S]: careful ones everywhere, cheap ones where they mark, or the teacher agrees."""
        cheap = torch.from_numpy(~self._careful()).to(batch.present.device).view(-1, *[1] * (batch.present.ndim - 2))
        believed = ~cheap | (batch.ratings[:, :, 0] <= 0.5)
        if self.is_warmed_up_:
            background = self.recipe_.activate(self.logits(teacher(batch.images)).float())[:, :1]
            believed = believed | (1 - background < self.certainty)
        return believed

    @torch.no_grad()
    def _follow(self, module: nn.Module, teacher: nn.Module) -> None:
        for mean, new in zip(teacher.parameters(), module.parameters(), strict=True):
            mean.lerp_(new, 1 - self.decay)
        for kept, buffer in zip(teacher.buffers(), module.buffers(), strict=True):
            kept.copy_(buffer)
