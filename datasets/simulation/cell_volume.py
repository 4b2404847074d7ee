"""Volumes of simulated nuclei of two kinds, and what a fluorescence microscope shows of a slice through one.

After what is told of the HL60 and granulocyte volumes of the virtual microscope (Svoboda et al., 2009): large round nuclei
beside small ones of several lobes, blurred by the microscope, more so what lies above and below the slice. Lengths are those
of an image whose pixels are 1 wide (``zoom`` 1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..base import Floats

Kind = Literal["round", "lobed"]
Doubles = npt.NDArray[np.float64]

DEPTH = 64.0
"""Of a volume."""
FEWEST = 5
CELLS: dict[Kind, int] = {"round": 26, "lobed": 26}
"""In a volume of 128 x 128 pixels; other sizes have as many an area, but at least ``FEWEST`` of each kind."""
REACH: dict[Kind, float] = {"round": 14.5, "lobed": 11.0}
"""No voxel of a cell is farther from its centre."""
CLOSEST = 0.86
"""How near the centres of two nuclei may be, as a share of the sum of their reaches: few reach so far."""
TRIES = 100
"""Places that are tried for a cell before it is left out."""
FOCUS = ((-8.0, 0.12, 3.5), (-4.0, 0.18, 2.0), (0.0, 0.40, 1.0), (4.0, 0.18, 2.0), (8.0, 0.12, 3.5))
"""What a slice shows: the planes above and below by their distance, their share of the light, and their blur."""
HAZE, PHOTONS, READING = 0.08, 70.0, 0.02
"""Light of the background, photons of a voxel of brightness 1, and the standard deviation of the camera's own noise."""


@dataclass(frozen=True, eq=False)
class Nucleus:
    """Overlapping ellipsoids ``centres`` [n, 3] and ``radii`` [n, 3] (z, y, x), whose outline in the plane waves by ``waves``.

    ``waves`` are pairs of height (a share of the radius) and phase, for 2, 3 ... waves around; those of a round nucleus alone.
    """

    kind: Kind
    middle: Doubles
    centres: Doubles
    radii: Doubles
    waves: tuple[tuple[float, float], ...]
    brightness: float

    def inside(self, z: float, y: Doubles, x: Doubles) -> npt.NDArray[np.bool_]:
        """Where the plane ``z`` of a grid of rows ``y`` [h, 1] and columns ``x`` [1, w] is in the nucleus."""
        found = np.zeros(np.broadcast_shapes(y.shape, x.shape), bool)
        for (cz, cy, cx), (rz, ry, rx) in zip(self.centres, self.radii, strict=True):
            down, right = (y - cy) / ry, (x - cx) / rx
            limit: Doubles | float = 1.0
            if self.waves:
                angle = np.arctan2(down, right)
                limit = 1 + sum(height * np.cos(k * angle + phase) for k, (height, phase) in enumerate(self.waves, start=2))
            found |= (down**2 + right**2) / limit**2 < 1 - ((z - cz) / rz) ** 2
        return found


@dataclass(frozen=True, eq=False)
class CellVolume:
    """The nuclei of a volume that is seen with ``size`` x ``size`` pixels, ``zoom`` to a length of 1.

    The nucleus in place n of ``nuclei`` has the number n + 1.
    """

    size: int
    nuclei: tuple[Nucleus, ...]
    zoom: float = 1.0

    @classmethod
    def draw(cls, pixels: int, random: np.random.Generator, zoom: float = 1.0) -> CellVolume:
        """Nuclei that do not touch, those of a kind in every part of the depth."""
        nuclei, size = list[Nucleus](), pixels / zoom
        kinds: tuple[tuple[Kind, Callable[[Doubles, np.random.Generator], Nucleus]], ...]
        kinds = (("round", _round), ("lobed", _lobed))
        for kind, shape in kinds:
            count = max(FEWEST, round(CELLS[kind] * (size / 128) ** 2))
            for place in range(count):
                middle = _free_place(kind, (place, count), size, nuclei, random)
                if middle is not None:  # A crowded volume has fewer nuclei.
                    nuclei.append(shape(middle, random))
        return cls(pixels, tuple(nuclei), zoom)

    def only(self, kind: Kind) -> CellVolume:
        """The same volume without nuclei of the other kind."""
        return CellVolume(self.size, tuple(nucleus for nucleus in self.nuclei if nucleus.kind == kind), self.zoom)

    def numbers(self, z: float) -> npt.NDArray[np.int32]:
        """Which nucleus is where in the plane ``z`` [size, size], 0 where there is none."""
        found = np.zeros((self.size, self.size), np.int32)
        for number, nucleus in enumerate(self.nuclei, start=1):
            reach = REACH[nucleus.kind]
            if abs(z - nucleus.middle[0]) > reach:
                continue
            low, high = (nucleus.middle[1:] - reach) * self.zoom, (nucleus.middle[1:] + reach) * self.zoom
            rows, columns = (slice(max(0, int(a)), max(0, int(b) + 2)) for a, b in zip(low, high, strict=True))
            y, x = (np.arange(self.size)[part] / self.zoom for part in (rows, columns))
            found[rows, columns][nucleus.inside(z, y[:, None], x[None])] = number
        return found

    def image(self, z: float, random: np.random.Generator) -> Floats:
        """What the microscope shows of the plane ``z`` [size, size]: about 0 to 1."""
        texture = ndimage.gaussian_filter(random.standard_normal((self.size, self.size)), 2.0 * self.zoom, mode="wrap")
        texture = 1 + 0.15 * texture / texture.std()
        brightness = np.array([0.0, *(nucleus.brightness for nucleus in self.nuclei)])
        light = np.full((self.size, self.size), HAZE)
        for offset, share, blur in FOCUS:
            light += share * ndimage.gaussian_filter(brightness[self.numbers(z + offset)] * texture, blur * self.zoom)
        seen = random.poisson(PHOTONS * light.clip(min=0)) / PHOTONS + READING * random.standard_normal(light.shape)
        return seen.astype(np.float32)


def _free_place(
    kind: Kind, layer: tuple[int, int], size: float, nuclei: list[Nucleus], random: np.random.Generator
) -> Doubles | None:
    """A centre [3] in the given layer of the depth where a nucleus touches no other, or None if none was found."""
    place, count = layer
    tried = random.random((TRIES, 3))
    tried[:, 0] = (place + 0.25 + tried[:, 0] / 2) / count * DEPTH
    tried[:, 1:] *= size
    if nuclei:
        between = tried[:, None] - np.stack([nucleus.middle for nucleus in nuclei])
        apart = [CLOSEST * (REACH[kind] + REACH[nucleus.kind]) for nucleus in nuclei]
        tried = tried[((between**2).sum(axis=2) > np.square(apart)).all(axis=1)]
    return tried[0] if len(tried) else None


def _round(middle: Doubles, random: np.random.Generator) -> Nucleus:
    radii = random.uniform(10.0, 12.5, (1, 3))
    waves = tuple((float(random.uniform(0, top)), float(random.uniform(0, 2 * np.pi))) for top in (0.10, 0.05))
    return Nucleus("round", middle, middle[None], radii, waves, float(random.uniform(0.5, 1.0)))


def _lobed(middle: Doubles, random: np.random.Generator) -> Nucleus:
    """Three or four lobes along a tilted arc."""
    lobes = int(random.integers(3, 5))
    angles = random.uniform(0, 2 * np.pi) + np.linspace(0, 1.1 * np.pi, lobes)
    towards, tilt = random.uniform(0, 2 * np.pi), random.uniform(0, 0.5)
    offsets = 5.5 * np.stack([np.sin(tilt) * np.sin(angles - towards), np.sin(angles), np.cos(angles)], axis=1)
    radii = np.repeat(random.uniform(4.2, 5.4, (lobes, 1)), 3, axis=1)
    return Nucleus("lobed", middle, middle + offsets, radii, (), float(random.uniform(0.5, 1.0)))
