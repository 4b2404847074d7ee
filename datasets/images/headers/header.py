"""What the header of an image file says of its pixels, before any of them is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

Channels = Literal["colours", "layers", "channels"]
"""What several numbers for one voxel are: a colour, the layers of a segmentation, or something else."""

Encoding = Literal["raw", "zlib", "text", "hex"]
"""How a volume's values are stored: as they are, deflated (zlib or gzip), as numbers in text, or as hexadecimal digits."""


@dataclass(frozen=True)
class VolumeHeader:
    """The header of a NIfTI, MetaImage or NRRD file.

    ``sizes`` are all axes as the header gives them, the first varying fastest, without those that ``channels`` are on;
    ``value`` is the type of a stored number. The values start at byte ``start`` of ``data`` (-1: they are its last bytes);
    of compressed data, ``skip`` decompressed bytes come before them. ``ending`` is the one by which SimpleITK knows the format.
    """

    file: Path
    data: Path
    sizes: tuple[int, ...]
    channels: int
    value: np.dtype[Any]
    start: int
    encoding: Encoding
    ending: str
    image_io: str
    skip: int = 0
    channel_kind: Channels = "channels"
    alpha: bool = False
    segments: bool = False
    lossy: bool = False

    @property
    def count(self) -> int:
        """Stored numbers: voxels times channels."""
        count = self.channels
        for size in self.sizes:
            count *= size
        return count


@dataclass(frozen=True)
class RasterHeader:
    """The header of a PNG, TIFF, JPEG, BMP or PNM file.

    ``sizes`` are those of the array, [H, W] or [pages, H, W]; ``channels`` of a pixel as it is read, the last of which is
    the opacity where ``alpha`` says so. ``palette``: a stored value is the number of a colour. ``white_is_zero``: the larger
    a stored value, the darker it is shown. ``pages`` are the numbers of the pages to read.
    """

    file: Path
    sizes: tuple[int, ...]
    channels: int
    value: np.dtype[Any]
    reader: Literal["SimpleITK", "Pillow", "PNM"]
    image_io: str = ""
    alpha: bool = False
    palette: bool = False
    white_is_zero: bool = False
    lossy: bool = False
    pages: tuple[int, ...] = (0,)
    channel_kind: Channels = "colours"
    segments: bool = False

    @property
    def count(self) -> int:
        """Numbers that are read: pixels times channels."""
        count = self.channels
        for size in self.sizes:
            count *= size
        return count


Header = VolumeHeader | RasterHeader
