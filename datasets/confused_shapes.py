"""Noise drawn from the model itself: raters who confuse classes by constant, known matrices, each voxel by itself."""

from __future__ import annotations

import hashlib
from typing import Annotated, ClassVar, Literal

import numpy as np

from ..errors import RaterbenchError
from ..parameters import Range, Seed, check_arguments
from .base import Card, Case, Dataset, Geometry, Labels, Truth, index_table
from .simulation.raters import VoxelFlips

CLASSES = 3
CONFUSIONS = {
    "careful": VoxelFlips(((0.95, 0.05, 0.02), (0.03, 0.90, 0.03), (0.02, 0.05, 0.95))),
    "generous": VoxelFlips(((0.80, 0.05, 0.05), (0.15, 0.85, 0.10), (0.05, 0.10, 0.85))),
    "sparing": VoxelFlips(((0.90, 0.25, 0.15), (0.05, 0.65, 0.15), (0.05, 0.10, 0.70))),
    "hasty": VoxelFlips(((0.60, 0.20, 0.10), (0.25, 0.65, 0.20), (0.15, 0.15, 0.70))),
}
"""What each rater says (rows) where the truth is a class (columns): diagonals from .60 to .95."""


class ConfusedShapes(Dataset):
    """An ellipse within an ellipse on a dark ground, and four raters whose errors are what confusion matrices assume.

    The test of any method that learns matrices: here the truth is identified by the likelihood, within relabelling, so a
    method that does not find these matrices finds none. ``official_test`` holds the positions of the test part.

    Args:
        train: Number of training images.
        test: Number of test images.
        size: Height and width in voxels.
        regime: ``"all"``: every rater rates each image; ``"one"``: one rater each, drawn at random with ``seed``.
        noise: Standard deviation of the image's noise; classes are 0.5 apart.
        seed: Of everything that is drawn.

    Raises:
        RaterbenchError: an option is out of its range.
    """

    name = "confused-shapes"
    classes = ("background", "outer", "inner")
    raters = tuple(CONFUSIONS)
    unit = "pixel"
    n_axes = 2
    card: ClassVar[Card] = Card(
        title="Simulated shapes with raters of constant confusion",
        citation="raterbench (this package)",
        licence="Apache-2.0",
        source="drawn when it is read; nothing is downloaded",
    )

    def __init__(
        self,
        *,
        train: Annotated[int, Range(0, 100_000)] = 2000,
        test: Annotated[int, Range(0, 100_000)] = 500,
        size: Annotated[int, Range(16, 2048)] = 32,
        regime: Literal["all", "one"] = "all",
        noise: Annotated[float, Range(0, 100)] = 0.15,
        seed: Seed = 0,
    ) -> None:
        given = {"train": train, "test": test, "size": size, "regime": regime, "noise": noise, "seed": seed}
        check_arguments(ConfusedShapes, given, self.name)
        if train + test == 0:
            raise RaterbenchError(f"{self.name}: train and test are both 0: there is no image to draw")
        self.train, self.test, self.size, self.regime, self.noise, self.seed = train, test, size, regime, noise, seed
        chosen = np.random.default_rng([seed, 0]).integers(len(self.raters), size=train + test)
        self._raters = [self.raters if regime == "all" else (self.raters[r],) for r in chosen]
        self.official_test = tuple(range(train, train + test))
        names = [f"train-{i:05d}" for i in range(train)] + [f"test-{i:05d}" for i in range(test)]
        self.index = index_table(zip(names, names, ["simulated"] * len(names), self._raters, strict=True))

    def fingerprint(self) -> str:
        # The index knows nothing of what the images look like.
        text = f"{super().fingerprint()}|{self.train}|{self.size}|{self.noise}|{self.seed}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def load(self, position: int) -> Case:
        random = np.random.default_rng([self.seed, 1, position])
        truth = _shapes(self.size, random)
        image = 0.5 * truth + self.noise * random.standard_normal(truth.shape)
        # All raters are drawn, so that a rater says the same in both regimes.
        said = {name: flips(truth, random) for name, flips in CONFUSIONS.items()}
        name = str(self.index["case"].iloc[position])
        return Case(
            id=name,
            subject=name,
            centre="simulated",
            image=image[None].astype(np.float32),
            ratings={rater: said[rater] for rater in self._raters[position]},
            geometry=Geometry.axis_aligned(2),
            truth=Truth(truth, np.equal(truth, np.arange(CLASSES).reshape(-1, 1, 1)).astype(np.float32)),
        )


def _shapes(size: int, random: np.random.Generator) -> Labels:
    """Labels [size, size] uint8 of an ellipse (1) and a smaller one (2) in its middle."""
    y, x = np.mgrid[:size, :size] / size
    (cy, cx), axes, angle = random.uniform(0.35, 0.65, 2), random.uniform(0.18, 0.34, 2), random.uniform(0, np.pi)
    along = (y - cy) * np.cos(angle) + (x - cx) * np.sin(angle)
    across = (x - cx) * np.cos(angle) - (y - cy) * np.sin(angle)
    distance = np.hypot(along / axes[0], across / axes[1])
    return np.asarray((distance < 1).astype(np.uint8) + (distance < 0.55), np.uint8)
