"""The one training loop. It knows nothing of raters: the method brings its loss, its draw and its parameter groups."""

from __future__ import annotations

import copy
import math
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import torch
from torch import nn

from ...errors import RaterbenchError
from ...seeds import derived_seed
from ..base import FitReport
from .augmentation import augment
from .preparation import Slices

if TYPE_CHECKING:
    from .network import NetworkMethod

BATCHES, DRAWS, LAYERS = 0, 1, 2
"""Streams of random numbers beside that of the first weights: batch order and augmentation, a method's own draws, and layers
that draw, such as dropout."""


class Diverged(RaterbenchError):
    """The loss is no longer a number."""


def train(
    method: NetworkMethod,
    module: nn.Module,
    slices: Slices,
    validation: Slices,
    report: FitReport,
    *,
    seed: int,
    device: torch.device,
) -> None:
    """Fit ``module`` in place with the method's budget; afterwards it holds the weights of the best validation epoch.

    The curve and the best epoch are written into ``report``.

    Adam, a cosine schedule over the epochs, early stopping on the method's own validation loss. Batch order and
    augmentation come from ``seed`` alone, so that all candidates see the same batches; a method's own draws have a
    generator of their own.

    Raises:
        Diverged: the loss became infinite or NaN.
    """
    budget = method.budget_
    shuffling, drawing = (torch.Generator().manual_seed(derived_seed(seed, stream)) for stream in (BATCHES, DRAWS))
    # One call for all parameters: on small networks the calls of the plain loop cost as much as a convolution.
    optimiser = torch.optim.AdamW(
        method.parameter_groups(module), lr=budget.learning_rate, weight_decay=budget.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=budget.epochs)
    best, best_loss = copy.deepcopy(module.state_dict()), math.inf
    for epoch in range(budget.epochs):
        method.start_epoch(module, epoch)
        module.train()
        total = 0.0
        for rows in torch.randperm(len(slices), generator=shuffling).split(budget.batch_size):
            images, ratings, present = augment(*slices.batch(rows, device), budget, shuffling)
            ratings, present = method.draw(ratings, present, drawing)
            with _autocast(device, enabled=budget.mixed_precision):
                loss = method.loss(module(images), ratings, present)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            total += _finite("training", loss.item(), epoch, budget.learning_rate) * len(rows)
        schedule.step()
        validation_loss = _finite("validation", evaluate(method, module, validation, device), epoch, budget.learning_rate)
        if validation_loss < best_loss:
            best_loss, report.best_epoch = validation_loss, epoch
            _keep(best, module)
        report.curve.append((epoch, total / len(slices), validation_loss))
        method.end_epoch(module, epoch, validation)
        if epoch - report.best_epoch >= budget.patience:
            break
    module.load_state_dict(best)


def _finite(which: str, loss: float, epoch: int, learning_rate: float) -> float:
    if not math.isfinite(loss):
        raise Diverged(f"the {which} loss became {loss} in epoch {epoch + 1}: lower budget.learning_rate = {learning_rate:g}")
    return loss


def _keep(best: dict[str, torch.Tensor], module: nn.Module) -> None:
    """Write the module's weights over those kept so far, in the memory that is there already."""
    for kept, tensor in zip(best.values(), module.state_dict().values(), strict=True):
        kept.copy_(tensor)


@torch.no_grad()
def evaluate(method: NetworkMethod, module: nn.Module, slices: Slices, device: torch.device) -> float:
    """The method's own loss on unaugmented slices, with every present rater; the mean over slices."""
    module.eval()
    total = 0.0
    for rows in torch.arange(len(slices)).split(4 * method.budget_.batch_size):
        images, ratings, present = slices.batch(rows, device)
        total += float(method.loss(module(images), ratings, present)) * len(rows)
    return total / len(slices)


def _autocast(device: torch.device, *, enabled: bool) -> AbstractContextManager[object]:
    """bfloat16 on CUDA; on the CPU it is slower than float32 and would cost reproducibility."""
    if device.type == "cuda" and enabled:
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()
