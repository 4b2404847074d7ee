"""The header of a NRRD file, checked before SimpleITK reads it; 3D Slicer saves segmentations as such."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ....errors import RaterbenchError
from ..file_content import companion, first_bytes
from .header import Channels, Encoding, VolumeHeader
from .integrity import damaged

_LONGEST = 1 << 22
_MOST_DIMENSIONS = 16
_TYPES = {
    **dict.fromkeys(("signed char", "int8", "int8_t"), "i1"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), "i2"),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), "u2"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "i4"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "u4"),
    **dict.fromkeys(("longlong", "long long", "long long int", "signed long long", "int64", "int64_t"), "i8"),
    **dict.fromkeys(("signed long long int",), "i8"),
    **dict.fromkeys(("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"), "u8"),
    "float": "f4",
    "double": "f8",
}
_ENCODINGS: dict[str, Encoding] = {
    "raw": "raw",
    **dict.fromkeys(("gz", "gzip"), "zlib"),
    **dict.fromkeys(("txt", "text", "ascii"), "text"),
    "hex": "hex",
}
_SPATIAL = ("domain", "space", "time", "???", "none")
"""Kinds of an axis along which voxels lie; other kinds hold several numbers of one voxel."""


def read_header(file: Path) -> VolumeHeader:
    """Read and check the header of ``.nrrd`` (teem.sourceforge.net/nrrd/format.html).

    Raises:
        RaterbenchError: it is no such header, contradicts itself, or says something that cannot be read rightly.
    """
    fields, segments, end = _fields(file)
    ndim = _whole(file, fields, "dimension")
    if not 1 <= ndim <= _MOST_DIMENSIONS:
        raise damaged(file, f"its header says that it has {ndim} dimensions")
    sizes = tuple(_whole_word(file, "sizes", word) for word in fields.get("sizes", "").split())
    if len(sizes) != ndim or min(sizes) < 1:
        raise damaged(file, f"its header gives the sizes {sizes} for {ndim} dimensions")
    value = fields.get("type", "").lower()
    if value not in _TYPES:
        raise RaterbenchError(f"{file} has values of the type {value!r}, which cannot be read: save them as whole numbers")
    encoding = fields.get("encoding", "").lower()
    if encoding not in _ENCODINGS:
        raise RaterbenchError(f"{file} has the encoding {encoding!r}, which SimpleITK does not read: save it with raw or gzip")
    data = companion(file, fields["datafile"]) if "datafile" in fields else file
    spatial = _spatial_axes(fields, ndim)
    _check_geometry(file, fields, spatial)
    channels = math.prod(size for size, inside in zip(sizes, spatial, strict=True) if not inside)
    return VolumeHeader(
        file=file,
        data=data,
        sizes=tuple(size for size, inside in zip(sizes, spatial, strict=True) if inside),
        channels=channels,
        value=np.dtype(_TYPES[value]),
        start=_start(file, fields, data, end if data == file else 0),
        encoding=_ENCODINGS[encoding],
        ending=".nrrd",
        image_io="NrrdImageIO",
        channel_kind=_channel_kind(fields, segments),
        segments=segments,
    )


def _fields(file: Path) -> tuple[dict[str, str], bool, int]:
    """The fields by name without spaces, whether there are segments of 3D Slicer, and the byte after the header."""
    content = first_bytes(file, _LONGEST)
    found = re.search(rb"\r?\n\r?\n", content)
    # Without an empty line, all of the file is the header of pixels that lie elsewhere.
    end = found.end() if found else len(content)
    lines = content[:end].decode("latin-1").splitlines()
    fields: dict[str, str] = {}
    for line in lines[1:]:
        key, colon, value = line.partition(":")
        if line.startswith("#") or not line.strip() or value.startswith("="):
            continue
        name = key.replace(" ", "").lower()
        if not colon or name in fields:
            raise damaged(file, f"its header has the line {line[:60]!r}, which is no field or comes twice")
        fields[name] = value.strip()
    if not found and "datafile" not in fields:
        raise damaged(file, "its header has no end, so it was cut off")
    return fields, any(re.match(r"Segment\d+_\w+:=", line) for line in lines), end


def _spatial_axes(fields: Mapping[str, str], ndim: int) -> list[bool]:
    """For each axis, whether voxels lie along it."""
    kinds = fields.get("kinds", "").lower().split()
    inside = [kind in _SPATIAL for kind in kinds] if len(kinds) == ndim else [True] * ndim
    directions = _directions(fields)
    if len(directions) == ndim:
        inside = [one and direction != "none" for one, direction in zip(inside, directions, strict=True)]
    return inside


def _directions(fields: Mapping[str, str]) -> list[str]:
    return re.findall(r"none|\([^)]*\)", fields.get("spacedirections", "").lower())


def _check_geometry(file: Path, fields: Mapping[str, str], spatial: list[bool]) -> None:
    vectors = [_vector(file, text) for text in _directions(fields) if text != "none"]
    spacings = [_number(file, word) for word in fields.get("spacings", "").split()]
    steps = [math.hypot(*vector) for vector in vectors]
    steps += [step for step, inside in zip(spacings, spatial, strict=False) if inside]
    if not all(math.isfinite(step) and step > 0 for step in steps):
        shown = fields.get("spacedirections", fields.get("spacings"))
        raise damaged(file, f"its header gives the spacing {shown}, which must be positive and finite")
    if len({len(vector) for vector in vectors}) == 1 and len(vectors) == len(vectors[0]):
        unit = np.array(vectors) / np.array(steps)[:, None]
        if abs(np.linalg.det(unit)) < 1e-6:
            raise damaged(file, f"two axes in its header have one direction ({fields['spacedirections']})")
    origin = fields.get("spaceorigin")
    if origin and not all(map(math.isfinite, _vector(file, origin))):
        raise damaged(file, f"its header gives the origin {origin}")


def _channel_kind(fields: Mapping[str, str], segments: bool) -> Channels:
    kinds = fields.get("kinds", "").lower().split()
    if segments:
        return "layers"
    return "colours" if any("color" in kind for kind in kinds) else "layers" if "list" in kinds else "channels"


def _start(file: Path, fields: Mapping[str, str], data: Path, start: int) -> int:
    lines = _whole(file, fields, "lineskip", 0)
    skipped = _whole(file, fields, "byteskip", 0)
    if lines < 0 or skipped < -1:
        raise damaged(file, f"its header skips {lines} lines and {skipped} bytes")
    if (lines or skipped) and _ENCODINGS[fields["encoding"].lower()] != "raw":
        raise RaterbenchError(f"{file} skips bytes before encoded values, which cannot be verified: save it again")
    if skipped == -1:
        return -1
    with data.open("rb") as stream:
        stream.seek(start)
        for _ in range(lines):
            if not stream.readline(_LONGEST):
                break
        return stream.tell() + skipped


def _vector(file: Path, text: str) -> tuple[float, ...]:
    return tuple(_number(file, word) for word in text.strip("() ").split(","))


def _number(file: Path, word: str) -> float:
    try:
        return float(word)
    except ValueError as error:
        raise damaged(file, f"its header has {word!r}, where a number is needed") from error


def _whole(file: Path, fields: Mapping[str, str], name: str, default: int | None = None) -> int:
    if name not in fields and default is not None:
        return default
    return _whole_word(file, name, fields.get(name, ""))


def _whole_word(file: Path, name: str, word: str) -> int:
    try:
        return int(word)
    except ValueError as error:
        raise damaged(file, f"its header has {name}: {word[:60]!r}, where a whole number is needed") from error
