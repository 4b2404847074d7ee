"""The header of a MetaImage file (.mha, .mhd), checked before SimpleITK reads it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ....errors import RaterbenchError
from ..file_content import companion, first_bytes
from ..formats import suffix_of
from .header import VolumeHeader
from .integrity import check_size, damaged

_LONGEST = 1 << 20
_MOST_DIMENSIONS = 10
_TYPES = {
    "CHAR": "i1",
    "UCHAR": "u1",
    "SHORT": "i2",
    "USHORT": "u2",
    "INT": "i4",
    "UINT": "u4",
    "LONG": "i4",
    "ULONG": "u4",
    "LONG_LONG": "i8",
    "ULONG_LONG": "u8",
    "FLOAT": "f4",
    "DOUBLE": "f8",
}
_SPACING = ("ElementSpacing", "ElementSize")
_MATRIX = ("TransformMatrix", "Rotation", "Orientation")
_ORIGIN = ("Offset", "Position", "Origin")


def read_header(file: Path) -> VolumeHeader:
    """Read and check the header of ``.mha`` or ``.mhd`` (itk.org, MetaIO documentation).

    Raises:
        RaterbenchError: it is no such header, contradicts itself, or says something that cannot be read rightly.
    """
    fields, end = _fields(file)
    ndim = _whole(file, fields, "NDims")
    if not 1 <= ndim <= _MOST_DIMENSIONS:
        raise damaged(file, f"its header says that it has {ndim} dimensions")
    sizes = tuple(int(size) for size in _numbers(file, fields, "DimSize", ndim))
    if min(sizes) < 1:
        raise damaged(file, f"its header gives the sizes {sizes}")
    _check_geometry(file, fields, ndim)
    kind = fields.get("ElementType", "").removeprefix("MET_").removesuffix("_ARRAY")
    if kind not in _TYPES:
        raise RaterbenchError(f"{file} has values of the type {fields.get('ElementType')!r}, which cannot be read")
    if not _true(fields.get("BinaryData", "True")):
        raise RaterbenchError(f"{file} stores its values as text, which cannot be read: save it in binary form")
    name = fields["ElementDataFile"]
    data = file if name.upper() == "LOCAL" else companion(file, name)
    skipped = _whole(file, fields, "HeaderSize", 0)
    if skipped < -1:
        raise damaged(file, f"its header has HeaderSize = {skipped}")
    start = -1 if skipped == -1 else skipped + (end if data == file else 0)
    packed = _true(fields.get("CompressedData", "False"))
    if packed and start < 0:
        raise damaged(file, "its header has HeaderSize = -1 for compressed data")
    if packed and (promised := _whole(file, fields, "CompressedDataSize", 0)):
        check_size(data, data.stat().st_size - start, promised, "compressed bytes")
    channels = _whole(file, fields, "ElementNumberOfChannels", 1)
    if channels < 1:
        raise damaged(file, f"its header has ElementNumberOfChannels = {channels}")
    return VolumeHeader(
        file=file,
        data=data,
        sizes=sizes,
        channels=channels,
        value=np.dtype(_TYPES[kind]),
        start=start,
        encoding="zlib" if packed else "raw",
        ending=suffix_of(file) or ".mha",
        image_io="MetaImageIO",
        channel_kind="colours" if channels in (3, 4) else "channels",
    )


def _fields(file: Path) -> tuple[dict[str, str], int]:
    """Key and value of each line up to ElementDataFile, which is the last, and the byte after it."""
    content, position = first_bytes(file, _LONGEST), 0
    fields: dict[str, str] = {}
    while "ElementDataFile" not in fields:
        end = content.find(b"\n", position)
        line = content[position : end if end >= 0 else len(content)].decode("latin-1")
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals and (key or end < 0):
            raise damaged(
                file, "its header does not end with a line 'ElementDataFile = ...', so it is no MetaImage or is cut off"
            )
        if key in fields:
            raise damaged(file, f"its header has two lines {key!r}")
        if key:
            fields[key] = value
        position = end + 1 if end >= 0 else len(content)
    return fields, position


def _check_geometry(file: Path, fields: Mapping[str, str], ndim: int) -> None:
    for key in _SPACING:
        if key in fields:
            spacing = _numbers(file, fields, key, ndim)
            if not all(math.isfinite(step) and step > 0 for step in spacing):
                raise damaged(file, f"its header gives the spacing {spacing}, which must be positive")
    for key in _ORIGIN:
        if key in fields and not all(map(math.isfinite, _numbers(file, fields, key, ndim))):
            raise damaged(file, f"its header has {key} = {fields[key]}")
    for key in _MATRIX:
        if key in fields:
            matrix = np.array(_numbers(file, fields, key, ndim * ndim)).reshape(ndim, ndim)
            if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-6:
                raise damaged(file, f"its header has {key} = {fields[key]}, which is no direction of axes")


def _numbers(file: Path, fields: Mapping[str, str], key: str, count: int) -> tuple[float, ...]:
    try:
        numbers = tuple(float(word) for word in fields[key].split())
    except (KeyError, ValueError):
        numbers = ()
    if len(numbers) != count:
        raise damaged(file, f"its header has {key} = {fields.get(key, '(nothing)')[:80]}, where {count} numbers are needed")
    return numbers


def _whole(file: Path, fields: Mapping[str, str], key: str, default: int | None = None) -> int:
    if key not in fields and default is not None:
        return default
    try:
        return int(fields[key])
    except (KeyError, ValueError) as error:
        shown = fields.get(key, "(nothing)")[:80]
        raise damaged(file, f"its header has {key} = {shown}, where a whole number is needed") from error


def _true(word: str) -> bool:
    return word[:1] in ("T", "t", "1")
