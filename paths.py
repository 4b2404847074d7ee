"""What lies at a path: a file, a folder, or nothing; whatever else is there is an error that says what it is."""

from __future__ import annotations

import errno
import gzip
import io
import os
import stat
import zlib
from pathlib import Path
from typing import Literal

from .errors import RaterbenchError, shown

LARGEST = 1 << 26
"""Bytes that a settings file may have."""
LARGEST_TABLE = 1 << 30
"""Bytes that a table of values may have: that of a thousand subjects and fifteen candidates has a tenth."""
HIDDEN = ("thumbs.db", "desktop.ini", "icon\r")
"""Files that file managers leave behind, beside those whose names start with a dot."""
BYTE_ORDER_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
)
GZIP = b"\x1f\x8b"
"""How a file begins that gzip compressed."""


def path_kind(path: Path) -> Literal["file", "folder", "nothing"]:
    """What lies at a path, links followed. Nothing is opened, so a pipe cannot make this wait.

    Raises:
        RaterbenchError: it is a link to nothing or to itself, a pipe, socket or device, or nobody may look.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if not path.is_symlink():
            return "nothing"
        raise RaterbenchError(
            f"{path} is a link to {path.readlink()}, which is not there: fetch what it leads to, or take the link away"
        ) from None
    except (OSError, ValueError) as error:
        raise unreachable(path, error) from error
    if stat.S_ISDIR(mode):
        return "folder"
    if stat.S_ISREG(mode):
        return "file"
    what = "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"
    raise RaterbenchError(f"{path} is {what}, where a file is needed: put a copy of the file there")


def folder_entries(folder: Path) -> list[Path]:
    """What a folder holds, sorted; hidden files and folders are passed over.

    Raises:
        RaterbenchError: it cannot be listed.
    """
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise unreachable(folder, error) from error
    return [entry for entry in entries if not entry.name.startswith(".") and entry.name.lower() not in HIDDEN]


def nearby_layout(folder: Path) -> str:
    """``"; did you mean 'up/inner'?"`` for a folder a level or two higher or lower that has ratings, else nothing."""
    place = Path(os.path.abspath(folder))  # noqa: PTH100 - links keep their names
    below = [path for pattern in ("*", "*/*") for path in sorted(place.glob(pattern)) if not path.name.startswith(".")]
    for near in (place.parent, place.parent.parent, *below):
        try:
            found = (near / "ratings").is_dir()
        except OSError:
            continue  # nobody may look there
        if found and near != place:
            return f"; did you mean {os.path.relpath(near) if not folder.is_absolute() else str(near)!r}?"
    return ""


def read_text(file: Path, *, otherwise: str | None = None, compressed: bool = False, largest: int = LARGEST) -> str | None:
    """The text of a file of at most ``largest`` bytes, or None if nothing is there; its lines end as Python's do.

    A byte order mark says how it is encoded; without one it is UTF-8, or else in the encoding ``otherwise``. With
    ``compressed`` it may also be a file that gzip made, whatever it is called.

    Raises:
        RaterbenchError: what is there cannot be read as text.
    """
    kind = path_kind(file)
    if kind == "nothing":
        return None
    if kind == "folder":
        raise RaterbenchError(f"{file} is a folder, where a file is needed: move it elsewhere, or rename it")
    try:
        if file.stat().st_size > largest:
            raise RaterbenchError(f"{file} has {file.stat().st_size:,} bytes: a text of at most {largest:,} is expected")
        content = file.read_bytes()
    except OSError as error:
        raise unreachable(file, error) from error
    if compressed and content.startswith(GZIP):
        content = _decompressed(file, content, largest)
    encoding = next((encoding for mark, encoding in BYTE_ORDER_MARKS if content.startswith(mark)), None)
    for attempt in [encoding] if encoding else ["utf-8", *([otherwise] if otherwise else [])]:
        try:
            text = content.decode(attempt)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            raise RaterbenchError(f"{file} has bytes of value 0, so it is no text in UTF-8: save it as UTF-8")
        return text.replace("\r\n", "\n").replace("\r", "\n")
    raise RaterbenchError(f"{file} is not encoded in {encoding or 'UTF-8'}: save it as UTF-8")


def _decompressed(file: Path, content: bytes, largest: int) -> bytes:
    """What gzip compressed; no more than ``largest`` bytes of it are ever in memory."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            plain = stream.read(largest + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise RaterbenchError(f"{file} cannot be decompressed ({error}): get the file again") from error
    if len(plain) > largest:
        raise RaterbenchError(f"{file} holds more than {largest:,} bytes: a text of at most so many is expected")
    return plain


def unreachable(path: Path, error: OSError | ValueError) -> RaterbenchError:
    """The error that says why nobody can look at what lies at a path, and the mend."""
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ELOOP:
        return RaterbenchError(f"{path} is a link that leads back to itself: replace it with the file")
    if number in (errno.EACCES, errno.EPERM):
        return RaterbenchError(f"{path} may not be read by you: ask for the right to read it (chmod, or its owner)")
    reason = os.strerror(number) if number else str(error)
    return RaterbenchError(f"{shown(str(path), 200)} cannot be read: {reason}")
