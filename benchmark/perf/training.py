"""Training: what ``fit`` costs above the least that it could cost."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ...datasets.base import Dataset
from ...datasets.phantom import Phantom
from ...methods.learning.budget import Budget
from ...methods.learning.losses import soft_cross_entropy
from ...methods.networks.fused_labels import FusedLabels
from .timing import compare, summarise

EPOCHS = 12


def training(repeats: int) -> Iterator[str]:
    """``fit`` of a plain candidate against a bare loop of forward, backward and step on the same network and batches.

    ``fit`` does all that it does in an experiment: fusion, preparation, augmentation, validation in every epoch, keeping
    the best weights. The bare loop has its batches ready in memory.
    """
    dataset = Phantom()
    budget = Budget(epochs=EPOCHS, batch_size=4, learning_rate=1e-2, patience=EPOCHS, features=(8, 8, 16, 32, 64, 8))
    train, validation = dataset.subset(range(36)), dataset.subset(range(36, 45))
    method = FusedLabels(budget=budget)
    method.fit(train, validation, seed=0)
    ratios = compare(lambda: method.fit(train, validation, seed=0), lambda: bare_loop(method, train), repeats)
    yield f"fit / bare loop, {EPOCHS} epochs of {len(train)} slices: {summarise(ratios)} (at most 1.15)"


def bare_loop(method: FusedLabels, train: Dataset) -> None:
    """The least that training the same network on as many batches of the same shape can cost."""
    slices = method.slices(train)
    module = method.build(slices.n_channels, train.n_classes, 1)
    optimiser = torch.optim.AdamW(module.parameters(), lr=method.budget_.learning_rate, weight_decay=0)
    batches = [slices.batch(rows, torch.device("cpu")) for rows in torch.arange(len(slices)).split(method.budget_.batch_size)]
    for _ in range(method.budget_.epochs):
        for images, ratings, present, _ in batches:
            loss = soft_cross_entropy(module(images), ratings, present)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
