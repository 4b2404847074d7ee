"""Training: what ``fit`` costs above the least that it could cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch

from ...datasets.phantom import Phantom
from ...methods.learning.batches.slices import Batch
from ...methods.learning.budget import Budget
from ...methods.learning.losses import soft_cross_entropy
from ...methods.networks.fused_labels import FusedLabels
from .table import Row, Target, ratio_row
from .timing import alternately

EPOCHS = 22
"""As many as in the experiment ``quick``."""
SLICES = {64: 36, 256: 12}
"""Training slices by their height and width; a quarter as many are for validation."""
LOOP = "bare loop of forward, backward and step"
FEATURES = (8, 8, 16, 32, 64, 8)
DOES = "fit also fuses, prepares, augments, validates after every epoch, keeps the best weights and looks for lost classes"


def training(repeats: int, slices: Mapping[int, int] = SLICES, epochs: int = EPOCHS) -> Iterator[Row]:
    """``fit`` of a plain candidate on the CPU against a bare loop on the same network and as many batches.

    ``fit`` does all that it does in an experiment: fusion, preparation, augmentation, validation in every epoch, keeping
    the best weights. The bare loop has its batches ready in memory. Its optimiser is what ``torch.optim.AdamW`` is by default,
    and in a second row the fused one of ``fit``, the least that it could cost.
    """
    for side, n in slices.items():
        work = f"fit, CPU, {epochs} epochs of {n} slices of {side}x{side}, batch 4"
        yield from fit_rows(work, side, n, batch_size=4, epochs=epochs, repeats=repeats, target=Target("at most", 1.08))


def gpu_training(repeats: int) -> Iterator[Row]:
    """The same on a GPU, with larger batches."""
    if not torch.cuda.is_available():
        yield Row("fit, GPU, slices of 256x256, batch 16", LOOP, "not tried: no GPU here", target=Target("at most", 1.1))
        return
    work = f"fit, {torch.cuda.get_device_name()}, {EPOCHS} epochs of 96 slices of 256x256, batch 16"
    asked = Target("at most", 1.1)
    yield from fit_rows(work, 256, 96, batch_size=16, epochs=EPOCHS, repeats=repeats, target=asked, device="cuda")


def fit_rows(
    work: str, side: int, n: int, *, batch_size: int, epochs: int, repeats: int, target: Target, device: str = "cpu"
) -> Iterator[Row]:
    """``fit`` against both loops on ``n`` training slices of the phantom."""
    dataset = Phantom(subjects=-(-5 * n // 16), size=side)
    train, validation = dataset.subset(range(n)), dataset.subset(range(n, n + n // 4))
    budget = Budget(epochs=epochs, batch_size=batch_size, learning_rate=1e-2, patience=epochs, features=FEATURES)
    method = FusedLabels(budget=budget)
    method.fit(train, validation, seed=0, device=device)
    slices = method.slices(train)
    batches = [slices.batch(rows, method.device_) for rows in torch.arange(len(slices)).split(batch_size)]
    works: list[Callable[[], object]] = [
        lambda: method.fit(train, validation, seed=0, device=device),
        lambda: bare_loop(method, batches),
        lambda: bare_loop(method, batches, fused=True),
    ]
    on_cpu = device == "cpu"  # In one thread, so that the processor's seconds say it all.
    fit, plain, fused = alternately(works, repeats, clock=time.process_time if on_cpu else time.perf_counter)
    note = f"{DOES}{'; processor time of one thread' if on_cpu else ''}"
    yield ratio_row(work, LOOP, [a / b for a, b in zip(fit, plain, strict=True)], target, note)
    yield ratio_row(work, f"{LOOP}, with fit's fused optimiser", [a / b for a, b in zip(fit, fused, strict=True)])


def bare_loop(method: FusedLabels, batches: Sequence[Batch], *, fused: bool | None = None) -> None:
    """The least that training the same network on these batches can cost, in the precision of ``fit`` on its device."""
    device, budget = method.device_, method.budget_
    module = method.build(method.n_channels_, method.n_classes_, 1).to(device)
    optimiser = torch.optim.AdamW(module.parameters(), lr=budget.learning_rate, weight_decay=0, fused=fused)
    for _ in range(budget.epochs):
        for images, ratings, present, _ in batches:
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
                loss = soft_cross_entropy(module(images), ratings, present)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    if device.type == "cuda":
        torch.cuda.synchronize()
