"""Writes files whole or not at all: beside their place, brought to the disk, and moved."""

from __future__ import annotations

import errno
import os
import platform
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO

from .errors import RaterbenchError

TEMPORARY = ".raterbench-tmp"
"""How the names of temporary folders end."""
UNFINISHED = ".raterbench-new"
"""How the names of temporary files end."""
ABANDONED_SECONDS = 86_400.0
"""After so long without a change, what is temporary and of another machine belongs to a process that ended."""
MENDS = {
    errno.ENOSPC: "make room on the disk, or write to another one",
    errno.EDQUOT: "make room within your quota, or write to another disk",
    errno.EFBIG: "allow larger files (ulimit -f), or write to another disk",
    errno.EROFS: "write to a disk that is not read-only",
    errno.EACCES: "ask for the right to write there, or write to another folder",
    errno.EPERM: "ask for the right to write there, or write to another folder",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.ENOTDIR: "a file is where a folder is needed: move it, or write to another folder",
    errno.EEXIST: "a file is where a folder is needed: move it, or write to another folder",
    errno.EISDIR: "a folder is where the file goes: move it, or write to another folder",
}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write a file to; it takes the place of ``path`` when the block ends. An error leaves ``path`` as it was.

    Missing folders are made. A link at ``path`` is replaced and not followed.

    Raises:
        RaterbenchError: it cannot be written; the file, the reason and the mend are named.
    """
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with staging(path.parent) as folder:
            yield folder / path.name
            move({path: folder / path.name})


@contextmanager
def replacing_file(path: Path) -> Iterator[BinaryIO]:
    """As ``replacing``, but gives an open file. It needs no temporary folder, which takes as long as to write a small file.

    Raises:
        RaterbenchError: it cannot be written; the file, the reason and the mend are named.
    """
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.parent / f".{_machine()}-{os.getpid()}-{secrets.token_hex(4)}{UNFINISHED}"
        try:
            with made.open("x+b") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            made.replace(path)
        except BaseException:
            made.unlink(missing_ok=True)
            raise


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """A new folder within ``folder`` for files on their way to their places; whatever is left in it is gone at the end.

    Nobody else can have put a file or a link into it: its name is new, and it belongs to this user alone.

    Raises:
        OSError: it cannot be made; ``naming`` says for which file.
    """
    made = Path(tempfile.mkdtemp(prefix=f".{_machine()}-{os.getpid()}-", suffix=TEMPORARY, dir=folder))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def move(places: Mapping[Path, Path]) -> None:
    """Move files to their places, which are the keys; the contents of all are on the disk before the first is moved.

    On a network, a full disk shows only when the content is brought there.

    Raises:
        RaterbenchError: one of the two cannot be done; the place is named.
    """
    for place, file in places.items():
        with naming(place), file.open("rb") as stream:
            os.fsync(stream.fileno())
    for place, file in places.items():
        with naming(place):
            file.replace(place)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name ``path`` in every error of the system that writing it raises, with the mend.

    Raises:
        RaterbenchError: writing raised an ``OSError``.
    """
    try:
        yield
    except OSError as error:
        mend = MENDS.get(error.errno or 0, "is the folder there, and space on the disk?")
        raise RaterbenchError(f"{path} cannot be written: {error.strerror or error}; {mend}") from error


def remove_leftovers(folder: Path) -> None:
    """Remove temporary folders and files in ``folder`` whose processes were killed; nothing else, however similar its name."""
    for ending, is_ours in ((TEMPORARY, Path.is_dir), (UNFINISHED, Path.is_file)):
        form = re.compile(rf"\.(\w+)-(\d+)-\w+{re.escape(ending)}")
        for entry in folder.glob(f".*{ending}"):
            found = form.fullmatch(entry.name)
            if found is None or entry.is_symlink() or not is_ours(entry):
                continue
            if not _is_running(int(found[2])) if found[1] == _machine() else _is_old(entry):
                with suppress(OSError):
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


@cache
def _machine() -> str:
    """The name of this machine, in characters that a file's name may have: the number of a process means nothing elsewhere."""
    return re.sub(r"[^A-Za-z0-9]", "_", platform.node())[:40] or "unknown"


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass  # It is somebody else's.
    return True


def _is_old(entry: Path) -> bool:
    try:
        return time.time() - entry.stat().st_mtime > ABANDONED_SECONDS
    except OSError:
        return False
