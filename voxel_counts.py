"""Counts of labels, Dice from counts, one-hot arrays, and the most probable class: the one place for NumPy arrays."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from .datasets.base import IGNORE, Floats, Labels

Doubles = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

BLOCK = 1 << 16
"""Voxels that are computed together: few enough that all intermediate arrays stay in the processor's cache."""


def blocks(n_voxels: int) -> Iterator[slice]:
    """Slices of ``BLOCK`` voxels that together cover ``n_voxels``."""
    return (slice(start, start + BLOCK) for start in range(0, n_voxels, BLOCK))


def is_judged(labels: Labels) -> bool:
    """Whether a rater judged a voxel of the case at all."""
    return bool((labels != IGNORE).any())


def argmax_with_confidence(probability: Floats) -> tuple[Labels, Floats]:
    """The most probable class of each voxel [*S] (the lowest on ties) and its probability [*S]."""
    labels, best = np.zeros(probability.shape[1:], np.uint8), probability[0].copy()
    # A running maximum is several times faster than argmax over the first, widely strided axis.
    for k in range(1, len(probability)):
        labels[probability[k] > best] = k
        np.maximum(best, probability[k], out=best)
    return labels, best


def label_counts(first: Labels, second: Labels, n_classes: int) -> Counts:
    """``[i, j]`` = number of voxels that ``first`` calls i and ``second`` calls j, [K, K]; ``IGNORE`` is left out."""
    wide = n_classes + 1
    counts, rows, columns = np.zeros(wide * wide, np.int64), first.ravel(), second.ravel()
    for block in blocks(rows.size):
        # IGNORE becomes one class more, so that one pass counts everything without a mask.
        code = np.minimum(rows[block], n_classes).astype(np.intp)
        code *= wide
        code += np.minimum(columns[block], n_classes)
        counts += np.bincount(code, minlength=wide * wide)
    return counts.reshape(wide, wide)[:n_classes, :n_classes]


def ratio(numerator: npt.ArrayLike, denominator: npt.ArrayLike, otherwise: float = np.nan) -> Doubles:
    """``numerator / denominator`` elementwise, ``otherwise`` where the denominator is 0."""
    top, bottom = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    result: Doubles = np.full(np.broadcast_shapes(top.shape, bottom.shape), otherwise)
    np.divide(top, bottom, out=result, where=bottom != 0)
    return result


def dice_from_counts(both: npt.ArrayLike, first: npt.ArrayLike, second: npt.ArrayLike, empty: float = 1.0) -> Doubles:
    """Dice = 2 both / (first + second) elementwise, from numbers of voxels; ``empty`` where both masks are (Dice, 1945)."""
    return ratio(2 * np.asarray(both), np.asarray(first) + np.asarray(second), otherwise=empty)


def one_hot(labels: Labels, n_classes: int) -> Floats:
    """Labels [*S] as [K, *S] float32, 1 at the class of each voxel; zeros where a label is no class, as ``IGNORE`` is."""
    classes = np.arange(n_classes, dtype=np.uint8).reshape(-1, *[1] * np.ndim(labels))
    here: Floats = (np.asarray(labels)[None] == classes).astype(np.float32)
    return here
