"""Simulated ratings that agree inside and outside objects and differ along the outlines, as those of people do."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ...datasets.base import Labels

BIAS, JITTER = 0.02, 0.05
"""Standard deviations of the outlines of a rater, overall and local, as shares of half the image."""


def outlines(shape: tuple[int, ...], *, n_raters: int, n_classes: int = 2, seed: int = 0) -> dict[str, Labels]:
    """Labels [*S] of nested ellipsoids, one for each foreground class, with a bias and a local jitter for each rater."""
    random = np.random.default_rng(seed)
    axes = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in shape), indexing="ij", sparse=True)
    depth = 0.7 - np.sqrt(sum(np.square(axis) for axis in axes))
    ratings = {}
    for r in range(n_raters):
        coarse = random.normal(size=[n // 16 + 2 for n in shape]).astype(np.float32)
        jitter = ndimage.zoom(coarse, [n / c for n, c in zip(shape, coarse.shape, strict=True)], order=1)
        distance = depth + BIAS * random.normal() + JITTER * jitter
        steps = [0.7 * k / (n_classes - 1) for k in range(n_classes - 1)]
        ratings[f"rater {r:02}"] = np.stack([distance > step for step in steps]).sum(axis=0, dtype=np.uint8)
    return ratings
