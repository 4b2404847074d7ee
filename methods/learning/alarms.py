"""Alarms about what was learned: a class that a network never gives, and a learned truth that is not what raters mean.

The latter are for methods that estimate the truth together with the raters' errors. The likelihood does not determine which
class is which: a learned truth with exchanged labels, and matrices to match, explains the raters equally well. A comparison
with the majority of the raters, and the matrices themselves, show whether that happened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch

from ...datasets.base import Case, Dataset, Floats
from ..thresholds import THRESHOLDS, hard_labels
from .losses import summed_votes

FALL = 0.05
"""The fall of the Dice with the majority that is worth a warning."""

LOOKED_AT = 256
"""Training cases, evenly spread, in which classes are looked for."""


def lost_classes(predict: Callable[[Case], Floats], train: Dataset) -> list[str]:
    """An alarm if the probability [K, *S] of no training case makes a foreground class that raters marked, one for all such.

    That is the case where an activation or a loss has no gradient from the start or loses it, as a normalised ReLU does whose
    logits of a class are all negative. With two classes the lowest threshold of the search makes the labels. Of a network that
    gives all classes few cases are predicted; cases without a class that is still missing are not.
    """
    missing = dict.fromkeys(range(1, len(train.classes)), 0)
    for position in np.linspace(0, len(train) - 1, min(len(train), LOOKED_AT)).round().astype(int):
        case = train[position]
        marked = [k for k in missing if any((rating == k).any() for rating in case.ratings.values())]
        if marked:
            labels = hard_labels(predict(case.unlabelled()), THRESHOLDS[0])
            for k in marked:
                if (labels == k).any():
                    del missing[k]
                else:
                    missing[k] += 1
        if not missing:
            break
    lost = [k for k, cases in missing.items() if cases]
    if not lost:
        return []
    everything = "background everywhere" if len(lost) == len(train.classes) - 1 else ""
    given = everything or f"no {' and no '.join(train.classes[k] for k in lost)}"
    return [
        f"the network gives {given} on all {max(missing[k] for k in lost)} training cases that were looked at and in which "
        "raters marked it: it never started to learn or has lost it; train with another seed or learning rate"
    ]


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
