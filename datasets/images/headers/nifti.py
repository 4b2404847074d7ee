"""The header of a NIfTI file, checked before SimpleITK reads it."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np

from ....errors import RaterbenchError
from ..file_content import first_bytes
from .header import VolumeHeader
from .integrity import damaged, inflated, pieces_of

_SIZE, _SIZE_2 = 348, 540
_FIRST_VOXEL = 352
_VECTOR_INTENTS = range(1003, 1010)
_TYPES = {
    2: ("u1", 1),
    4: ("i2", 1),
    8: ("i4", 1),
    16: ("f4", 1),
    64: ("f8", 1),
    128: ("u1", 3),
    256: ("i1", 1),
    512: ("u2", 1),
    768: ("u4", 1),
    1024: ("i8", 1),
    1280: ("u8", 1),
    2304: ("u1", 4),
}
"""NIfTI's number of a data type: what NumPy calls it, and the numbers of one voxel (3 and 4 are colours)."""
_REFUSED = {
    1: "single bits: save it as 8-bit whole numbers",
    32: "complex numbers: save its magnitude",
    1792: "complex numbers: save its magnitude",
    2048: "complex numbers: save its magnitude",
    1536: "128-bit real numbers: save it as 32-bit real numbers",
}


def read_header(file: Path) -> VolumeHeader:
    """Read and check the header of ``.nii`` or ``.nii.gz``, compressed or not whatever the ending (NIfTI-1, nifti.h).

    Raises:
        RaterbenchError: it is no NIfTI-1 header, contradicts itself, or says something that cannot be read rightly.
    """
    zipped = first_bytes(file, 2) == b"\x1f\x8b"
    header = _start(file) if zipped else first_bytes(file, _SIZE)
    order = _byte_order(file, header)
    dims = struct.unpack_from(f"{order}8h", header, 40)
    intent, code, bits = struct.unpack_from(f"{order}3h", header, 68)
    if code in _REFUSED:
        raise RaterbenchError(f"{file} holds {_REFUSED[code]}")
    if code not in _TYPES:
        raise damaged(file, f"its header has the data type {code}, which NIfTI does not know")
    kind, numbers = _TYPES[code]
    value = np.dtype(order + kind)
    if bits != 8 * value.itemsize * numbers:
        raise damaged(file, f"its header says {bits} bits a voxel, and a data type of {8 * value.itemsize * numbers} bits")
    sizes = _sizes(file, dims)
    channels, colours = numbers, numbers > 1
    if len(sizes) > 4 and intent in _VECTOR_INTENTS and sizes[3] == 1:
        channels, sizes = numbers * sizes[4], (*sizes[:4], *sizes[5:])
    _check_geometry(file, header, order, sizes)
    start = _first_voxel(file, header, order)
    return VolumeHeader(
        file=file,
        data=file,
        sizes=sizes,
        channels=channels,
        value=value,
        start=0 if zipped else start,
        encoding="zlib" if zipped else "raw",
        ending=".nii.gz" if zipped else ".nii",
        image_io="NiftiImageIO",
        skip=start if zipped else 0,
        channel_kind="colours" if colours else "channels",
        alpha=numbers == 4,
    )


def _start(file: Path) -> bytes:
    header = b""
    for piece in inflated(pieces_of(file, 0), file):
        header += piece
        if len(header) >= _SIZE:
            break
    return header[:_SIZE]


def _byte_order(file: Path, header: bytes) -> str:
    size = struct.unpack_from("<i", header.ljust(4, b"\0"))[0], struct.unpack_from(">i", header.ljust(4, b"\0"))[0]
    if _SIZE_2 in size:
        raise RaterbenchError(f"{file} is a NIfTI-2 file, which SimpleITK does not read: save it as NIfTI-1, MHA or NRRD")
    if _SIZE not in size:
        raise damaged(file, f"it does not start with a NIfTI header ({header[:4]!r}), so it is damaged or its ending is wrong")
    if len(header) < _SIZE:
        raise damaged(file, f"it holds {len(header)} bytes, fewer than a NIfTI header")
    magic = header[344:348]
    if magic == b"ni1\0":
        raise RaterbenchError(f"{file} is the header of a pair of files (.hdr and .img): save both as one .nii file")
    if magic != b"n+1\0":
        raise damaged(file, f"its header is marked {magic!r} and not as NIfTI (it is ANALYZE, or damaged)")
    return "<" if size[0] == _SIZE else ">"


def _sizes(file: Path, dims: tuple[int, ...]) -> tuple[int, ...]:
    if not 1 <= dims[0] <= 7:
        raise damaged(file, f"its header says that it has {dims[0]} dimensions")
    sizes = dims[1 : dims[0] + 1]
    if min(sizes) < 1:
        raise damaged(file, f"its header gives the sizes {sizes}")
    return sizes


def _check_geometry(file: Path, header: bytes, order: str, sizes: tuple[int, ...]) -> None:
    spacing = struct.unpack_from(f"{order}3f", header, 80)[: len(sizes)]
    for size, step in zip(sizes, spacing, strict=False):
        # The spacing of an axis of length 1 says nothing, and is often 0.
        if not math.isfinite(step) or step < 0 or (step == 0 and size > 1):
            raise damaged(file, f"its header gives the spacing {spacing}, which must be positive")
    slope, intercept = struct.unpack_from(f"{order}2f", header, 112)
    if math.isinf(slope) or (math.isfinite(slope) and slope != 0 and not math.isfinite(intercept)):
        raise damaged(file, f"its header scales values by {slope:g} and adds {intercept:g}")
    codes = struct.unpack_from(f"{order}2h", header, 252)
    for code, what, position, count in ((codes[0], "quaternion", 256, 6), (codes[1], "affine matrix", 280, 12)):
        if code > 0 and not all(map(math.isfinite, struct.unpack_from(f"{order}{count}f", header, position))):
            raise damaged(file, f"the {what} in its header holds NaN or infinite values")


def _first_voxel(file: Path, header: bytes, order: str) -> int:
    offset = struct.unpack_from(f"{order}f", header, 108)[0]
    # SimpleITK takes a smaller offset for 348, four bytes before the first voxel.
    if not math.isfinite(offset) or offset != int(offset) or offset < _FIRST_VOXEL:
        raise damaged(file, f"its header says that voxels start at byte {offset:g}")
    return int(offset)
