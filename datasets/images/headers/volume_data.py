"""The stored values of a volume: as many as the header promises, with the right checksum, none of them NaN unseen."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ....errors import RaterbenchError
from .header import VolumeHeader
from .integrity import DEFLATE_LIMIT, check_inflated, check_memory, check_size, inflated, pieces_of


def check_dimensions(header: VolumeHeader) -> None:
    """See that a file holds one 2-D or 3-D image; further axes of length 1 are none.

    Raises:
        RaterbenchError: it has one dimension, or more than three that are longer than 1.
    """
    file, sizes = header.file, header.sizes
    if len(sizes) < 2:
        raise RaterbenchError(f"{file} has 1 dimension: only 2-D and 3-D images can be used")
    if len(sizes) > 3 and max(sizes[3:]) > 1:
        raise RaterbenchError(
            f"{file} has {len(sizes)} dimensions {sizes}: only 2-D and 3-D images can be used; if it holds several volumes "
            "(of raters, times or channels), save each as a file of its own"
        )


def verify(header: VolumeHeader, memory: int) -> None:
    """Check the stored values against the header, without keeping them: size, checksum; NaN in a NIfTI file.

    ``memory`` is how many bytes will be needed to read them, which must be free.

    Raises:
        RaterbenchError: the file is cut off, too long or damaged, does not fit into memory, or is a NIfTI with NaN.
    """
    promised = header.count * header.value.itemsize
    stored = header.data.stat().st_size - max(header.start, 0)
    if header.encoding == "raw":
        if header.start >= 0 or stored < promised:  # Values at the end of a file may follow anything.
            check_size(header.data, stored, promised)
    elif header.encoding == "zlib":
        # What cannot be in so few bytes is not worth a look at the memory.
        check_size(header.data, min(stored * DEFLATE_LIMIT, promised), promised)
    check_memory(header.file, memory)
    if header.encoding in ("text", "hex"):
        _check_digits(header, promised)
    elif header.encoding == "zlib":
        pieces = inflated(pieces_of(header.data, header.start), header.data)
        check_inflated(header.data, _finite(header, pieces, header.skip), header.skip + promised)
    elif header.value.kind == "f" and header.image_io == "NiftiImageIO":
        for _ in _finite(header, pieces_of(header.data, header.start), 0):
            pass


def _finite(header: VolumeHeader, pieces: Iterator[bytes], skip: int) -> Iterator[bytes]:
    """The pieces as they are, with an error at the first NaN or infinite value of a NIfTI: SimpleITK would read it as 0."""
    watched = header.value.kind == "f" and header.image_io == "NiftiImageIO"
    waiting = b""
    for piece in pieces:
        yield piece
        if not watched:
            continue
        waiting += piece[skip:]
        skip -= min(skip, len(piece))
        whole = len(waiting) - len(waiting) % header.value.itemsize
        values = np.frombuffer(waiting[:whole], header.value)
        waiting = waiting[whole:]
        if not np.isfinite(values).all():
            wrong = values[~np.isfinite(values)][0]
            raise RaterbenchError(f"{header.file} has NaN or infinite values, such as {wrong}: give each voxel a number")


def _check_digits(header: VolumeHeader, promised: int) -> None:
    """Count values that are stored as text: numbers, or two hexadecimal digits for each byte."""
    with header.data.open("rb") as stream:
        stream.seek(header.start)
        text = stream.read()
    if header.encoding == "hex":
        check_size(header.data, len(b"".join(text.split())) // 2, promised)
    else:
        check_size(header.data, len(text.replace(b",", b" ").split()), header.count, "numbers")
