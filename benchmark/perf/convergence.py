"""Errors of the estimated confusion matrices of simulated raters, for images of growing size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ...methods.base import Fusion
from ...methods.fusion.staple import STAPLE

SIZES = (10**3, 10**4, 10**5, 10**6)

FREQUENCIES = (0.7, 0.2, 0.1)
"""Frequency of each class."""


def estimation_errors(fusion: Fusion, sizes: Sequence[int], *, n_raters: int = 5, repeats: int = 5) -> npt.NDArray[np.float64]:
    """Root mean square error of the entries of the raters' confusion matrices, for images of ``sizes`` voxels.

    Raters label a truth of three unequally frequent classes independently at each voxel, each with a confusion matrix of its
    own, the same in all images; the mean is over ``repeats`` images of a size. The error of an unbiased estimate decreases
    with the square root of the number of voxels.
    """
    n_classes = len(FREQUENCIES)
    random = np.random.default_rng(0)
    right = random.uniform(0.6, 0.95, size=(n_raters, 1, n_classes))
    wrong = random.dirichlet(np.ones(n_classes - 1), size=(n_raters, n_classes)).transpose(0, 2, 1) * (1 - right)
    confusion = np.array([[np.insert(wrong[r, :, j], j, right[r, 0, j]) for j in range(n_classes)] for r in range(n_raters)])
    confusion = confusion.transpose(0, 2, 1)
    return np.array([np.sqrt(np.mean([_squared_error(fusion, confusion, n, seed) for seed in range(repeats)])) for n in sizes])


def compared_errors() -> dict[str, npt.NDArray[np.float64]]:
    """The errors of STAPLE with a fixed and with an estimated prior, by name, a value for each of ``SIZES``."""
    ways = {"STAPLE, fixed prior": STAPLE(), "STAPLE, estimated prior": STAPLE(prior="estimated")}
    return {name: estimation_errors(fusion, SIZES) for name, fusion in ways.items()}


def _squared_error(fusion: Fusion, confusion: npt.NDArray[np.float64], n_voxels: int, seed: int) -> float:
    random = np.random.default_rng([seed, n_voxels])
    truth = random.choice(len(FREQUENCIES), p=FREQUENCIES, size=n_voxels)
    limits = confusion.cumsum(axis=1)[:, :-1, truth]
    said = (random.random((len(confusion), 1, n_voxels)) > limits).sum(axis=1).astype(np.uint8)
    fused = fusion.fuse({f"rater {r}": labels for r, labels in enumerate(said)}, len(FREQUENCIES))
    assert fused.confusion is not None
    return float(np.mean((fused.confusion - confusion) ** 2))
