"""Random rotation, shift, scaling and mirroring of a batch, the same for an image and all its ratings."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from .batches.slices import Batch
from .budget import Budget
from .preparation import normalise_labels


def augment(batch: Batch, budget: Budget, generator: torch.Generator, spacing: torch.Tensor) -> Batch:
    """The batch after one random affine map for each image.

    Images move in mm, with the ``spacing`` [B, 2] (height, width) of their pixels or [B, 3] (z, y, x) of the voxels of patches:
    a rotation is one of the body, and no shear, however thick slices are. Slices move within their plane. Labels are
    interpolated linearly, so they become soft at boundaries. Numbers are drawn from ``generator`` on the CPU, so every device
    gets the same ones.
    """
    if not budget.augments:
        return batch
    images, ratings = batch.images, batch.ratings
    if images.ndim == 5:
        theta = _affine_in_space(images.shape[2:], spacing, budget, generator).to(images.device)
    else:
        theta = _affine(images.shape[2:], spacing, budget, generator).to(images.device)
    grid = voxel_grid(theta, images.shape[2:])
    # Images and ratings together: the weights of a voxel's neighbours are computed once.
    judged = ratings.flatten(1, 2)  # Zero where nobody judged.
    both = torch.cat([images, judged], dim=1)
    both = functional.grid_sample(both, grid, mode="bilinear", padding_mode="border", align_corners=False)
    images, moved = both.split([images.shape[1], judged.shape[1]], dim=1)
    images = images.contiguous()  # As a part of both it would keep the ratings in memory.
    present, ratings = normalise_labels(moved.unflatten(1, ratings.shape[1:3]))
    return batch._replace(images=images, ratings=ratings, present=present)


def voxel_grid(theta: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """Places [n, *shape, axes] for ``grid_sample``: the same as ``affine_grid`` gives without aligned corners, in less time.

    There, a product of matrices multiplies for each voxel; here, once for each place along an axis.
    """
    axes = len(shape)
    grid = torch.zeros(())
    for column, size in enumerate(reversed(shape)):  # Those of ``theta`` are x, y, z and the shift.
        centres = torch.linspace(-1, 1, size, device=theta.device) * (size - 1) / size
        along = theta[:, :, column, None] * centres
        along = along.view(-1, axes, *[size if axis == axes - 1 - column else 1 for axis in range(axes)])
        grid = grid + along
    grid += theta[:, :, axes].view(-1, axes, *[1] * axes)
    return grid.movedim(1, -1).contiguous()


def _affine(shape: torch.Size, spacing: torch.Tensor, budget: Budget, generator: torch.Generator) -> torch.Tensor:
    """Matrices [n, 2, 3] in the units of ``affine_grid``, axes x, y, of maps in mm of slices [n, C, H, W]."""
    n = len(spacing)
    draw = torch.rand(n, 5, generator=generator) * 2 - 1
    angle = draw[:, 0] * math.radians(budget.rotation)
    scale = 1 + draw[:, 1] * budget.scaling
    mirror = torch.where(draw[:, 4] < 0, -1.0, 1.0) if budget.flip else torch.ones(n)
    # affine_grid measures each axis in half the side of the slice.
    ratio = shape[0] / shape[1] * (spacing[:, 0] / spacing[:, 1])
    cosine, sine = torch.cos(angle) / scale, torch.sin(angle) / scale
    shift = 2 * budget.translation * draw[:, 2:4]
    top = torch.stack([mirror * cosine, -sine * ratio, shift[:, 0]], dim=1)
    bottom = torch.stack([mirror * sine / ratio, cosine, shift[:, 1]], dim=1)
    return torch.stack([top, bottom], dim=1)


def _affine_in_space(shape: torch.Size, spacing: torch.Tensor, budget: Budget, generator: torch.Generator) -> torch.Tensor:
    """Matrices [n, 3, 4] in the units of ``affine_grid``, axes x, y, z, of maps in mm of patches [n, C, D, H, W].

    A rotation about each axis is drawn, up to ``budget.rotation``; the mirror exchanges left and right (x).
    """
    n = len(spacing)
    draw = torch.rand(n, 8, generator=generator) * 2 - 1
    rotation = torch.eye(3)
    for axis in range(3):
        angle = draw[:, axis] * math.radians(budget.rotation)
        cosine, sine = angle.cos(), angle.sin()
        one = torch.eye(3).repeat(n, 1, 1)
        first, second = (axis + 1) % 3, (axis + 2) % 3
        one[:, first, first], one[:, first, second], one[:, second, first], one[:, second, second] = cosine, -sine, sine, cosine
        rotation = rotation @ one
    moved = rotation / (1 + draw[:, 3] * budget.scaling).view(-1, 1, 1)
    if budget.flip:
        moved[:, :, 0] *= torch.where(draw[:, 7] < 0, -1.0, 1.0).view(-1, 1)
    # affine_grid measures each axis in half the side of the patch.
    half = torch.tensor(shape).flip(0) * spacing.flip(1) / 2
    linear = moved * half.unsqueeze(1) / half.unsqueeze(2)
    return torch.cat([linear, 2 * budget.translation * draw[:, 4:7].unsqueeze(2)], dim=2)
