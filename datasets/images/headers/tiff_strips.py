"""The strips and tiles of a TIFF page: whether each holds as many bytes as its part of the picture."""

from __future__ import annotations

import itertools
import mmap
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .integrity import check_size, damaged

if TYPE_CHECKING:
    from .tiff import Page

_NONE, _LZW, _DEFLATE, _PACKBITS = 1, 5, (8, 32946), 32773
_CLEAR, _END, _FIRST = 256, 257, 258
"""LZW codes: forget all strings, end, and the first code of a string."""


def check_strips(file: Path, page: Page, content: mmap.mmap) -> None:
    """See that every strip or tile of a page is in the file and, where its compression shows it, holds what it should.

    Raises:
        RaterbenchError: the number of strips does not fit the page, one lies outside of the file, holds too little, too
            much, or is damaged.
    """
    needed = _strip_count(page)
    if not len(page.offsets) == len(page.counts) == needed:
        raise damaged(file, f"its page has {len(page.offsets)} strips or tiles, where its size needs {needed}")
    for start, count, (promised, full) in zip(page.offsets, page.counts, _promised(page), strict=True):
        if start + count > len(content):
            check_size(file, len(content), start + count)
        found = _decoded_size(file, page.compression, content[start : start + count], full)
        # Some writers fill up the last strip as if the picture went on.
        if found is not None and found != full:
            check_size(file, found, promised)


def _strip_count(page: Page) -> int:
    planes = page.samples if page.planar == 2 else 1
    rows, columns = page.tile or (page.rows_per_strip, page.width)
    return planes * -(-page.height // rows) * -(-page.width // columns) if min(rows, columns) > 0 else 0


def _promised(page: Page) -> Iterator[tuple[int, int]]:
    """Bytes of each strip or tile, and of a full one."""
    samples = page.samples if page.planar == 1 else 1
    planes = page.samples if page.planar == 2 else 1

    def size(rows: int, columns: int) -> int:
        return rows * ((columns * samples * page.bits + 7) // 8)

    if page.tile:
        yield from itertools.repeat((size(*page.tile), size(*page.tile)), _strip_count(page))
        return
    step = page.rows_per_strip
    for _ in range(planes):
        for row in range(0, page.height, step):
            yield size(min(step, page.height - row), page.width), size(step, page.width)


def _decoded_size(file: Path, compression: int, strip: bytes, full: int) -> int | None:
    """Bytes that a strip gives when it is decoded (more than ``full`` are not counted); None if only a decoder could tell."""
    if compression == _NONE:
        return len(strip)
    if compression in _DEFLATE:
        decoder = zlib.decompressobj()
        try:
            found = len(decoder.decompress(strip, full + 1))
        except zlib.error as error:
            raise damaged(file, f"a compressed strip is damaged ({str(error).partition(': ')[2]})") from error
        if not decoder.eof and found <= full:
            raise damaged(file, "a compressed strip ends too early")
        return found
    if compression == _PACKBITS:
        return _packbits_size(strip)
    return _lzw_size(strip) if compression == _LZW else None


def _packbits_size(data: bytes) -> int:
    """Bytes that PackBits data stand for (TIFF 6.0, section 9); a run that is cut off counts as far as it goes.

    >>> _packbits_size(bytes([2, 7, 8, 9, 256 - 4, 1]))
    8
    """
    found, position, length = 0, 0, len(data)
    while position < length:
        code = data[position]
        if code < 128:
            found += min(code + 1, length - position - 1)
            position += code + 2
        else:
            found += 257 - code if code > 128 and position + 1 < length else 0
            position += 2 if code > 128 else 1
    return found


def _lzw_size(data: bytes) -> int | None:
    """Bytes that LZW data stand for (TIFF 6.0, section 13); None for the old form with bits in reverse order.

    Codes have a fixed place between two that clear the table, so that they are taken out all at once; the string of a code is
    one longer than that of the code from which it was made.
    """
    if data[:1] == b"\0":
        return None
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    places, widths = _code_places()
    found, position = 0, 0
    while position + 9 <= len(bits):
        fitting = int(np.searchsorted(places + widths, len(bits) - position, side="right"))
        codes = _codes(bits, position + places[:fitting], widths[:fitting])
        if codes[0] == _CLEAR:
            position += 9
            continue
        stops = np.flatnonzero((codes == _CLEAR) | (codes == _END))
        strings = codes[: stops[0]] if len(stops) else codes
        found += int(_string_lengths(strings).sum())
        if not len(stops) or codes[stops[0]] == _END:
            break
        position += int(places[stops[0]] + widths[stops[0]])
    return found


def _code_places() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First bit, and number of bits, of each code after a clearing one: longer as the table grows, one entry early."""
    numbers = np.arange(4096)
    widths = np.select([numbers < 254, numbers < 766, numbers < 1790], [9, 10, 11], 12).astype(np.int64)
    return np.concatenate([[0], np.cumsum(widths)[:-1]]), widths


def _codes(bits: npt.NDArray[np.uint8], places: npt.NDArray[np.int64], widths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    codes = np.zeros(len(places), np.int64)
    for bit in range(12):
        here = widths > bit
        codes[here] = 2 * codes[here] + bits[places[here] + bit]
    return codes


def _string_lengths(codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Length of each code's string, by following all codes to where they came from, in steps that double."""
    source = np.where(codes >= _FIRST, codes - _FIRST, -1)
    source = np.where(source < np.arange(len(codes)), source, -1)
    lengths = np.ones(len(codes), np.int64)
    while (linked := source >= 0).any():
        lengths[linked] += lengths[source[linked]]
        source[linked] = source[source[linked]]
    return lengths
