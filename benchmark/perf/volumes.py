"""Training in 3-D: a step on patches of volumes against the same in bare MONAI."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from monai.data.utils import list_data_collate
from monai.networks.nets.basic_unet import BasicUNet
from monai.transforms.compose import Compose
from monai.transforms.croppad.dictionary import RandCropByPosNegLabeld
from monai.transforms.spatial.dictionary import RandAffined
from monai.transforms.utility.dictionary import EnsureChannelFirstd, EnsureTyped, FgBgToIndicesd
from torch.nn import functional

from ...datasets.base import Dataset
from ...datasets.nodule_volumes import NoduleVolumes
from ...methods.learning.augmentation import augment
from ...methods.learning.budget import Budget
from ...methods.networks.fused_labels import FusedLabels
from .table import Row, Target, ratio_row
from .timing import compare

SIDE, BATCH = 32, 4
FEATURES = (8, 8, 16, 32, 64, 8)
STEPS = 8
"""Steps that are timed together."""


def volumes(repeats: int, *, cases: int = 6, size: int = 96, steps: int = STEPS) -> Iterator[Row]:
    """Cut, augment, forward, backward and step on patches, half of them with foreground, of simulated nodules.

    Both sides have their volumes prepared in memory, the same widths of network, the same optimiser, cross-entropy, batch and
    ranges of augmentation, and one process. MONAI's side looks for foreground once, before it is timed, as its documentation
    advises, and moves labels to the nearest voxel, as its examples do; ours interpolates them.
    """
    dataset = NoduleVolumes(cases=cases, size=size)
    dataset.preparation = replace(dataset.preparation, mode="volumes", patch=(SIDE, SIDE, SIDE))
    method = FusedLabels(budget=Budget(batch_size=BATCH, features=FEATURES))
    ours, monai = our_steps(method, dataset, steps), monai_steps(method, dataset, steps)
    ours(), monai()
    yield ratio_row(
        f"training step in 3-D, CPU, {BATCH} patches of {SIDE}x{SIDE}x{SIDE} of volumes of {dataset.depth}x{size}x{size}",
        "the same in bare MONAI: RandCropByPosNegLabel, RandAffine, BasicUNet",
        compare(ours, monai, repeats, clock=time.process_time),
        Target("at most", 1.1),
        "MONAI's labels are moved to the nearest voxel, ours are interpolated and become soft; processor time of one thread",
    )


def our_steps(method: FusedLabels, dataset: Dataset, steps: int) -> Callable[[], float]:
    """Steps as ``train_network`` takes them; gives the last loss."""
    patches = method.prepare(dataset, seed=0)
    generator, device = torch.Generator().manual_seed(0), torch.device("cpu")
    optimiser = torch.optim.AdamW(method.module_.parameters(), lr=1e-3, weight_decay=0, fused=True)

    def take() -> float:
        last = 0.0
        for _ in range(steps):
            rows = torch.randint(len(patches), (BATCH,), generator=generator)
            batch = augment(patches.draw(rows, device, generator), method.budget_, generator, patches.spacing[rows])
            loss = method.step_loss(method.module_, batch)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            last = loss.item()
        return last

    return take


def monai_steps(method: FusedLabels, dataset: Dataset, steps: int) -> Callable[[], float]:
    """Steps with MONAI's transforms and network on the same volumes and consensus; gives the last loss."""
    budget, share, keys = method.budget_, dataset.preparation.foreground, ["image", "label"]
    once = Compose([EnsureChannelFirstd(keys, channel_dim="no_channel"), EnsureTyped(keys), FgBgToIndicesd("label")])
    cached = []
    for case in dataset:
        image, labels = case.image[0], method.targets(case)["consensus"].argmax(axis=0)
        scaled = ((image - image.mean()) / image.std()).astype(np.float32)
        cached.append(once({"image": scaled, "label": labels.astype(np.float32)}))
    angle = float(np.deg2rad(budget.rotation))
    shift = [2 * budget.translation * SIDE / 2] * 3
    draw = Compose(
        [
            RandCropByPosNegLabeld(
                keys,
                "label",
                (SIDE, SIDE, SIDE),
                pos=share,
                neg=1 - share,
                num_samples=1,
                fg_indices_key="label_fg_indices",
                bg_indices_key="label_bg_indices",
            ),
            RandAffined(
                keys,
                prob=1.0,
                rotate_range=[angle] * 3,
                translate_range=shift,
                scale_range=[budget.scaling] * 3,
                mode=("bilinear", "nearest"),
                padding_mode="border",
            ),
        ]
    )
    draw.set_random_state(seed=0)
    random = np.random.default_rng(0)
    network = BasicUNet(3, 1, dataset.n_classes, budget.features)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0, fused=True)

    def take() -> float:
        last = 0.0
        for _ in range(steps):
            chosen = random.integers(len(cached), size=BATCH)
            batch = list_data_collate([draw(cached[i]) for i in chosen])
            images, labels = batch["image"].as_tensor(), batch["label"].as_tensor().squeeze(1).long()
            loss = functional.cross_entropy(network(images), labels)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            last = loss.item()
        return last

    return take
