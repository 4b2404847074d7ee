"""The directories of a TIFF file: numbered tags with their values, as EXIF blocks have them too."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from typing import Any

_KINDS = {1: "B", 2: "s", 3: "H", 4: "I", 6: "b", 7: "s", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q"}
"""What ``struct`` calls the types of values; rational numbers (5 and 10) are passed over."""

Tags = Mapping[int, Any]
"""A tuple of numbers for each tag, or bytes where the tag holds text."""


class TagsError(ValueError):
    """A directory that cannot be read; the message says why."""


def read_directory(content: bytes | mmap.mmap, position: int | None = None) -> tuple[dict[int, Any], int]:
    """The tags of one directory (the first without a ``position``), and where the next one is, 0 after the last.

    Classic TIFF and BigTIFF, of either byte order (TIFF 6.0; BigTIFF, Aware Systems).

    Raises:
        TagsError: the directory lies outside of the content or makes no sense.
    """
    order = {b"II": "<", b"MM": ">"}.get(bytes(content[:2]))
    if order is None:
        raise TagsError("it does not start like a TIFF")
    try:
        big = struct.unpack_from(f"{order}H", content, 2)[0] == 43
        count_form, entry_form, offset_form = ("Q", "HHQ8s", "Q") if big else ("H", "HHI4s", "I")
        if position is None:
            position = int(struct.unpack_from(order + offset_form, content, 8 if big else 4)[0])
        number = struct.unpack_from(order + count_form, content, position)[0]
        position += struct.calcsize(order + count_form)
        size = struct.calcsize(order + entry_form)
        if number * size > len(content):
            raise TagsError(f"a directory has {number} tags")
        tags = {}
        for entry in range(number):
            tag, kind, count, value = struct.unpack_from(order + entry_form, content, position + entry * size)
            if kind in _KINDS:
                if tag in tags:
                    raise TagsError(f"the tag {tag} comes twice")
                tags[tag] = _values(content, (_KINDS[kind], count, value), order, offset_form)
        following = struct.unpack_from(order + offset_form, content, position + number * size)[0]
    except struct.error as error:
        raise TagsError("a directory lies outside of the file") from error
    return tags, int(following)


def _values(content: bytes | mmap.mmap, entry: tuple[str, int, bytes], order: str, offset_form: str) -> Any:
    kind, count, value = entry
    length = count * struct.calcsize(order + kind)
    if length > len(content):
        raise TagsError(f"a tag has {count} values")
    if length > len(value):
        start = struct.unpack(order + offset_form, value)[0]
        value = bytes(content[start : start + length])
        if len(value) < length:
            raise TagsError("the values of a tag lie outside of the file")
    return value[:length] if kind == "s" else struct.unpack(f"{order}{count}{kind}", value[:length])
