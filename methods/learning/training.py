"""The training loop, shared by all methods. It knows nothing of raters: the method computes the loss of a batch."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol

import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR

from ...errors import RaterbenchError
from ...seeds import derived_seed
from ..fit_report import FitReport
from .augmentation import augment
from .batches.slices import Batch, Slices
from .budget import Budget
from .epoch_pictures import EpochWatch

BATCHES, DRAWS, LAYERS = 0, 1, 2
"""Streams of random numbers beside that of the first weights: batch order and augmentation, a method's own draws, and layers
that draw, such as dropout."""
OF_2D_CONVOLUTION = 4
"""Axes of its weights."""


class Learner(Protocol):
    """What the loop asks of a method; ``NetworkMethod`` says what each part means."""

    def parameter_groups(self, module: nn.Module) -> list[dict[str, Any]]: ...

    def start_epoch(self, module: nn.Module, epoch: int) -> None: ...

    def select_targets(
        self, ratings: torch.Tensor, present: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]: ...

    def step_loss(self, module: nn.Module, batch: Batch) -> torch.Tensor: ...

    def before_step(self, module: nn.Module) -> None: ...

    def end_epoch(self, module: nn.Module, epoch: int, validation: Slices) -> None: ...

    def slice_probability(self, module: nn.Module, images: torch.Tensor, window: tuple[slice, slice]) -> torch.Tensor: ...


class Diverged(RaterbenchError):
    """The loss became infinite or NaN."""


def train_network(
    learner: Learner,
    module: nn.Module,
    slices: Slices,
    validation: Slices,
    *,
    budget: Budget,
    report: FitReport,
    seed: int,
    device: torch.device,
) -> None:
    """Train ``module`` in place; afterwards it holds the weights of the best validation epoch.

    Adam, the budget's schedule of the learning rate, early stopping on the method's own validation loss. Batch order and
    augmentation depend on ``seed`` alone, so all candidates see the same batches; a method's own draws have a generator of
    their own, and layers that draw use torch's global one, which is given back as it was. The curve and the best epoch go
    into ``report``.

    Raises:
        Diverged: the loss became infinite or NaN.
    """
    shuffling, drawing = (torch.Generator().manual_seed(derived_seed(seed, stream)) for stream in (BATCHES, DRAWS))
    # One call for all parameters: on small networks the calls of the plain loop cost as much as a convolution.
    optimiser = torch.optim.AdamW(
        learner.parameter_groups(module),
        lr=budget.learning_rate,
        betas=(0.9, budget.beta2),
        weight_decay=budget.weight_decay,
        fused=True,
    )
    passes = math.ceil(budget.least_steps / math.ceil(len(slices) / budget.batch_size))
    steps = math.ceil(passes * len(slices) / budget.batch_size)
    after_each_step = budget.schedule == "one-cycle"
    schedule: LRScheduler = (
        _one_cycle(optimiser, budget.epochs * steps) if after_each_step else CosineAnnealingLR(optimiser, T_max=budget.epochs)
    )
    stop_rule, watch = StopRule(budget), EpochWatch(learner, validation, budget, device)
    best_weights, best_loss = copy.deepcopy(module.state_dict()), math.inf
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(seed, LAYERS))
        for epoch in range(budget.epochs):
            learner.start_epoch(module, epoch)
            module.train()
            total = 0.0
            order = torch.cat([torch.randperm(len(slices), generator=shuffling) for _ in range(passes)])
            for rows in order.split(budget.batch_size):
                batch = augment(slices.draw(rows, device, shuffling), budget, shuffling, slices.spacing[rows])
                ratings, present = learner.select_targets(batch.ratings, batch.present, drawing)
                with _autocast(device, enabled=budget.mixed_precision):
                    loss = learner.step_loss(module, batch._replace(ratings=ratings, present=present))
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                learner.before_step(module)
                optimiser.step()
                if after_each_step:
                    schedule.step()
                total += _finite("training", loss.item(), epoch, budget) * len(rows)
            if not after_each_step:
                schedule.step()
            validation_loss = _finite("validation", evaluate(learner, module, validation, budget, device), epoch, budget)
            if validation_loss < best_loss:
                best_loss, report.best_epoch = validation_loss, epoch
                for kept, tensor in zip(best_weights.values(), module.state_dict().values(), strict=True):
                    kept.copy_(tensor)
            report.curve.append((epoch, total / len(order), validation_loss))
            learner.end_epoch(module, epoch, validation)
            watch.add(module, epoch, report.best_epoch)
            if stop_rule.ends(validation_loss):
                break
    module.load_state_dict(best_weights)
    report.by_epoch = watch.pictures()


class StopRule:
    """Counts weak epochs: those whose validation loss is not better by the share that the budget asks for."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.weak, self.compared = 0, math.inf

    def ends(self, loss: float) -> bool:
        """Whether training stops after an epoch with this validation loss; losses may be negative, as that of Dice."""
        budget, first = self.budget, math.isinf(self.compared)
        if budget.weak_epochs == "in total":
            self.weak += not first and self.compared - loss < budget.min_improvement * abs(loss)
            self.compared = loss
        elif first or self.compared - loss > budget.min_improvement * abs(self.compared):
            self.weak, self.compared = 0, loss
        else:
            self.weak += 1
        return self.weak >= budget.patience


def _one_cycle(optimiser: torch.optim.Optimizer, steps: int) -> LRScheduler:
    """Each group of parameters keeps its own largest rate."""
    largest = [group["lr"] for group in optimiser.param_groups]
    # PyTorch cannot divide the two parts of fewer steps than these.
    return OneCycleLR(optimiser, largest, total_steps=max(steps, 8), pct_start=0.25, cycle_momentum=False)


@torch.no_grad()
def evaluate(learner: Learner, module: nn.Module, slices: Slices, budget: Budget, device: torch.device) -> float:
    """The method's own loss on unaugmented slices, with every present rater; the mean over slices."""
    module.eval()
    total = 0.0
    with _channels_last(module, device):
        for rows in torch.arange(len(slices)).split(4 * budget.batch_size):
            total += float(learner.step_loss(module, slices.batch(rows, device))) * len(rows)
    return total / len(slices)


@contextmanager
def _channels_last(module: nn.Module, device: torch.device) -> Iterator[None]:
    """On the CPU, lay out weights of 2-D convolutions with the channels last, and then put the same tensors back.

    A forward pass is faster so, and a training step is not.
    """
    weights = [w for w in module.parameters() if w.ndim == OF_2D_CONVOLUTION and device.type == "cpu"]
    own = [w.data for w in weights]
    try:
        for w in weights:
            w.data = w.data.contiguous(memory_format=torch.channels_last)
        yield
    finally:
        for w, data in zip(weights, own, strict=True):
            w.data = data


def _finite(which: str, loss: float, epoch: int, budget: Budget) -> float:
    if not math.isfinite(loss):
        rate = budget.learning_rate
        raise Diverged(f"the {which} loss became {loss} in epoch {epoch + 1}: lower budget.learning_rate = {rate:g}")
    return loss


def _autocast(device: torch.device, *, enabled: bool) -> AbstractContextManager[object]:
    """bfloat16 on CUDA; on the CPU it is slower than float32 and would cost reproducibility."""
    if device.type == "cuda" and enabled:
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()
