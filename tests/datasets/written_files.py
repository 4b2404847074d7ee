"""Small images and masks on disk, of which tests build the layouts of downloads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from raterbench.datasets import Geometry
from raterbench.datasets.images import write_labels


def put(file: Path, pixels: np.ndarray, geometry: Geometry | None = None) -> None:
    """Write pixels [*S] to a file, whose folder is made; without a geometry a voxel's sides are 1."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_labels(file, pixels, geometry or Geometry.axis_aligned(pixels.ndim))
