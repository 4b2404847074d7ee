"""Random rotation, shift, scaling and mirroring of a batch, the same for an image and all its ratings."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from .budget import Budget
from .preparation import Batch, normalise_labels


def augment(batch: Batch, budget: Budget, generator: torch.Generator) -> Batch:
    """The batch after one random affine map for each image, within the plane of the last two axes.

    Labels are interpolated linearly, so they become soft at boundaries. Numbers are drawn from ``generator`` on the CPU, so
    every device gets the same ones.
    """
    if not budget.augments:
        return batch
    images, ratings, present = batch.images, batch.ratings, batch.present
    theta = _affine(len(images), images.shape[-2:], budget, generator).to(images.device)
    if images.ndim == 5:
        volume = torch.eye(3, 4, device=theta.device).repeat(len(theta), 1, 1)
        volume[:, :2, :2], volume[:, :2, 3] = theta[:, :, :2], theta[:, :, 2]
        theta = volume
    grid = functional.affine_grid(theta, [len(images), 1, *images.shape[2:]], align_corners=False)
    images = functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    judged = ratings * present.unsqueeze(2)
    flat = functional.grid_sample(judged.flatten(1, 2), grid, mode="bilinear", padding_mode="border", align_corners=False)
    present, ratings = normalise_labels(flat.unflatten(1, ratings.shape[1:3]))
    return batch._replace(images=images, ratings=ratings, present=present)


def _affine(n: int, shape: torch.Size, budget: Budget, generator: torch.Generator) -> torch.Tensor:
    """Matrices [n, 2, 3] in the units of ``affine_grid``; sides of different length keep a rotation a rotation."""
    draw = torch.rand(n, 5, generator=generator) * 2 - 1
    angle = draw[:, 0] * math.radians(budget.rotation)
    scale = 1 + draw[:, 1] * budget.scaling
    mirror = torch.where(draw[:, 4] < 0, -1.0, 1.0) if budget.flip else torch.ones(n)
    ratio = shape[0] / shape[1]
    cosine, sine = torch.cos(angle) / scale, torch.sin(angle) / scale
    shift = 2 * budget.translation * draw[:, 2:4]
    top = torch.stack([mirror * cosine, -sine * ratio, shift[:, 0]], dim=1)
    bottom = torch.stack([mirror * sine / ratio, cosine, shift[:, 1]], dim=1)
    return torch.stack([top, bottom], dim=1)
