"""Volumes in TIFF stacks, read as a whole, of which slices are wanted one after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import RaterbenchError
from ..images import read_image, read_labels

KEPT = 4
"""Volumes that stay in memory: the image and the labels of two parts, or of two kinds of cells."""


class Stacks:
    """Reads stacks, and keeps the last ones: slices of a volume are asked for one after the other.

    Another process starts with none, since reading is as quick as sending them.
    """

    def __init__(self) -> None:
        self._volumes: dict[Path, npt.NDArray[Any]] = {}

    def volume(self, file: Path, *, labels: bool = False) -> npt.NDArray[Any]:
        """The values [D, H, W] of a stack: of an image as the smallest whole numbers that hold them, else as float32.

        Raises:
            RaterbenchError: the file cannot be read, or holds no grey volume.
        """
        if file not in self._volumes:
            found = read_labels(file).pixels[None] if labels else _small(read_image(file).pixels)
            if found.ndim == 3:
                found = found[:, None]  # a stack of one slice
            if len(found) != 1:
                raise RaterbenchError(f"{file} is in colours, but belongs to grey volumes: copy it from the download again")
            while len(self._volumes) >= KEPT:
                del self._volumes[next(iter(self._volumes))]
            self._volumes[file] = found[0]
        return self._volumes[file]

    def pair(self, image: Path, labels: Path) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """The image and the labels [D, H, W] of a volume.

        Raises:
            RaterbenchError: a file cannot be read, or they differ in size.
        """
        one, other = self.volume(image), self.volume(labels, labels=True)
        if one.shape != other.shape:
            raise RaterbenchError(f"{image} and {labels} differ in size: {one.shape} against {other.shape}")
        return one, other

    def __getstate__(self) -> dict[str, object]:
        return {"_volumes": {}}


def _small(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same values in a quarter or half of the memory, where they are whole numbers of 8 or 16 bits."""
    for kind in (np.uint8, np.uint16):
        if pixels.min() >= 0 and pixels.max() <= np.iinfo(kind).max:
            small = pixels.astype(kind)
            return small if bool((small == pixels).all()) else pixels
    return pixels
