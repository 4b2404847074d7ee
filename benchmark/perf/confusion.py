"""Learning a confusion matrix at every voxel: what it costs in time and memory beside the plain network."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional

from ...methods.learning.budget import Budget
from ...methods.learning.network import NetworkMethod
from ...methods.learning.recipes import SoftCrossEntropy
from ...methods.networks.confusion_network import ConfusionNetwork
from .table import Row, Target, ratio_row
from .timing import compare

CLASSES, RATERS, BATCH, SIZE = 3, 5, 8, 64


def confusion(repeats: int, raters: int = RATERS) -> Iterator[Row]:
    """A training step with a matrix for every voxel and rater against one of the plain network, and memory by raters."""
    plain, learned = training_step(NetworkMethod(), raters), training_step(ConfusionNetwork(), raters)
    plain(), learned()
    ratios = compare(learned, plain, 4 * repeats, calls=(3, 3))
    what = f"{raters} raters, {CLASSES} classes, {BATCH}x{SIZE}x{SIZE}"
    yield ratio_row(f"training step of the confusion network, {what}", "the plain network", ratios, Target("at most", 1.5))
    first, second, third = (saved_bytes(training_step(ConfusionNetwork(), n)) for n in (raters, 2 * raters, 4 * raters))
    growth = (third - second) / (second - first)
    work = f"memory of that step, what {2 * raters} raters more add"
    yield Row(work, f"what {raters} more add", f"{growth:.2f}", growth, Target("at most", 2.1), "2 is linear in the raters")


def training_step(method: NetworkMethod, n_raters: int) -> Callable[[], None]:
    """Forward, loss, backward and step of a method on a batch of random images and ratings, every rater present."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(BATCH, 1, SIZE, SIZE, generator=generator)
    labels = torch.randint(0, CLASSES, (BATCH, n_raters, SIZE, SIZE), generator=generator)
    ratings = functional.one_hot(labels, CLASSES).movedim(-1, 2).float()
    present = torch.ones(labels.shape, dtype=torch.bool)
    method.budget_, method.recipe_ = Budget(), SoftCrossEntropy()
    method.module_ = method.build(1, CLASSES, n_raters)
    optimiser = torch.optim.AdamW(method.parameter_groups(method.module_), lr=1e-3, fused=True)

    def step() -> None:
        loss = method.loss(method.module_(images), ratings, present)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    return step


def saved_bytes(step: Callable[[], None]) -> int:
    """Bytes of all tensors that a training step keeps for its backward pass, each storage once."""
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        step()
    return sum(kept.values())
