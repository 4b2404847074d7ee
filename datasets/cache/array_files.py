"""Files of arrays that are mapped into memory, with a hash of each array by which damage is noticed."""

from __future__ import annotations

import hashlib
import json
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
MAGIC = b"raterbench-arrays-1\n"
ALIGNMENT = 64
LENGTH = 8
HASH_SIZE = 16


class Arrays(NamedTuple):
    """Arrays by name, and what is said of them: plain values that JSON can hold."""

    arrays: Mapping[str, Array]
    facts: Any = None


class _Mapped(NamedTuple):
    """What is known of a mapped array: its type and shape, and the hash of what its file holds."""

    form: tuple[np.dtype[Any], tuple[int, ...]]
    content: str


_mapped: dict[int, _Mapped] = {}
"""All mapped arrays of this process, by the address of their first byte."""


def is_mapped(address: int) -> bool:
    """Whether a mapped array begins at an address in memory."""
    return address in _mapped


def content_hash(array: Array) -> str:
    """A hash of an array's type, shape and values.

    That of an array that is mapped whole and cannot be changed is known, so that it is not read.
    """
    whole = np.asarray(array)
    mapped = _mapped.get(whole.__array_interface__["data"][0])
    as_in_file = mapped is not None and mapped.form == (whole.dtype, whole.shape) and whole.flags.c_contiguous
    return mapped.content if mapped is not None and as_in_file and not whole.flags.writeable else _hashed(whole)


def write_arrays(stream: BinaryIO, held: Arrays) -> int:
    """Write arrays, and what is said of them, to an open file; gives the number of bytes."""
    starts, end = list[int](), 0
    for array in held.arrays.values():
        starts.append(end + -end % ALIGNMENT)
        end = starts[-1] + array.nbytes
    table = [
        [name, array.dtype.str, list(array.shape), start, _hashed(array)]
        for start, (name, array) in zip(starts, held.arrays.items(), strict=True)
    ]
    header = json.dumps([table, held.facts]).encode()
    header += b" " * (-(len(MAGIC) + HASH_SIZE + LENGTH + len(header)) % ALIGNMENT)
    stream.write(MAGIC + _digest(header) + len(header).to_bytes(LENGTH, "little") + header)
    first = stream.tell()
    for start, array in zip(starts, held.arrays.values(), strict=True):
        stream.write(bytes(first + start - stream.tell()))
        stream.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return stream.tell()


def map_arrays(path: Path, *, check: bool = True) -> Arrays | None:
    """What ``write_arrays`` wrote, mapped into memory; None where the file is damaged.

    Arrays can be changed, which changes neither the file nor what other processes see. ``check`` reads all of them, to compare
    them with their hashes.

    Raises:
        OSError: there is no such file, or it cannot be read.
    """
    with path.open("rb") as stream:
        if stream.read(len(MAGIC)) != MAGIC:
            return None
        digest, length = stream.read(HASH_SIZE), int.from_bytes(stream.read(LENGTH), "little")
        if length > path.stat().st_size:
            return None
        header = stream.read(length)
        if _digest(header) != digest:
            return None
        start = stream.tell()
    content = _mapped_bytes(path)
    table, facts = json.loads(header)
    arrays: dict[str, Array] = {}
    places: dict[int, _Mapped] = {}
    for name, dtype, shape, offset, expected in table:
        size = np.dtype(dtype).itemsize * int(np.prod(shape, dtype=np.int64))
        piece = content[start + offset : start + offset + size]
        if piece.nbytes != size:
            return None
        array = piece.view(dtype).reshape(shape)
        if check and _hashed(array) != expected:
            return None
        if size:
            places[array.__array_interface__["data"][0]] = _Mapped((array.dtype, array.shape), expected)
        arrays[name] = array
    _mapped.update(places)
    # All views of the arrays keep the bytes alive, and nothing else need be.
    weakref.finalize(content, _forget, tuple(places)).atexit = False
    return Arrays(arrays, facts)


def _forget(places: tuple[int, ...]) -> None:
    for place in places:
        _mapped.pop(place, None)


def _mapped_bytes(path: Path) -> npt.NDArray[np.uint8]:
    """A file in memory. Python's own maps each keep their file open, and a process may open only so many."""
    import torch  # takes seconds to import, and whoever looks at label files alone has no cache

    try:
        content: npt.NDArray[np.uint8] = torch.from_file(str(path), size=path.stat().st_size, dtype=torch.uint8).numpy()
    except RuntimeError as error:
        raise OSError(f"{path} cannot be mapped into memory: {error}") from error
    return content


def _hashed(array: Array) -> str:
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()[:32]


def _digest(header: bytes) -> bytes:
    return hashlib.sha256(header).digest()[:HASH_SIZE]
