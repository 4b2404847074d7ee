"""The file format of results: a zip archive of typed parts. Each part is one dataclass; its large arrays lie beside its JSON.

A part called ``name`` is the member ``name.json`` with its arrays as ``name.0.npy``, ``name.1.npy`` ..., which the JSON names.
A small array stands in the JSON itself, and a small part in ``contents.json``, because a member of its own takes longer to
write and to read than what it holds. ``contents.json`` lists all parts and the other members, so that a damaged name is
noticed too; zip itself has a checksum of every content. In older files ``contents.json`` is a list of members alone, and each
part is a member. There are no pickles. NumPy opens the large arrays of such a file with ``numpy.load``.
"""

from __future__ import annotations

import binascii
import io
import os
import struct
import typing
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar

import msgspec
import numpy as np

from ...whole_files import replacing_file

T = TypeVar("T")

CONTENTS = "contents.json"
SMALL = 2048
"""Bytes up to which an array stands in the JSON of its part, in base64."""
SMALL_PART = 8192
"""Bytes up to which the JSON of a part without large arrays stands in the list of contents."""
BLOCK = 4096
"""Bytes of a member up to which it is not compressed: a disk gives a file whole blocks of this size."""
SMALL_FILE = 1 << 16
"""Bytes up to which a file is read at once."""
FIXED_DATE = (1980, 1, 1, 0, 0, 0)
"""The date of every member, so that equal parts make equal files."""
DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    RecursionError,
    NotImplementedError,
    MemoryError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
    msgspec.MsgspecError,
)
"""What reading a cut or altered file may raise, once it is open."""


HEADER = struct.Struct("<6sBBH")
"""How a ``.npy`` file of version 1 begins: its mark, the two numbers of its version, and the length of what describes it."""


class _Contents(msgspec.Struct):
    """The list of contents: all other members, and all parts in their order, those with a member of their own as null."""

    members: list[str]
    parts: dict[str, msgspec.Raw]


ELSEWHERE = msgspec.Raw(b"null")
"""What stands in the list of contents for a part that has a member of its own."""


class DamagedError(Exception):
    """The file is no whole archive of the expected parts. This is not an error for users: the unit is computed again."""


def write_archive(path: Path, parts: Mapping[str, Any]) -> None:
    """Write the parts, dataclasses by name, as one file, whole or not at all.

    Raises:
        TypeError: a part holds something else than plain values, dataclasses and arrays of numbers.
    """
    with replacing_file(path) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        contents = _Contents([], {})

        def add(name: str, content: bytes) -> None:
            how = zipfile.ZIP_DEFLATED if len(content) > BLOCK else zipfile.ZIP_STORED
            archive.writestr(zipfile.ZipInfo(name, FIXED_DATE), content, how)

        for name, part in parts.items():
            arrays: list[np.ndarray[Any, Any]] = []
            text = msgspec.json.encode(part, enc_hook=partial(_reference, name, arrays))
            if not arrays and len(text) <= SMALL_PART:
                contents.parts[name] = msgspec.Raw(text)
                continue
            contents.parts[name] = ELSEWHERE
            contents.members += [f"{name}.json", *(f"{name}.{number}.npy" for number in range(len(arrays)))]
            add(f"{name}.json", text)
            for number, array in enumerate(arrays):
                content = io.BytesIO()
                np.lib.format.write_array(content, np.asarray(array), allow_pickle=False)
                add(f"{name}.{number}.npy", content.getvalue())
        add(CONTENTS, msgspec.json.encode(contents))


def _reference(part: str, arrays: list[np.ndarray[Any, Any]], value: Any) -> Any:
    """What stands in the JSON of a part for one of its arrays."""
    if isinstance(value, np.generic):
        return value.item()
    if not isinstance(value, np.ndarray) or value.dtype.hasobject:
        raise TypeError(f"{type(value).__name__} cannot be stored: only plain values, dataclasses and arrays of numbers can")
    if value.nbytes <= SMALL:
        return {"dtype": value.dtype.str, "shape": value.shape, "data": value.tobytes()}
    arrays.append(value)
    return {"array": f"{part}.{len(arrays) - 1}.npy"}


@lru_cache(maxsize=4096)
def _header(text: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether in Fortran order, and type of a ``.npy`` file; thousands of arrays share few headers."""
    stream = io.BytesIO(text)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("an array is in another version of the .npy format")
    shape, in_fortran_order, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.hasobject:
        raise ValueError("an array holds Python objects")
    return shape, in_fortran_order, dtype


@lru_cache(maxsize=256)
def _dtype(name: str) -> np.dtype[Any]:
    dtype = np.dtype(name)
    if dtype.hasobject:
        raise ValueError("an array holds Python objects")
    return dtype


def _small_array(dtype: str, shape: Sequence[int], data: str) -> np.ndarray[Any, Any]:
    """An array that stands in the JSON of its part."""
    return np.frombuffer(bytearray(binascii.a2b_base64(data, strict_mode=True)), _dtype(dtype)).reshape(shape)


@lru_cache(maxsize=256)
def _fits(dtype: np.dtype[Any], hint: Any) -> bool:
    """Whether an array may have this type where a field is annotated so."""
    expected = typing.get_args(typing.get_args(hint)[1])[0]
    return expected is Any or np.issubdtype(dtype, expected)


class Archive:
    """An archive that is open for reading; a context manager.

    Raises:
        DamagedError: the file is no archive.
        OSError: it cannot be opened, which says nothing about its state.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream: BinaryIO = path.open("rb")
        try:
            if os.fstat(self._stream.fileno()).st_size <= SMALL_FILE:
                with self._stream as file:
                    self._stream = io.BytesIO(file.read())
            self._zip = zipfile.ZipFile(self._stream)
            self._read = {CONTENTS: self._zip.read(CONTENTS)}
            contents = msgspec.json.decode(self._read[CONTENTS], type=list[str] | _Contents)
        except DAMAGE as error:
            self._stream.close()
            raise DamagedError(f"{path}: {error}") from error
        if isinstance(contents, _Contents):
            self._members, self._parts = set(contents.members), contents.parts
        else:
            self._members = set(contents)
            self._parts = {name.removesuffix(".json"): ELSEWHERE for name in contents if name.endswith(".json")}

    @property
    def parts(self) -> list[str]:
        """The names of the parts, in the order in which they were written."""
        return list(self._parts)

    def read(self, name: str, kind: type[T]) -> T:
        """The part called ``name``, an instance of the dataclass ``kind``; every field and array type is checked.

        Raises:
            DamagedError: there is no such part, or it is damaged.
        """
        try:
            part = self._parts[name]
            text = self._content(f"{name}.json") if part == ELSEWHERE else part
            return msgspec.json.decode(text, type=kind, dec_hook=self._array)
        except DAMAGE as error:
            raise DamagedError(f"{self.path}: {name}: {error}") from error

    def verify(self) -> None:
        """Read every byte, a little at a time: a prediction may be large.

        Raises:
            DamagedError: a member is damaged, missing, or not listed.
        """
        try:
            broken = self._zip.testzip()
        except DAMAGE as error:
            raise DamagedError(f"{self.path}: {error}") from error
        if broken is not None or sorted(self._zip.namelist()) != sorted({*self._members, CONTENTS}):
            raise DamagedError(f"{self.path}: {broken or 'its contents are not what they should be'}")

    def read_all(self) -> None:
        """As :meth:`verify`, and keep what was read, so that parts come from memory afterwards. For small files.

        Raises:
            DamagedError: a member is damaged, missing, or not listed.
        """
        names = self._zip.namelist()
        try:
            self._read |= {name: self._zip.read(name) for name in names if name not in self._read}
        except DAMAGE as error:
            raise DamagedError(f"{self.path}: {error}") from error
        if sorted(names) != sorted({*self._members, CONTENTS}):
            raise DamagedError(f"{self.path}: its contents are not what they should be")

    def _content(self, member: str) -> bytes:
        return self._read[member] if member in self._read else self._zip.read(member)

    def _array(self, kind: type, reference: Any) -> np.ndarray[Any, Any]:
        if "data" in reference:
            array = _small_array(**reference)
        else:
            content = self._content(reference["array"])
            start = HEADER.size + HEADER.unpack_from(content)[-1]
            shape, in_fortran_order, dtype = _header(content[:start])
            array = np.ndarray(shape, dtype, content, start, order="F" if in_fortran_order else "C").copy()
        if not _fits(array.dtype, kind):
            raise ValueError(f"an array of {array.dtype} is where {kind} is expected")
        return array

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; nothing can be read afterwards."""
        self._zip.close()
        self._stream.close()
