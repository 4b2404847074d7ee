"""PNG files: their header, and the checksums and size of their pixels."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ....errors import RaterbenchError
from .header import RasterHeader
from .integrity import PIECE, check_inflated, damaged, inflated
from .orientation import check_upright, orientation_of

_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Numbers of one pixel for each colour type: grey, RGB, palette, grey and opacity, RGB and opacity."""
_BITS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""First column and row, and steps to the next, of the seven passes of an interlaced image (PNG specification, 8.2)."""


def read_header(file: Path) -> RasterHeader:
    """Read the header of a PNG: every chunk before the pixels (PNG specification, third edition).

    Raises:
        RaterbenchError: it is damaged, an animation, turned by its EXIF orientation, or of a form that cannot be read rightly.
    """
    chunks = _before_pixels(file)
    width, height, bits, colour, _interlaced = _layout(file, chunks.get(b"IHDR", b""))
    if len(frames := chunks.get(b"acTL", b"")) == 8 and struct.unpack(">I", frames[:4])[0] > 1:
        raise RaterbenchError(f"{file} is an animation of {struct.unpack('>I', frames[:4])[0]} pictures: save one of them")
    check_upright(file, orientation_of(file, chunks.get(b"eXIf", b"")))
    if colour == 3:
        return RasterHeader(file, (height, width), 3, np.dtype("u1"), "Pillow", palette=True)
    # SimpleITK fails on grey with opacity, and divides values by what an 'sBIT' chunk says.
    reduced = any(significant < bits for significant in chunks.get(b"sBIT", b""))
    unusual = colour == 4 or b"tRNS" in chunks or reduced
    if unusual and bits == 16:
        raise RaterbenchError(f"{file} is a 16-bit PNG with opacity or fewer significant bits: save it without them")
    alpha = colour in (4, 6)
    return RasterHeader(
        file,
        (height, width),
        _SAMPLES[colour],
        np.dtype("u2" if bits == 16 else "u1"),
        "Pillow" if unusual else "SimpleITK",
        image_io="PNGImageIO",
        alpha=alpha,
    )


def verify(header: RasterHeader) -> None:
    """Check every chunk's checksum, that of the deflated pixels, and that there are as many as the header promises.

    Raises:
        RaterbenchError: the file is cut off or damaged.
    """
    file = header.file
    with file.open("rb") as stream:
        chunks = _chunks(file, stream)
        layout = _checked(file, stream, *next(chunks))
        promised = _scanline_bytes(*_layout(file, layout))
        deflated = (data for kind, length in chunks if (data := _checked(file, stream, kind, length)) and kind == b"IDAT")
        check_inflated(file, inflated(deflated, file), promised)


def _layout(file: Path, chunk: bytes) -> tuple[int, int, int, int, int]:
    """Width, height, bits of a sample, colour type, and 1 if interlaced."""
    if len(chunk) != 13:
        raise damaged(file, "it has no PNG header")
    width, height, bits, colour, _compression, _filter, interlaced = struct.unpack(">2I5B", chunk)
    if bits not in _BITS.get(colour, ()) or interlaced > 1 or not (0 < width < 2**31 and 0 < height < 2**31):
        raise damaged(file, f"its header says {width} x {height} pixels of {bits} bits and colour type {colour}")
    return width, height, bits, colour, interlaced


def _scanline_bytes(width: int, height: int, bits: int, colour: int, interlaced: int) -> int:
    """Bytes of all rows, each with one for its filter."""

    def rows(columns: int, lines: int) -> int:
        return lines * (1 + (columns * _SAMPLES[colour] * bits + 7) // 8) if columns else 0

    if not interlaced:
        return rows(width, height)
    return sum(rows((width - x + dx - 1) // dx, (height - y + dy - 1) // dy) for x, y, dx, dy in _PASSES)


def _chunks(file: Path, stream: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Kind and length of each chunk up to the last, IEND; what follows that is no part of the picture."""
    stream.seek(8)
    while True:
        start = stream.read(8)
        if len(start) < 8:
            raise damaged(file, "it ends before its last chunk, so it was cut off")
        length, kind = struct.unpack(">I4s", start)
        following = stream.tell() + length + 4
        yield kind, length
        if kind == b"IEND":
            return
        stream.seek(following)


def _checked(file: Path, stream: BinaryIO, kind: bytes, length: int) -> bytes:
    parts, left = [], length
    while left and (part := stream.read(min(left, PIECE))):
        parts.append(part)
        left -= len(part)
    data, checksum = b"".join(parts), stream.read(4)
    if left or len(checksum) < 4:
        raise damaged(file, f"its chunk {kind!r} ends too early, so it was cut off")
    if zlib.crc32(data, zlib.crc32(kind)) != struct.unpack(">I", checksum)[0]:
        raise damaged(file, f"the checksum of its chunk {kind!r} is wrong")
    return data


def _before_pixels(file: Path) -> dict[bytes, bytes]:
    found = {}
    with file.open("rb") as stream:
        for kind, length in _chunks(file, stream):
            if kind == b"IDAT":
                break
            found[kind] = _checked(file, stream, kind, length)
    return found
