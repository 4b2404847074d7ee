"""Entries of arrays in a folder of the user's, by the hash of what they were made from; the oldest are removed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import platformdirs

from ...errors import RaterbenchError
from .array_files import Arrays, map_arrays, write_arrays

ENDING = ".arrays"
UNFINISHED = ".new"
HOUR = 3600.0
GIB = 1 << 30
LIMIT_GIB = 20.0
"""The size of the cache, unless the environment variable ``RATERBENCH_CACHE_GIB`` says another."""
LEFT_FREE = 2 * GIB
"""So much of the disk stays free."""
ROOM = 0.9
"""The share of the limit that is left when old entries are removed."""
OPENING = 2e-3
"""Seconds that opening an entry may take."""
READING = 1e9
"""Bytes of an entry that are read in a second."""
SMALL = 1 << 18
"""Smaller arrays are prepared faster than a file is opened."""


@dataclass(frozen=True)
class Entry:
    """A file of the cache: its kind, its size in bytes, and when it was last used, in seconds since 1970."""

    path: Path
    kind: str
    size: int
    used: float


class DiskCache:
    """Arrays in files, which are found again by what they were made from.

    Processes share the folder: each file is written whole or not at all, and mapped into memory. Each process reads an entry
    whole when it first asks for it: what is damaged is removed and made again. What was not used for longest is removed where
    all entries together exceed ``limit``. A cache that cannot be written only costs time.

    Args:
        folder: where the entries lie.
        limit: bytes that all entries may take.
        made_by: what decides how entries are made, such as the version of the code; entries of others are not found.
        worthwhile: keep only what takes longer to make than to read back.

    ``current`` is the cache that this process uses for what it prepares; a process starts with none.
    """

    current: ClassVar[DiskCache | None] = None

    def __init__(self, folder: Path, *, limit: float = LIMIT_GIB * GIB, made_by: str = "", worthwhile: bool = True) -> None:
        self.folder, self.limit, self.made_by, self.worthwhile = folder, limit, made_by, worthwhile
        self._checked: set[tuple[Path, int]] = set()  # Entries and their inodes, which this process has read whole.
        self._written = limit  # The first entry that a process writes makes it look at the size of all.

    def fetch(self, kind: str, made_from: object, make: Callable[[], Arrays | None]) -> Arrays | None:
        """The entry of a ``kind`` for what it is ``made_from``, or else what ``make`` gives, which is kept.

        ``made_from`` are plain values, or such that ``repr`` tells apart. ``make`` gives None for what must not be kept.
        """
        path = self.path_of(kind, made_from)
        found = self._found(path)
        if found is not None:
            return found
        start = time.perf_counter()
        made = make()
        if made is None or (self.worthwhile and time.perf_counter() - start < OPENING + _size(made) / READING):
            return made
        return (self._found(path) or made) if self._keep(path, made) else made

    def path_of(self, kind: str, made_from: object) -> Path:
        """Where the entry lies, if it is there."""
        text = json.dumps([self.made_by, made_from], sort_keys=True, default=repr)
        key = hashlib.sha256(text.encode()).hexdigest()[:40]
        return self.folder / kind / key[:2] / f"{key[2:]}{ENDING}"

    def entries(self) -> list[Entry]:
        """All entries, the one that was used last at the end."""
        found = []
        for path in self._files(ENDING):
            with suppress(OSError):
                state = path.stat()
                found.append(Entry(path, path.parent.parent.name, state.st_size, state.st_mtime))
        return sorted(found, key=lambda entry: (entry.used, entry.path))

    def remove_oldest(self, limit: float) -> list[Entry]:
        """Remove what was not used for longest, until all entries take at most ``limit`` bytes; gives what was removed."""
        entries, removed = self.entries(), []
        total = sum(entry.size for entry in entries)
        for entry in entries:
            if total <= limit:
                break
            try:
                entry.path.unlink()
                removed.append(entry)
            except FileNotFoundError:
                pass  # Another process has removed it meanwhile: it takes no room, either.
            except OSError:
                continue  # Windows removes no file that is mapped.
            total -= entry.size
        for path in self._files(UNFINISHED):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > HOUR:
                    path.unlink()
        return removed

    def _files(self, ending: str) -> Iterator[Path]:
        return self.folder.glob(f"*/*/*{ending}")

    def _found(self, path: Path) -> Arrays | None:
        try:
            state = path.lstat()
            if not stat.S_ISREG(state.st_mode) or (hasattr(os, "geteuid") and state.st_uid != os.geteuid()):
                return None  # In a folder of many users, who knows what somebody else put there?
            whole = (path, state.st_ino)
            found = map_arrays(path, check=whole not in self._checked)
            if found is None:
                path.unlink()
            elif whole not in self._checked:
                self._checked.add(whole)
                os.utime(path)
        except OSError:
            return None
        return found

    def _keep(self, path: Path, made: Arrays) -> bool:
        """Write an entry, if there is room; gives whether it is there now."""
        if _size(made) > ROOM * self.limit:
            return False  # It would push all others out, and then itself.
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(path.parent).free - _size(made) < LEFT_FREE:
                return False
            number, unfinished = tempfile.mkstemp(dir=path.parent, suffix=UNFINISHED)
            try:
                with os.fdopen(number, "wb") as stream:
                    self._written += write_arrays(stream, made)
                os.replace(unfinished, path)  # noqa: PTH105 - a name, not a Path
            except BaseException:
                Path(unfinished).unlink(missing_ok=True)
                raise
        except OSError:
            return False
        if self._written > (1 - ROOM) * self.limit:
            self._written = 0
            if sum(entry.size for entry in self.entries()) > self.limit:
                self.remove_oldest(ROOM * self.limit)
        return True


def _size(made: Arrays) -> int:
    return sum(array.nbytes for array in made.arrays.values())


def cache_folder() -> Path | None:
    """Where entries lie: ``RATERBENCH_CACHE``, or else the user's cache folder; None where there is no place for them."""
    named = os.environ.get("RATERBENCH_CACHE")
    if named:
        return Path(named)
    with suppress(OSError, RuntimeError, KeyError):
        return Path(platformdirs.user_cache_dir("raterbench", appauthor=False)) / "cases"
    return None


def cache_limit() -> float:
    """The bytes that all entries may take: ``RATERBENCH_CACHE_GIB``, or else 20 GiB; 0 keeps nothing.

    Raises:
        RaterbenchError: the variable is no number of at least 0.
    """
    named = os.environ.get("RATERBENCH_CACHE_GIB", "").strip()
    try:
        size = float(named) if named else LIMIT_GIB
    except ValueError:
        size = -1.0
    if not 0 <= size < float("inf"):
        raise RaterbenchError(f"RATERBENCH_CACHE_GIB is {named!r}, but must be a number of GiB, such as 20, or 0 for no cache")
    return size * GIB


def user_cache(made_by: str) -> DiskCache | None:
    """The cache that the environment asks for; None where nothing is to be kept, or there is no place for it.

    Raises:
        RaterbenchError: ``RATERBENCH_CACHE_GIB`` is no number of at least 0.
    """
    folder, limit = cache_folder(), cache_limit()
    return DiskCache(folder, limit=limit, made_by=made_by) if folder is not None and limit > 0 else None


def kept(kind: str, size: int, made_from: Callable[[], object], make: Callable[[], Arrays]) -> Arrays:
    """What ``make`` gives, from this process's cache if there is one and what it is made from, ``size`` bytes, is not small."""
    cache = DiskCache.current
    if cache is None or (cache.worthwhile and size < SMALL):
        return make()
    found = cache.fetch(kind, made_from(), make)
    assert found is not None
    return found
