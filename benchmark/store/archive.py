"""The file format of results: a zip archive of typed parts. Each part is one dataclass; its large arrays lie beside its JSON.

A part called ``name`` is the member ``name.json`` with its arrays as ``name.0.npy``, ``name.1.npy`` ..., which the JSON names.
A small array stands in the JSON itself, because a member of its own takes longer to read than what it holds.
``contents.json`` lists all members, so that a damaged name is noticed too; zip itself has a checksum of every content.
There are no pickles. NumPy opens the large arrays of such a file with ``numpy.load``.
"""

from __future__ import annotations

import base64
import io
import struct
import typing
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec
import numpy as np

from ...whole_files import replacing_file

T = TypeVar("T")

CONTENTS = "contents.json"
SMALL = 2048
"""Bytes up to which an array stands in the JSON of its part, in base64."""
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


class DamagedError(Exception):
    """The file is no whole archive of the expected parts. This is not an error for users: the unit is computed again."""


def write_archive(path: Path, parts: Mapping[str, Any]) -> None:
    """Write the parts, dataclasses by name, as one file, whole or not at all.

    Raises:
        TypeError: a part holds something else than plain values, dataclasses and arrays of numbers.
    """
    with replacing_file(path) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        members: list[str] = []

        def add(name: str, content: bytes) -> None:
            members.append(name)
            archive.writestr(zipfile.ZipInfo(name, FIXED_DATE), content, zipfile.ZIP_DEFLATED)

        for name, part in parts.items():
            arrays: list[np.ndarray[Any, Any]] = []
            text = msgspec.json.encode(part, enc_hook=partial(_reference, name, arrays))
            add(f"{name}.json", text)
            for number, array in enumerate(arrays):
                content = io.BytesIO()
                np.lib.format.write_array(content, np.asarray(array), allow_pickle=False)
                add(f"{name}.{number}.npy", content.getvalue())
        archive.writestr(zipfile.ZipInfo(CONTENTS, FIXED_DATE), msgspec.json.encode(members), zipfile.ZIP_DEFLATED)


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


def _small_array(dtype: str, shape: Sequence[int], data: str) -> np.ndarray[Any, Any]:
    """An array that stands in the JSON of its part."""
    kind, content = np.dtype(dtype), base64.b64decode(data, validate=True)
    if kind.hasobject:
        raise ValueError("an array holds Python objects")
    return np.frombuffer(content, kind).reshape(shape).copy()


class Archive:
    """An archive that is open for reading; a context manager.

    Raises:
        DamagedError: the file is no archive.
        PermissionError: it must not be read, which says nothing about its state.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
            self._read: dict[str, bytes] = {}
            self._members = set(msgspec.json.decode(self._zip.read(CONTENTS), type=list[str]))
        except PermissionError:
            raise
        except DAMAGE as error:
            raise DamagedError(f"{path}: {error}") from error

    @property
    def parts(self) -> list[str]:
        """The names of the parts, in the order in which they were written."""
        return [n.removesuffix(".json") for n in self._zip.namelist() if n.endswith(".json") and n != CONTENTS]

    def read(self, name: str, kind: type[T]) -> T:
        """The part called ``name``, an instance of the dataclass ``kind``; every field and array type is checked.

        Raises:
            DamagedError: there is no such part, or it is damaged.
        """
        try:
            return msgspec.json.decode(self._content(f"{name}.json"), type=kind, dec_hook=self._array)
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
            self._read = {name: self._zip.read(name) for name in names}
        except DAMAGE as error:
            raise DamagedError(f"{self.path}: {error}") from error
        if sorted(names) != sorted({*self._members, CONTENTS}):
            raise DamagedError(f"{self.path}: its contents are not what they should be")

    def _content(self, member: str) -> bytes:
        return self._read[member] if member in self._read else self._zip.read(member)

    def _array(self, kind: type, reference: Any) -> np.ndarray[Any, Any]:
        expected = typing.get_args(typing.get_args(kind)[1])[0]
        if "data" in reference:
            array = _small_array(**reference)
        else:
            content = self._content(reference["array"])
            start = HEADER.size + HEADER.unpack_from(content)[-1]
            shape, in_fortran_order, dtype = _header(content[:start])
            array = np.ndarray(shape, dtype, content, start, order="F" if in_fortran_order else "C").copy()
        if expected is not Any and not np.issubdtype(array.dtype, expected):
            raise ValueError(f"an array of {array.dtype} is where {expected.__name__} is expected")
        return array

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; nothing can be read afterwards."""
        self._zip.close()
