"""Image files made byte by byte, so that a header says exactly what a test wants."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

NIFTI_TYPES = {"u1": 2, "i2": 4, "i4": 8, "f4": 16, "f8": 64, "i1": 256, "u2": 512, "u4": 768, "i8": 1024, "u8": 1280}


def nifti(file: Path, voxels: np.ndarray, *, zipped: bool = False, patches: Sequence[tuple[int, str, Any]] = ()) -> Path:
    """A NIfTI-1 file of voxels [z, y, x] with spacing 1, 1, 2; ``patches`` are (byte, struct form, value) in its header."""
    order = ">" if voxels.dtype.byteorder == ">" else "<"
    header = bytearray(348)
    sizes = voxels.shape[::-1]
    struct.pack_into(f"{order}i", header, 0, 348)
    struct.pack_into(f"{order}8h", header, 40, len(sizes), *sizes, *[1] * (7 - len(sizes)))
    struct.pack_into(f"{order}2h", header, 70, NIFTI_TYPES[voxels.dtype.str[1:]], 8 * voxels.itemsize)
    struct.pack_into(f"{order}8f", header, 76, 1, 1, 1, 2, 1, 1, 1, 1)
    struct.pack_into(f"{order}f", header, 108, 352)
    struct.pack_into(f"{order}2h", header, 252, 0, 1)
    for row in range(3):
        affine = [0.0] * 4
        affine[row] = (1.0, 1.0, 2.0)[row]
        struct.pack_into(f"{order}4f", header, 280 + 16 * row, *affine)
    header[344:348] = b"n+1\0"
    for position, form, value in patches:
        struct.pack_into(order + form, header, position, *(value if isinstance(value, tuple) else (value,)))
    content = bytes(header) + b"\0" * 4 + voxels.tobytes()
    file.write_bytes(gzip.compress(content) if zipped else content)
    return file


def metaimage(file: Path, voxels: np.ndarray, *, compressed: bool = False, **changes: str | None) -> Path:
    """An MHA of uint8 voxels [z, y, x]; ``changes`` replace lines of its header, None leaves one out."""
    data = zlib.compress(voxels.tobytes()) if compressed else voxels.tobytes()
    fields: dict[str, str | None] = {
        "ObjectType": "Image",
        "NDims": str(voxels.ndim),
        "BinaryData": "True",
        "CompressedData": str(compressed),
        "ElementSpacing": " ".join("1" * voxels.ndim),
        "DimSize": " ".join(map(str, voxels.shape[::-1])),
        "ElementType": "MET_UCHAR",
        **changes,
        "ElementDataFile": changes.get("ElementDataFile", "LOCAL"),
    }
    last = fields.pop("ElementDataFile")
    lines = [f"{key} = {value}" for key, value in fields.items() if value is not None]
    file.write_bytes("\n".join([*lines, f"ElementDataFile = {last}", ""]).encode() + data)
    return file


def nrrd(
    file: Path, voxels: np.ndarray, *, data: bytes | None = None, extra: Sequence[str] = (), **changes: str | None
) -> Path:
    """A NRRD of uint8 voxels [z, y, x]; ``changes`` replace its fields (``_`` for a space), None leaves one out."""
    fields: dict[str, str | None] = {
        "type": "uint8",
        "dimension": str(voxels.ndim),
        "sizes": " ".join(map(str, voxels.shape[::-1])),
        "encoding": "raw",
        "endian": "little",
        **{key.replace("_", " "): value for key, value in changes.items()},
    }
    lines = ["NRRD0004", *(f"{key}: {value}" for key, value in fields.items() if value is not None), *extra, "", ""]
    file.write_bytes("\n".join(lines).encode() + (voxels.tobytes() if data is None else data))
    return file


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG with its checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    file: Path,
    rows: Sequence[bytes],
    *form: int,
    extra: Sequence[tuple[bytes, bytes]] = (),
    height: int = 0,
) -> Path:
    """A PNG of packed rows; ``form`` is width, bits and colour type; ``extra`` chunks stand before the pixels."""
    width, bits, colour = form
    header = struct.pack(">2I5B", width, height or len(rows), bits, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = [(b"IHDR", header), *extra, (b"IDAT", pixels), (b"IEND", b"")]
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks))
    return file


def tiff(
    file: Path,
    strips: Sequence[bytes],
    shape: tuple[int, int],
    *,
    order: str = "<",
    tags: dict[int, Sequence[int] | bytes] | None = None,
) -> Path:
    """A TIFF of one page [H, W], 8-bit grey in strips of all rows if ``tags`` do not say otherwise; tiled with tag 322."""
    starts = [8 + sum(map(len, strips[:k])) for k in range(len(strips))]
    position = starts[-1] + len(strips[-1])
    all_tags: dict[int, Sequence[int] | bytes] = {
        256: [shape[1]],
        257: [shape[0]],
        258: [8],
        259: [1],
        262: [1],
        277: [1],
        278: [shape[0]],
    }
    all_tags.update(tags or {})
    tiled = 322 in all_tags
    all_tags |= {324 if tiled else 273: starts, 325 if tiled else 279: [len(strip) for strip in strips]}
    entries, behind = b"", b""
    for tag, value in sorted(all_tags.items()):
        kind, form = (2, "s") if isinstance(value, bytes) else (4, "I")
        raw = value if isinstance(value, bytes) else struct.pack(f"{order}{len(value)}{form}", *value)
        place = position + 2 + 12 * len(all_tags) + 4 + len(behind)
        entries += struct.pack(f"{order}HHI", tag, kind, len(value))
        entries += raw.ljust(4, b"\0") if len(raw) <= 4 else struct.pack(f"{order}I", place)
        behind += raw if len(raw) > 4 else b""
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", position)
    directory = struct.pack(f"{order}H", len(all_tags)) + entries + b"\0" * 4
    file.write_bytes(start + b"".join(strips) + directory + behind)
    return file
