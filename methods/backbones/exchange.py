"""Attention between the feature maps of two networks, patch by patch (Wu et al. 2022, eq. 6 to 10)."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import nn
from torch.nn import functional

WIDTH = 64
"""Numbers that a patch is described by in the attention."""
MOST_PATCHES = 64
"""Of the smallest patches that are a power of two wide, those are taken of which a map of training has at most so many."""
SLOWEST = 10_000.0
"""The period of the slowest sinusoid of a position, in units of 2 pi patches (Vaswani et al. 2017)."""


class Exchange(nn.Module):
    """Changes the feature maps of one network by attention to those of another, of the same height and width.

    Maps are cut into patches of P x P voxels. Each patch of the asking maps is a query, each patch of the changed maps a key
    and a value; positions are added to queries and keys. What the queries find goes through a perceptron of two layers, which
    gives a patch again, and is added to the changed maps. The last layer starts at zero, so that at first nothing changes.

    The paper computes with all P^2 C numbers of a patch, which are 16,384 in its own first block, and puts the result in place
    of the changed maps. Here patches are first projected to 64 numbers, and because so few cannot hold a map, the result is
    added.

    Args:
        asking: channels of the maps that ask.
        changed: channels of the maps that are changed.
        patch: P.
        heads: of the attention; a divisor of 64.
    """

    def __init__(self, asking: int, changed: int, *, patch: int, heads: int) -> None:
        super().__init__()
        self.patch, self.heads = patch, heads
        self.asking = nn.Linear(patch**2 * asking, WIDTH)
        self.changed = nn.Linear(patch**2 * changed, WIDTH)
        self.query, self.key, self.value = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.hidden = nn.Linear(WIDTH, WIDTH)
        self.last = nn.Linear(WIDTH, patch**2 * changed)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, asking: torch.Tensor, changed: torch.Tensor) -> torch.Tensor:
        """Maps [B, C, H, W] and [B, D, H, W] -> [B, D, H, W]."""
        ours, theirs = (cut_patches(maps, self.patch) for maps in (asking, changed))
        place = positions(*ours.shape[1:3], WIDTH).to(ours.device, ours.dtype)
        queries, values = self.asking(ours.flatten(1, 2)), self.changed(theirs.flatten(1, 2))
        found = attention(self.query(queries + place), self.key(values + place), self.value(values), self.heads)
        change = self.last(functional.gelu(self.hidden(found)))
        return changed + join_patches(change.unflatten(1, theirs.shape[1:3]), self.patch, changed.shape[2:])


def attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, heads: int) -> torch.Tensor:
    """Softmax of the products of queries [B, N, D] and keys [B, M, D], times the values [B, M, D]: [B, N, D].

    The D numbers are shared out among ``heads``, and the products are divided by the root of a head's numbers.
    """
    q, k, v = (part.unflatten(2, (heads, -1)).transpose(1, 2) for part in (query, key, value))
    affinity = (q @ k.transpose(2, 3) / math.sqrt(q.shape[3])).softmax(dim=3)
    found: torch.Tensor = affinity @ v
    return found.transpose(1, 2).flatten(2)


def patch_side(height: int, width: int) -> int:
    """The smallest power of two such that at most ``MOST_PATCHES`` patches of so many voxels a side cover a map."""
    side = 1
    while math.ceil(height / side) * math.ceil(width / side) > MOST_PATCHES:
        side *= 2
    return side


def cut_patches(maps: torch.Tensor, patch: int) -> torch.Tensor:
    """Maps [B, C, H, W] -> patches [B, h, w, P^2 C]; zeros stand for what the last patches have beyond the map."""
    below, right = (-side % patch for side in maps.shape[2:])
    padded = functional.pad(maps, (0, right, 0, below)) if below or right else maps
    patches: torch.Tensor = functional.pixel_unshuffle(padded, patch).movedim(1, 3)
    return patches


def join_patches(patches: torch.Tensor, patch: int, size: torch.Size) -> torch.Tensor:
    """Patches [B, h, w, P^2 C] -> maps [B, C, H, W] of the given ``size``; the opposite of ``cut_patches``."""
    height, width = size
    return functional.pixel_shuffle(patches.movedim(3, 1), patch)[..., :height, :width]


@lru_cache(maxsize=32)
def positions(height: int, width: int, numbers: int) -> torch.Tensor:
    """The place of each patch, [h w, D]: sines and cosines of its row in the first half, of its column in the second.

    ``numbers`` is D, a multiple of 4. The periods are those of Vaswani et al. (2017) for D / 2.
    """
    quarter = numbers // 4
    frequencies = SLOWEST ** (-torch.arange(quarter) / quarter)
    rows, columns = (torch.arange(side).unsqueeze(1) * frequencies for side in (height, width))
    rows, columns = rows.unsqueeze(1).expand(-1, width, -1), columns.unsqueeze(0).expand(height, -1, -1)
    return torch.cat([rows.sin(), rows.cos(), columns.sin(), columns.cos()], dim=2).flatten(0, 1)
