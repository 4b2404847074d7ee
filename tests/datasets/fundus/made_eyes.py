"""Small fundus images, masks and outlines of an optic disc and cup, written as the downloads have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

HEIGHT, WIDTH = 90, 120
MIDDLE = (60, 44)
"""Column and row of the middle of every disc and cup."""


def photograph(number: int = 0) -> np.ndarray:
    """A colour image [H, W, 3] with some noise."""
    shades = np.random.default_rng(number).normal((150, 80, 40), 3, (HEIGHT, WIDTH, 3))
    return np.clip(shades, 0, 255).astype(np.uint8)


def disc(radius: float, middle: tuple[float, float] = MIDDLE) -> np.ndarray:
    """A filled circle [H, W] of 0 and 1."""
    y, x = np.indices((HEIGHT, WIDTH))
    return ((x - middle[0]) ** 2 + (y - middle[1]) ** 2 <= radius**2).astype(np.uint8)


def circle(radius: float, points: int = 60, middle: tuple[float, float] = MIDDLE) -> np.ndarray:
    """Points (x, y) [n, 2] on a circle."""
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return np.array(middle) + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def save(file: Path, pixels: np.ndarray) -> None:
    """Write pixels [H, W] or [H, W, 3]; the folder is made, and JPEG is of high quality."""
    file.parent.mkdir(parents=True, exist_ok=True)
    options = {"quality": 95, "subsampling": 0} if file.suffix.lower() in (".jpg", ".jpeg") else {}
    Image.fromarray(pixels).save(file, **options)


def with_circles(pixels: np.ndarray, *radii: float, width: int = 1, middles: tuple = ()) -> np.ndarray:
    """A copy of an image [H, W, 3] into which circles are drawn in blue."""
    picture = Image.fromarray(pixels)
    for radius, (x, y) in zip(radii, middles or [MIDDLE] * len(radii), strict=True):
        box = [x - radius, y - radius, x + radius, y + radius]
        ImageDraw.Draw(picture).ellipse(box, outline=(0, 0, 255), width=width)
    return np.asarray(picture)


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Overlap of two masks."""
    return float(2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other)))
