"""An axial slice of a spinal cord, drawn analytically: where white and grey matter end, and what a scanner sees of it.

Coordinates are in mm from the middle of the image, x to the right and y down, which is from anterior to posterior.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ..base import Floats

SUPERSAMPLING = 8
"""A voxel's partial volume is counted over this many points along each axis."""


@dataclass(frozen=True)
class Anatomy:
    """The shape of one slice; lengths in mm, angles in radians.

    ``half_width`` and ``half_height`` are the cord's; ``grey`` scales the butterfly, ``horn`` the tips of its anterior horns;
    ``wobble`` [3] are the amplitudes and ``phases`` [3] the phases of the outline's second to fourth harmonic. ``atrophy`` is
    the share of the grey matter's area that a disease took: the butterfly shrinks towards its middle, among white matter.
    """

    half_width: float
    half_height: float
    grey: float
    horn: float
    tilt: float
    shift: tuple[float, float]
    asymmetry: float
    wobble: tuple[float, ...]
    phases: tuple[float, ...]
    atrophy: float = 0.0

    @classmethod
    def draw(cls, person: np.random.Generator, slice_: np.random.Generator, level: float) -> Anatomy:
        """A random person's cord at ``level`` (0 to 1 from its widest to its narrowest part)."""
        size, tilt = person.uniform(0.88, 1.12), person.normal(0, 0.08)
        return cls(
            half_width=size * (6.4 - 1.0 * level + slice_.normal(0, 0.08)),
            half_height=size * (4.3 - 0.2 * level + person.normal(0, 0.15)),
            grey=size * (1.0 - 0.18 * level) * person.uniform(0.9, 1.1),
            horn=person.uniform(0.85, 1.1) * (1.0 - 0.3 * level),
            tilt=tilt + slice_.normal(0, 0.03),
            shift=(float(person.uniform(-1, 1)), float(person.uniform(-1, 1))),
            asymmetry=float(person.normal(0, 0.04)),
            wobble=tuple(float(a) for a in person.normal(0, 0.018, 3)),
            phases=tuple(float(p) for p in person.uniform(0, 2 * np.pi, 3) + slice_.normal(0, 0.3, 3)),
        )


@dataclass(frozen=True)
class Scanner:
    """How a centre images: ``pixel`` (y, x) in mm, mean signals of each tissue, and what spoils them.

    ``noise`` is the standard deviation of both channels of the (Rician) signal, ``texture`` that of a smooth unevenness of
    the tissue, ``shading`` that of the logarithm of the coil's sensitivity; ``blur`` is the point spread in mm.
    """

    pixel: tuple[float, float]
    outside: float
    fluid: float
    white: float
    grey: float
    noise: float
    texture: float
    shading: float
    blur: float


def grid(shape: tuple[int, int], spacing: tuple[float, float]) -> tuple[Floats, Floats]:
    """Pixel centres: y [H, 1] and x [1, W] in mm, float32."""
    y, x = ((np.arange(n, dtype=np.float32) - (n - 1) / 2) * step for n, step in zip(shape, spacing, strict=True))
    return y.astype(np.float32)[:, None], x.astype(np.float32)[None, :]


def outlines(y: Floats, x: Floats, anatomy: Anatomy) -> Floats:
    """Signed distances [2, H, W] in mm, positive inside, to the outlines of the whole cord and of the grey matter.

    Exact to first order near the outline, which is where raters draw.
    """
    cos, sin = np.float32(np.cos(anatomy.tilt)), np.float32(np.sin(anatomy.tilt))
    x, y = x - np.float32(anatomy.shift[0]), y - np.float32(anatomy.shift[1])
    u, v = cos * x + sin * y, cos * y - sin * x
    scale = np.float32(np.sqrt(1 - anatomy.atrophy))  # Of lengths: areas, and what is lost of them, go with its square.
    grey = scale * _butterfly(np.asarray(u / scale), np.asarray(v / scale), anatomy)
    return np.stack([_cord(u, v, anatomy), grey]).astype(np.float32)


def partial_volumes(shape: tuple[int, int], spacing: tuple[float, float], anatomy: Anatomy) -> Floats:
    """Each pixel's share [3, H, W] of background, white and grey matter: counted over a grid of finer points."""
    n = SUPERSAMPLING
    y, x = grid((shape[0] * n, shape[1] * n), (spacing[0] / n, spacing[1] / n))
    # Points that are too far away to lie in the cord need no distance.
    rows, columns = (_pixels_within(points.ravel()[n // 2 :: n], r) for points, r in zip((y, x), _extent(anatomy), strict=True))
    fine = y[rows.start * n : rows.stop * n], x[:, columns.start * n : columns.stop * n]
    cord, grey = outlines(*fine, anatomy) >= 0
    height, width = rows.stop - rows.start, columns.stop - columns.start
    inside = np.stack([cord, cord & grey]).reshape(2, height, n, width * n)
    counted = np.zeros((2, *shape), np.uint8)
    counted[:, rows, columns] = inside.sum(axis=2, dtype=np.uint8).reshape(2, height, width, n).sum(axis=3, dtype=np.uint8)
    share = counted.astype(np.float32) / np.float32(n * n)
    return np.stack([1 - share[0], share[0] - share[1], share[1]]).astype(np.float32)


def image(
    partial: Floats, distances: Floats, scanner: Scanner, spacing: tuple[float, float], random: np.random.Generator
) -> Floats:
    """What the scanner records [1, H, W] float32 of partial volumes [3, H, W] and outlines [2, H, W]."""
    shape = partial.shape[1:]
    sac = _share(distances[0] + 1.4 + 0.5 * _field(shape, spacing, 2.5, random), spacing)
    roots = _share(_nerve_roots(distances[0], spacing, random), spacing)
    fluid = scanner.fluid - (scanner.fluid - scanner.white) * roots
    around = scanner.outside * (1 + 0.35 * _field(shape, spacing, 1.2, random))
    signal = partial[0] * (sac * fluid + (1 - sac) * around) + partial[1] * scanner.white + partial[2] * scanner.grey
    signal = signal + scanner.texture * _field(shape, spacing, 0.7, random)
    signal = ndimage.gaussian_filter(signal, [scanner.blur / step for step in spacing])
    signal = signal * np.exp(scanner.shading * _field(shape, spacing, 6.0, random))
    channels = random.normal(0, scanner.noise, (2, *shape))
    return np.asarray(np.hypot(signal + channels[0], channels[1]), np.float32)[None]


def _extent(anatomy: Anatomy) -> tuple[tuple[float, float], tuple[float, float]]:
    """The lowest and highest y, and x, in mm, that a point of the cord can have."""
    wave = 1 + sum(abs(amplitude) for amplitude in anatomy.wobble)
    a, b = anatomy.half_width * wave, anatomy.half_height * wave
    cos, sin = np.cos(anatomy.tilt), np.sin(anatomy.tilt)
    reach = float(np.hypot(a * sin, b * cos)), float(np.hypot(a * cos, b * sin))
    x, y = anatomy.shift
    return (y - reach[0], y + reach[0]), (x - reach[1], x + reach[1])


def _pixels_within(centres: Floats, limits: tuple[float, float]) -> slice:
    """The pixels, by their ``centres``, that may reach into a range of coordinates, and one more on each side."""
    first, last = np.searchsorted(centres, limits)
    return slice(max(0, int(first) - 2), min(len(centres), int(last) + 2))


def _cord(u: Floats, v: Floats, anatomy: Anatomy) -> Floats:
    """An ellipse with a wobbling outline, cut from the front by the median fissure."""
    a, b = np.float32(anatomy.half_width), np.float32(anatomy.half_height)
    p, q = u / a, v / b
    radius = np.sqrt(p * p + q * q) + np.float32(1e-4)
    # cos(n * angle) and sin(n * angle) by multiplication: arctan2 would be half of the phantom's running time.
    cos, sin = p / radius, q / radius
    wave, cos_n, sin_n = np.float32(1), cos, sin
    for amplitude, phase in zip(anatomy.wobble, anatomy.phases, strict=True):
        cos_n, sin_n = cos_n * cos - sin_n * sin, sin_n * cos + cos_n * sin
        wave = wave + np.float32(amplitude * np.cos(phase)) * cos_n - np.float32(amplitude * np.sin(phase)) * sin_n
    slope = np.sqrt((cos / a) ** 2 + (sin / b) ** 2)
    fissure = _capsule(u, v, (0.0, -1.2 * b), (0.0, -0.42 * b), (0.28, 0.10))
    return np.asarray(np.minimum((wave - radius) / slope, -fissure), np.float32)


def _butterfly(u: Floats, v: Floats, anatomy: Anatomy) -> Floats:
    """Two anterior and two posterior horns, and the commissure between them."""
    g, horn = anatomy.grey, anatomy.horn
    u = np.abs(u) * (1 + np.float32(anatomy.asymmetry) * np.sign(u))
    commissure = _capsule(u, v, (0.0, 0.05 * g), (1.7 * g, 0.1 * g), (0.38 * g, 0.6 * g))
    anterior = _capsule(u, v, (1.6 * g, 0.0), (2.2 * g, -1.55 * g), (0.7 * g, horn))
    posterior = _capsule(u, v, (1.6 * g, 0.2 * g), (2.7 * g, 2.9 * g), (0.62 * g, 0.33 * g))
    return _joined(_joined(commissure, anterior), posterior)


def _capsule(u: Floats, v: Floats, start: tuple[Any, Any], end: tuple[Any, Any], radii: tuple[float, float]) -> Floats:
    """Signed distance to a stroke from ``start`` to ``end`` whose radius goes from the first to the second of ``radii``."""
    du, dv = np.float32(end[0] - start[0]), np.float32(end[1] - start[1])
    u, v = u - np.float32(start[0]), v - np.float32(start[1])
    along = np.clip((u * du + v * dv) / (du * du + dv * dv), 0, 1)
    radius = np.float32(radii[0]) + np.float32(radii[1] - radii[0]) * along
    return np.asarray(radius - np.sqrt((u - along * du) ** 2 + (v - along * dv) ** 2), np.float32)


def _joined(one: Floats, other: Floats, width: float = 0.4) -> Floats:
    """The union of two shapes with a fillet of ``width`` mm."""
    near = np.maximum(np.float32(width) - np.abs(one - other), 0)
    return np.asarray(np.maximum(one, other) + near * near * np.float32(0.25 / width), np.float32)


def _nerve_roots(cord: Floats, spacing: tuple[float, float], random: np.random.Generator) -> Floats:
    """Signed distance to four small round roots that swim in the fluid 0.8 mm outside the cord."""
    found = np.full(cord.shape, -np.inf, np.float32)
    y, x = grid((cord.shape[0], cord.shape[1]), spacing)
    for side in (-1, 1), (1, -1), (-1, -1), (1, 1):
        quarter = (np.sign(y) == side[0]) & (np.sign(x) == side[1])
        gap = np.where(quarter, np.abs(cord + 0.8), np.inf)
        ranked = np.argsort(gap, axis=None)[: max(4, gap.size // 400)]
        row, column = np.unravel_index(random.choice(ranked), cord.shape)
        found = np.maximum(found, 0.45 - np.hypot(y - y[row], x - x[:, column]))
    return found


def _share(distance: Floats, spacing: tuple[float, float]) -> Floats:
    """About how much of a pixel lies inside an outline at a signed distance from its centre."""
    return np.asarray(np.clip(0.5 + distance / np.sqrt(spacing[0] * spacing[1]), 0, 1), np.float32)


def _field(
    shape: tuple[int, ...], spacing: tuple[float, float], smoothness: float, random: np.random.Generator
) -> npt.NDArray[Any]:
    """A smooth random field of zero mean and unit variance."""
    field = ndimage.gaussian_filter(random.standard_normal(shape), [smoothness / step for step in spacing], mode="wrap")
    return np.asarray((field - field.mean()) / field.std())
