"""Simulated volumes with thick slices, in which a slice alone does not tell a nodule from a vessel."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..parameters import Range, Seed, check_arguments
from .base import Card, Case, Dataset, Floats, Geometry, Truth, check_case, index_table
from .simulation.raters import BoundaryBias, BoundaryJitter, InventedPart, MissedPart, SimulatedRater

RATERS = (
    SimulatedRater("steady", (BoundaryJitter(0.4, 4.0),)),
    SimulatedRater("generous", (BoundaryBias((1.5,)), BoundaryJitter(0.5, 4.0))),
    SimulatedRater("sparing", (BoundaryBias((-1.5,)), BoundaryJitter(0.4, 4.0))),
    SimulatedRater("patchy", (BoundaryJitter(0.6, 4.0), MissedPart(0, 0.6, 6.0), InventedPart(0, 0.5, 4.0))),
)
"""The raters: lengths in mm. None of them takes a vessel for a nodule."""
PARTS = (-1 / 3, 0.0, 1 / 3)
"""Where a voxel is looked at for its share of nodule, along each axis, in voxels from its middle."""


class NoduleVolumes(Dataset):
    """Volumes of 96 mm a side with nodules, which are marked, and vessels, which are as bright and are not.

    A nodule is two balls that overlap, a vessel a tube that runs through the volume, mostly across slices. In a slice both are
    discs. A case depends on ``seed`` and its number alone.

    Args:
        cases: Number of volumes, each of a subject of its own.
        depth: Slices of a volume.
        size: Height and width of a slice in pixels.
        noise: Standard deviation of the noise of a voxel, where a nodule is 1 brighter than what is around it.
        seed: Of everything that is random.

    Raises:
        RaterbenchError: an option is out of its range.
    """

    name = "nodule-volumes"
    classes = ("background", "nodule")
    raters = tuple(rater.name for rater in RATERS)
    card: ClassVar[Card] = Card(
        title="Simulated nodules and vessels in volumes, with four simulated raters",
        citation="raterbench (drawn by the software itself)",
        licence="Apache-2.0",
        source="drawn when read",
    )
    extent: ClassVar[float] = 96.0
    """Of a volume along each axis, in mm."""

    def __init__(
        self,
        *,
        cases: Annotated[int, Range(1, 10_000)] = 30,
        depth: Annotated[int, Range(4, 512)] = 32,
        size: Annotated[int, Range(8, 512)] = 96,
        noise: Annotated[float, Range(0, 10)] = 0.4,
        seed: Seed = 0,
    ) -> None:
        options = {"cases": cases, "depth": depth, "size": size, "noise": noise, "seed": seed}
        check_arguments(NoduleVolumes, options, "nodule-volumes")
        self.depth, self.size, self.noise, self.seed = depth, size, float(noise), seed
        names = [f"volume-{i + 1:03}" for i in range(cases)]
        self.index = index_table((name, name, "simulated", self.raters) for name in names)

    @property
    def rater_parameters(self) -> Mapping[str, SimulatedRater]:
        """What each rater does, by name."""
        return {rater.name: rater for rater in RATERS}

    def fingerprint(self) -> str:
        text = f"{super().fingerprint()}|{self.depth}|{self.size}|{self.noise}|{self.seed}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def load(self, position: int) -> Case:
        shape = (self.depth, self.size, self.size)
        spacing = tuple(self.extent / n for n in shape)
        name, bodies = self.index["case"].iloc[position], _Bodies(self._random(position, 0), self.extent)
        distance = bodies.nodules(self._grid(shape))
        share = np.mean([bodies.nodules(self._grid(shape, part)) > 0 for part in np.ndindex(3, 3, 3)], axis=0)
        ratings = {
            rater.name: rater.rate(distance[None], spacing, self._random(position, 2 + i)) for i, rater in enumerate(RATERS)
        }
        image = self._image(np.maximum(distance, bodies.vessels(self._grid(shape))), spacing, self._random(position, 1))
        probability = np.stack([1 - share, share]).astype(np.float32)
        truth = Truth((share > 0.5).astype(np.uint8), probability)
        geometry = Geometry.axis_aligned(3, spacing)
        return check_case(Case(name, name, "simulated", image[None], ratings, geometry, truth), self.n_classes)

    def _grid(self, shape: tuple[int, ...], part: tuple[int, ...] = (1, 1, 1)) -> list[npt.NDArray[np.float64]]:
        """Coordinates in mm of a point of each voxel, its middle or one of ``PARTS`` beside it, as an open grid."""
        axes = zip(shape, part, strict=True)
        return list(np.ix_(*((np.arange(n) + 0.5 + PARTS[place]) * self.extent / n for n, place in axes)))

    def _image(self, distance: Floats, spacing: tuple[float, ...], random: np.random.Generator) -> Floats:
        """Brightness that falls within a voxel at the outline, with slow changes of the ground and noise."""
        bright = np.clip(0.5 + distance / 2, 0, 1)
        ground = ndimage.gaussian_filter(random.standard_normal(distance.shape), [10 / step for step in spacing], mode="wrap")
        noise = self.noise * random.standard_normal(distance.shape)
        return np.asarray(bright + 0.2 * ground / ground.std() + noise, np.float32)

    def _random(self, *coordinates: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *coordinates])


class _Bodies:
    """Nodules and vessels of a volume, drawn at random: lengths in mm, axes z, y, x."""

    def __init__(self, random: np.random.Generator, extent: float) -> None:
        self.balls: list[tuple[npt.NDArray[np.float64], float]] = []
        for _ in range(random.integers(1, 4)):
            centre, radius = random.uniform(0.2, 0.8, 3) * extent, random.uniform(6, 11)
            turn = random.standard_normal(3)
            beside = centre + 0.8 * radius * turn / np.linalg.norm(turn)
            self.balls += [(centre, radius), (beside, 0.7 * radius)]
        self.tubes = []
        for _ in range(random.integers(2, 5)):
            across = np.array([1.0, *random.uniform(-0.4, 0.4, 2)])
            through = np.array([0.5, *random.uniform(0.1, 0.9, 2)]) * extent
            self.tubes.append((through, across / np.linalg.norm(across), random.uniform(5, 8)))

    def nodules(self, grid: list[npt.NDArray[np.float64]]) -> Floats:
        """The signed distance [*S] to the nodules, positive inside."""
        inside = [
            radius - np.sqrt(sum((x - c) ** 2 for x, c in zip(grid, centre, strict=True))) for centre, radius in self.balls
        ]
        return np.asarray(np.max(inside, axis=0), np.float32)

    def vessels(self, grid: list[npt.NDArray[np.float64]]) -> Floats:
        """The signed distance [*S] to the vessels, positive inside."""
        inside = []
        for through, along, radius in self.tubes:
            offsets = [x - p for x, p in zip(grid, through, strict=True)]
            run = sum(o * a for o, a in zip(offsets, along, strict=True))
            inside.append(radius - np.sqrt(np.maximum(sum(o**2 for o in offsets) - run**2, 0)))
        return np.asarray(np.max(inside, axis=0), np.float32)
