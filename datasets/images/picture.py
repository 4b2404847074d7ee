"""What an image file holds: pixels, where they lie, and the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy.typing as npt

from ..base import Geometry


class Picture(NamedTuple):
    """What a file holds: ``pixels`` [C, *S] of an image or [*S] of labels, their geometry, and the file."""

    pixels: npt.NDArray[Any]
    geometry: Geometry
    file: Path
