"""JPEG files: their header, and whether they end where they should."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from ....errors import RaterbenchError
from .header import RasterHeader
from .integrity import damaged
from .orientation import check_upright, orientation_of

_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_SCAN, _EXIF = 0xDA, 0xE1


def read_header(file: Path) -> RasterHeader:
    """Read the segments of a JPEG up to its first scan (ITU-T T.81, annex B).

    Raises:
        RaterbenchError: it is damaged, in four colours or more than 8 bits, or turned by its EXIF orientation.
    """
    content = file.read_bytes()
    position, frame = 2, None
    while position + 4 <= len(content):
        if content[position] != 0xFF:
            raise damaged(file, "its segments do not follow each other")
        marker, length = content[position + 1], struct.unpack_from(">H", content, position + 2)[0]
        if marker == 0xFF:  # Any number of these may stand before a marker.
            position += 1
            continue
        segment = content[position + 4 : position + 2 + length]
        if marker == _EXIF and segment.startswith(b"Exif\0\0"):
            check_upright(file, orientation_of(file, segment[6:]))
        if marker in _FRAMES and len(segment) >= 6:
            frame = struct.unpack_from(">BHHB", segment)
        if marker == _SCAN:
            break
        position += 2 + length
    else:
        raise damaged(file, "it ends before its first scan, so it was cut off")
    if frame is None or 0 in frame:
        raise damaged(file, "its header gives no size")
    bits, height, width, channels = frame
    if bits != 8 or channels not in (1, 3):
        raise RaterbenchError(
            f"{file} has {channels} channels of {bits} bits (CMYK or 12-bit JPEG): save it in grey or RGB, 8 bit"
        )
    return RasterHeader(file, (height, width), channels, np.dtype("u1"), "SimpleITK", image_io="JPEGImageIO", lossy=True)


def verify(header: RasterHeader) -> None:
    """See that the last scan has its end mark: readers fill what was cut off with grey. JPEG has no checksum.

    Raises:
        RaterbenchError: the mark is missing.
    """
    content = header.file.read_bytes()
    if content.rfind(b"\xff\xd9") < content.rfind(b"\xff\xda"):
        raise damaged(header.file, "it has no end mark, so it was cut off")
