"""What votes say of a truth, and what a truth says of the raters; absent raters and unjudged voxels count nowhere."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ..learning.batches.slices import Batch, Slices
from ..learning.losses import summed_votes
from ..learning.network import rows_in_chunks
from ..learning.precision import full_precision
from ..learning.recipes import SINGLE


def majority_shares(ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """The class that most present raters say as 1, [B, K, *S]; classes that tie have equal shares. 0 where nobody judged."""
    votes = summed_votes(ratings, present)
    best = (votes >= votes.amax(dim=1, keepdim=True) - SINGLE) & present.any(dim=1, keepdim=True)
    return best / best.sum(dim=1, keepdim=True).clamp(min=1)


def summed_evidence(weights: torch.Tensor, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """The sum over present raters of what their votes say for each class, [B, K, *S].

    ``weights`` [R, K, K]: ``[r, i, j]`` is what class j gains where rater r says i, for example the logarithm of a confusion.
    """
    votes = (ratings * present.unsqueeze(2)).flatten(3).flatten(1, 2)  # [B, R K, N]
    with full_precision(votes):
        gained = weights.flatten(0, 1).T @ votes
    return torch.unflatten(gained, 2, ratings.shape[3:])


def count_votes(truth: torch.Tensor, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """How many voxels of each class of the truth each rater calls what, [R, K, K] float64: ``[r, i, j]``, j the truth.

    ``truth`` [B, K, *S] sums to 1 over K, and counts its shares.
    """
    votes = (ratings * present.unsqueeze(2)).flatten(3)  # [B, R, K, N]
    with full_precision(votes):
        counts = votes.flatten(1, 2) @ truth.float().flatten(2).transpose(1, 2)
    return torch.unflatten(counts.double().sum(dim=0), 0, votes.shape[1:3])


@torch.no_grad()
def counted_votes(slices: Slices, truth: Callable[[Batch], torch.Tensor], device: torch.device) -> torch.Tensor:
    """``count_votes`` over all slices, on the CPU; ``truth`` gives [B, K, *S] for a batch."""
    total = torch.zeros(slices.n_raters, slices.n_classes, slices.n_classes, dtype=torch.float64)
    for rows in rows_in_chunks(slices):
        batch = slices.batch(rows, device)
        total += count_votes(truth(batch), batch.ratings, batch.present).cpu()
    return total


def majority_of(batch: Batch) -> torch.Tensor:
    """The majority of a batch, [B, K, *S]."""
    return majority_shares(batch.ratings, batch.present)


def confusion_of(counts: torch.Tensor, pseudo_count: float) -> torch.Tensor:
    """Confusion [R, K, K] from counts; ``pseudo_count`` voxels are added to each entry, so that columns still sum to 1."""
    raised = counts + pseudo_count
    return raised / raised.sum(dim=1, keepdim=True)
