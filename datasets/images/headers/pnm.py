"""PBM, PGM and PPM files, which neither SimpleITK nor Pillow gives with the values that are stored."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..file_content import first_bytes
from .header import RasterHeader
from .integrity import check_size, damaged

_TOKEN = re.compile(rb"(?:\s|#[^\n]*\n)*([^\s#]+)")
_LONGEST = 1 << 16


def read_header(file: Path) -> RasterHeader:
    """Read the header of a PBM, PGM or PPM file, in text or binary (netpbm.sourceforge.net/doc).

    Raises:
        RaterbenchError: it is damaged.
    """
    kind, width, height, most, _ = _layout(file)
    value = np.dtype("u1" if most < 256 else ">u2")
    return RasterHeader(file, (height, width), 3 if kind in (3, 6) else 1, value, "PNM")


def verify(header: RasterHeader) -> None:
    """See that there are as many values as the header promises.

    Raises:
        RaterbenchError: some are missing, or there are more.
    """
    kind, width, _, _, start = _layout(header.file)
    if kind in (4, 5, 6):
        row = (width + 7) // 8 if kind == 4 else width * header.channels * header.value.itemsize
        check_size(header.file, header.file.stat().st_size - start, header.sizes[0] * row)
    else:
        check_size(header.file, len(_numbers(header.file, kind, start)), header.count, "values")


def read_pixels(header: RasterHeader) -> npt.NDArray[Any]:
    """The values [H, W] or [H, W, 3] as they are stored, not stretched to 255; of a PBM, black is 0 and white is 255.

    Raises:
        RaterbenchError: a value is larger than the header allows.
    """
    file, (height, width) = header.file, header.sizes
    kind, _, _, most, start = _layout(file)
    values: npt.NDArray[Any]
    if kind in (1, 2, 3):
        values = _numbers(file, kind, start)
    elif kind == 4:
        values = np.unpackbits(np.fromfile(file, np.uint8, offset=start).reshape(height, -1), axis=1)[:, :width]
    else:
        values = np.fromfile(file, header.value, offset=start)
    if (values > most).any():
        raise damaged(file, f"it has the value {values.max()}, above the {most} in its header")
    if kind in (1, 4):
        values = 255 * (1 - values)
    pixels = values.astype(header.value.newbyteorder("="))
    return pixels.reshape((height, width, 3) if header.channels == 3 else (height, width))


def _layout(file: Path) -> tuple[int, int, int, int, int]:
    """The number after P, width, height, largest value, and first byte of the values."""
    head, position, numbers = first_bytes(file, _LONGEST), 2, []
    kind = int(head[1:2])
    for _ in range(2 if kind in (1, 4) else 3):
        match = _TOKEN.match(head, position)
        if match is None or not match[1].isdigit() or len(match[1]) > 9:
            raise damaged(file, "its header gives no size")
        numbers.append(int(match[1]))
        position = match.end()
    width, height, most = (*numbers, 1)[:3]
    if min(width, height) < 1 or not 0 < most < 65536:
        raise damaged(file, f"its header says {width} x {height} pixels with values up to {most}")
    return kind, width, height, most, position + 1


def _numbers(file: Path, kind: int, start: int) -> npt.NDArray[np.int64]:
    """The values of a file in text; digits of a PBM may follow each other without a space."""
    text = re.sub(rb"#[^\n]*", b"", file.read_bytes()[start - 1 :])
    words = re.findall(rb"[01]", text) if kind == 1 else text.split()
    if not all(word.isdigit() and len(word) < 10 for word in words) or (kind == 1 and re.search(rb"[^01\s]", text)):
        raise damaged(file, "it holds something that is no number")
    return np.array([int(word) for word in words], np.int64)
