"""The base class of diagnosis networks that are trained, and their training loop."""

from __future__ import annotations

import copy
import math
from abc import abstractmethod
from dataclasses import replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR

from ...datasets.cache.array_files import Arrays
from ...datasets.cache.disk_cache import kept
from ...errors import RaterbenchError
from ...seeds import derived_seed
from ..fit_report import FitReport
from ..learning.augmentation import augment
from ..learning.batches.slices import Batch
from ..learning.budget import Budget
from ..learning.training import BATCHES, Diverged
from .base import DiagnosisBudget, DiagnosisNetwork, two_columns
from .slices import UNKNOWN, MaskedSlices

CHUNK = 64
"""Slices that go through the network at once where no gradient is needed."""
RISE = 0.1
"""The share of all steps in which the learning rate rises."""


class TrainedDiagnosis(DiagnosisNetwork):
    """A diagnosis network with one logit, trained by cross-entropy in which both diagnoses weigh the same.

    A subclass implements ``build``. It may override ``learned_slices`` (what is learned from), ``loss`` and ``after_step``.

    The predicted probability is that among as many cases of each diagnosis as there were in training: the logarithm of the
    weight is taken off the logit again. This changes no order.

    After ``fit``: ``module_``, ``log_weight_``, ``report_``, ``device_``.
    """

    module_: nn.Module

    @abstractmethod
    def build(self, n_channels: int, n_classes: int, budget: DiagnosisBudget) -> nn.Module:
        """The network from images [B, C, H, W] and soft masks [B, K, H, W] to logits [B]."""

    def learned_slices(self, train: MaskedSlices, *, seed: int) -> MaskedSlices:
        """The training slices that are learned from: by default those with a known diagnosis."""
        del seed
        return train.known()

    def loss(self, module: nn.Module, batch: MaskedSlices, weight: torch.Tensor) -> torch.Tensor:
        """The scalar to minimise in training; ``weight`` is that of the second diagnosis."""
        return cross_entropy(module(batch.images, batch.masks), batch.diagnoses, weight)

    def after_step(self, module: nn.Module) -> None:
        """Called after each step, for example to follow the weights."""

    def fit(
        self,
        train: MaskedSlices,
        validation: MaskedSlices,
        *,
        seed: int,
        budget: DiagnosisBudget | None = None,
        device: str | torch.device = "cpu",
    ) -> Self:
        """Train and keep the weights of the least validation loss.

        The process's cache keeps them, if there is one: the same networks judge all candidates of a fold.

        Raises:
            RaterbenchError: no training slice has a known diagnosis.
            Diverged: the loss became infinite or NaN.
        """
        self.check_parameters()
        budget, self.device_ = budget if budget is not None else DiagnosisBudget(), torch.device(device)
        self.report_ = report = FitReport()
        train = self.learned_slices(train, seed=seed)
        weight, held_out = self._weight(train), validation.known()
        if not len(held_out):
            held_out = train.known()
            report.warnings.append("no validation case has a known diagnosis: the epoch has the least training loss")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module = self.build(train.images.shape[1], train.masks.shape[1], budget).to(self.device_)

        def made_from() -> list[Any]:
            settings = [sorted(part.get_params().items()) for part in (self, budget)]
            return [type(self).__qualname__, settings, seed, torch.get_num_threads(), train.content(), held_out.content()]

        def make() -> Arrays:
            best = self._trained(module, train, held_out.to(self.device_), weight=weight, seed=seed, budget=budget)
            arrays = {name: tensor.cpu().numpy() for name, tensor in best.items()}
            return Arrays(arrays, [report.curve, report.best_epoch])

        # A GPU does not give the same bits twice, and what another package's code does is in no key.
        ours = type(self).__module__.partition(".")[0] == __name__.partition(".")[0]
        found = kept("diagnosis", train.images.nbytes, made_from, make) if ours and self.device_.type == "cpu" else make()
        curve, report.best_epoch = found.facts
        report.curve = [(epoch, loss, validation_loss) for epoch, loss, validation_loss in curve]
        module.load_state_dict({name: torch.from_numpy(array) for name, array in found.arrays.items()})
        self.module_ = module.eval()
        return self

    def _trained(
        self,
        module: nn.Module,
        train: MaskedSlices,
        held_out: MaskedSlices,
        *,
        weight: torch.Tensor,
        seed: int,
        budget: DiagnosisBudget,
    ) -> dict[str, torch.Tensor]:
        """Train ``module``; gives the weights of the best epoch, and puts the curve into the report."""
        report, shuffling = self.report_, torch.Generator().manual_seed(derived_seed(seed, BATCHES))
        optimiser = torch.optim.AdamW(
            module.parameters(), lr=budget.learning_rate, weight_decay=budget.weight_decay, fused=True
        )
        schedule = _rise_and_fall(optimiser, budget.epochs * math.ceil(len(train) / budget.batch_size))
        best, best_loss = copy.deepcopy(module.state_dict()), math.inf
        for epoch in range(budget.epochs):
            module.train()
            total = 0.0
            for rows in torch.randperm(len(train), generator=shuffling).split(budget.batch_size):
                loss = self.loss(module, _augmented(train.rows(rows).to(self.device_), budget, shuffling), weight)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                schedule.step()
                self.after_step(module)
                total += loss.item() * len(rows)
            validation_loss = float(cross_entropy(self._logits(module, held_out), held_out.diagnoses, weight))
            if not math.isfinite(total + validation_loss):
                rate = budget.learning_rate
                raise Diverged(f"the loss of a diagnosis network became infinite or NaN: lower its learning_rate = {rate:g}")
            report.curve.append((epoch, total / len(train), validation_loss))
            if validation_loss < best_loss:
                best_loss, report.best_epoch = validation_loss, epoch
                best = copy.deepcopy(module.state_dict())
        return best

    def predict(self, slices: MaskedSlices) -> npt.NDArray[np.float64]:
        logits = self._logits(self.module_, slices.to(self.device_)).double().cpu() - self.log_weight_
        return two_columns(torch.sigmoid(logits).numpy())

    def fit_report(self) -> FitReport:
        return self.report_

    def weights(self) -> dict[str, torch.Tensor]:
        return dict(self.module_.state_dict())

    def _weight(self, train: MaskedSlices) -> torch.Tensor:
        """How much a slice with the second diagnosis weighs, so that both diagnoses weigh the same."""
        positive = int((train.diagnoses == 1).sum())
        negative = int((train.diagnoses == 0).sum())
        if positive + negative == 0:
            raise RaterbenchError("no training case has a known diagnosis: give cases with one, or leave diagnosis out")
        if not positive or not negative:
            self.report_.warnings.append("all training cases have the same diagnosis, so that the other one cannot be learned")
        weight = negative / positive if positive and negative else 1.0
        self.log_weight_ = math.log(weight)
        return torch.tensor(weight, device=self.device_)

    @torch.no_grad()
    def _logits(self, module: nn.Module, slices: MaskedSlices) -> torch.Tensor:
        module.eval()
        parts = zip(slices.images.split(CHUNK), slices.masks.split(CHUNK), strict=True)
        return torch.cat([module(images, masks) for images, masks in parts])


def cross_entropy(logits: torch.Tensor, diagnoses: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """The mean over the slices with a known diagnosis; 0 if there is none."""
    known = diagnoses != UNKNOWN
    if not known.any():
        return logits.sum() * 0
    return functional.binary_cross_entropy_with_logits(logits[known], diagnoses[known].float(), pos_weight=weight)


def _augmented(batch: MaskedSlices, budget: DiagnosisBudget, generator: torch.Generator) -> MaskedSlices:
    """Images and masks rotated and shifted together."""
    changes = Budget(rotation=budget.rotation, translation=budget.translation, scaling=0.0)
    judged = batch.masks.sum(dim=1, keepdim=True) > 0
    moved = augment(Batch(batch.images, batch.masks[:, None], judged, batch.cases), changes, generator, batch.spacing)
    return replace(batch, images=moved.images, masks=moved.ratings[:, 0])


def _rise_and_fall(optimiser: torch.optim.Optimizer, steps: int) -> LambdaLR:
    """A linear rise of the learning rate, then a cosine to zero."""
    first = max(1, round(RISE * steps))

    def share(step: int) -> float:
        if step < first:
            return (step + 1) / first
        return 0.5 + 0.5 * math.cos(math.pi * min(1.0, (step - first) / max(1, steps - first)))

    return LambdaLR(optimiser, share)
