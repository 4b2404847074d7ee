"""BMP files: their header, and whether all rows are there."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from ....errors import RaterbenchError
from ..file_content import first_bytes
from .header import RasterHeader
from .integrity import check_size, damaged

_HEADERS = (12, 40, 52, 56, 64, 108, 124)
_PLAIN = (0, 3, 6)
"""Compressions that store every pixel; 1 and 2 are run lengths of 8 and 4 bits."""


def read_header(file: Path) -> RasterHeader:
    """Read the header of a BMP (Microsoft, BITMAPINFOHEADER and its relatives). Pillow reads it: SimpleITK knows no 1-bit
    pictures, and turns those upside down whose first row is the top one.

    Raises:
        RaterbenchError: it is damaged or of an unknown kind.
    """
    width, height, bits, compression, _ = _layout(file)
    if bits not in (1, 4, 8, 16, 24, 32) or compression not in (*_PLAIN, 1, 2) or not (width > 0 and height):
        raise damaged(file, f"its header says {width} x {height} pixels of {bits} bits and compression {compression}")
    mode = _mode(file)
    return RasterHeader(
        file,
        (abs(height), width),
        {"1": 1, "L": 1, "P": 3, "RGB": 3, "RGBA": 4}[mode],
        np.dtype("u1"),
        "Pillow",
        alpha=mode == "RGBA",
        palette=mode == "P",
    )


def verify(header: RasterHeader) -> None:
    """See that there are as many bytes of pixels as the header promises; a compressed one only when it is decoded.

    Raises:
        RaterbenchError: the file is cut off, or longer than its header says.
    """
    width, height, bits, compression, start = _layout(header.file)
    if compression in _PLAIN:
        size, promised = header.file.stat().st_size, start + abs(height) * ((width * bits + 31) // 32 * 4)
        # Up to three bytes may fill the file up; in the longest header a colour profile may follow.
        if size < promised or (size > promised + 3 and first_bytes(header.file, 18)[14] < 124):
            check_size(header.file, size, promised)


def _layout(file: Path) -> tuple[int, int, int, int, int]:
    """Width, height (negative: from the top down), bits of a pixel, compression, first byte of the pixels."""
    head = first_bytes(file, 54)
    if len(head) < 26 or (kind := struct.unpack_from("<I", head, 14)[0]) not in _HEADERS or (kind > 12 and len(head) < 54):
        raise damaged(file, "it has no complete BMP header")
    start = struct.unpack_from("<I", head, 10)[0]
    if kind == 12:
        width, height, _, bits = struct.unpack_from("<4H", head, 18)
        return width, height, bits, 0, start
    width, height, _, bits, compression = struct.unpack_from("<2i2HI", head, 18)
    return width, height, bits, compression, start


def _mode(file: Path) -> str:
    """What Pillow calls the kind of picture; one whose colours are the greys of their own numbers has no palette."""
    from PIL import Image

    try:
        with Image.open(file, formats=["BMP"]) as picture:
            return str(picture.mode)
    except (OSError, ValueError, SyntaxError) as error:
        raise RaterbenchError(f"{file} cannot be read: {error}") from error
