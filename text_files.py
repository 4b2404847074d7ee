"""Reads small text files that users name: regular files only, of a bounded size, in UTF-8; and the TOML and JSON in them."""

from __future__ import annotations

import json
import stat
import tomllib
from pathlib import Path
from typing import Any

from .errors import RaterbenchError, shown

LARGEST = 2**20
"""Bytes that a file written by a person may have."""
LARGEST_WRITTEN = 2**26
"""Bytes that a JSON file written by raterbench may have: the folds of 70000 cases, fifty times over."""


def read_bytes(file: Path, what: str, *, largest: int = LARGEST) -> bytes:
    """The contents of a file; ``what`` it is, for the messages, such as "split manifest".

    A folder, a pipe or a device is never opened, so that nothing waits for a writer or reads without end.

    Raises:
        RaterbenchError: there is no such file, it is no regular file, larger than ``largest`` bytes, or must not be read.
    """
    named = f"{what} {shown(str(file))}"
    try:
        mode = file.stat().st_mode
        content = b""
        if stat.S_ISREG(mode):  # Nothing else is opened.
            with file.open("rb") as stream:
                content = stream.read(largest + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        dangling = ", but a link to nothing" if file.is_symlink() else ""
        raise RaterbenchError(f"{named} is not a file{dangling}: check the path") from error
    except OSError as error:
        raise RaterbenchError(f"{named} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        # A path with a NUL character never reaches the system.
        raise RaterbenchError(f"{named} is not a file: {error}") from error
    if not stat.S_ISREG(mode):
        raise RaterbenchError(f"{named} is {'a folder' if stat.S_ISDIR(mode) else 'a pipe or a device'}: give a file")
    if len(content) > largest:
        raise RaterbenchError(f"{named} is larger than {largest // 2**20} MiB: it is no such file")
    return content


def read_text(file: Path, what: str, *, largest: int = LARGEST) -> str:
    """The text of a file in UTF-8, with or without a byte order mark; errors as in ``read_bytes``.

    Raises:
        RaterbenchError: the file cannot be read, or is not UTF-8; the first wrong byte is named.
    """
    content = read_bytes(file, what, largest=largest)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        wrong = f"byte 0x{content[error.start]:02x} in line {line}"
        raise RaterbenchError(
            f"{what} {shown(str(file))} is not UTF-8 ({wrong}): save it in an editor with the encoding UTF-8"
        ) from error


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """The values of a TOML text.

    Raises:
        RaterbenchError: it is no TOML, is nested too deeply, or has a number of thousands of digits.
    """
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise RaterbenchError(f"{where} is not valid TOML: {_reason(error)}") from error


def parse_json(text: str, where: str) -> Any:
    """The value of a JSON text.

    Raises:
        RaterbenchError: it is no JSON, is nested too deeply, or has a number of thousands of digits.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RaterbenchError(f"{where} is not valid JSON: {_reason(error)}") from error


def _reason(error: ValueError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, tomllib.TOMLDecodeError | json.JSONDecodeError):
        return str(error)
    return "it has a number of thousands of digits"
