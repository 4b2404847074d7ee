"""Alarms for methods that estimate the truth together with the raters' errors, from what can be known without the truth.

The likelihood does not determine which class is which: a learned truth with exchanged labels, and matrices to match, explains
the raters equally well. A comparison with the majority of the raters, and the matrices themselves, show whether that happened.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from .losses import summed_votes

FALL = 0.05
"""The fall of the Dice with the majority that is worth a warning."""


def majority_counts(probability: torch.Tensor, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    """Voxels [K, K] int64 that the learned truth calls i and the majority of present raters calls j.

    ``probability`` [B, K, *S]; ``ratings`` [B, R, K, *S]; ``present`` [B, R, *S]. Voxels that nobody judged are left out; on
    a tie the lowest class counts.
    """
    n_classes = probability.shape[1]
    majority = summed_votes(ratings, present).argmax(dim=1)
    pairs = (probability.argmax(dim=1) * n_classes + majority)[present.any(dim=1)]
    return torch.bincount(pairs, minlength=n_classes**2).view(n_classes, n_classes)


def majority_dice(counts: npt.NDArray[np.integer]) -> float:
    """Dice between learned truth and majority from pooled counts [K, K], mean over the foreground classes that either has."""
    total = counts.sum(axis=0) + counts.sum(axis=1)
    dice = 2 * np.diag(counts)[1:] / np.maximum(total[1:], 1)
    return float(dice[total[1:] > 0].mean()) if (total[1:] > 0).any() else 1.0


def truth_left_majority(dice: Sequence[float], kept: int) -> list[str]:
    """An alarm if the Dice with the majority at the epoch that was ``kept`` is far below the best of all epochs."""
    if not dice or dice[kept] >= max(dice) - FALL:
        return []
    return [
        f"the learned truth has left the majority of the raters: Dice with it fell from {max(dice):.2f} to {dice[kept]:.2f}"
    ]


def labels_swapped(counts: npt.NDArray[np.integer], classes: Sequence[str]) -> list[str]:
    """An alarm for each class of the learned truth that the majority most often calls another class, or that is nowhere.

    Rows of ``counts`` [K, K] are used and not columns: where raters err at random, most voxels that they call a rare class
    truly belong to another one.
    """
    found = []
    for i, name in enumerate(classes):
        said = counts[i]
        if not said.any():
            # A class that neither side has on these slices is no evidence.
            if counts[:, i].any():
                found.append(f"class {name!r} is nowhere in the learned truth, although raters have it")
        elif said.argmax() != i:
            other = classes[int(said.argmax())]
            found.append(f"labels may be swapped: what is {name!r} in the learned truth, most raters call {other!r}")
    return found


def not_dominant(confusion: npt.NDArray[np.float64], classes: Sequence[str]) -> list[str]:
    """An alarm if the mean matrix of the raters, from confusion [R, K, K], is not diagonally dominant.

    The diagonal must be largest in each column: only then are matrices and truth identified (Tanno et al. 2019).
    """
    known = confusion[~np.isnan(confusion).any(axis=(1, 2))]
    if not len(known):
        return []
    mean = known.mean(axis=0)
    lost = [f"{name!r}" for j, name in enumerate(classes) if mean[j, j] <= np.delete(mean[:, j], j).max()]
    if not lost:
        return []
    return [f"the mean matrix of the raters is not diagonally dominant for {', '.join(lost)}: the truth may be relabelled"]
