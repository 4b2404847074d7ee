"""What files hold, as a hash of each: part of the fingerprint of a data set, and remembered so that it is paid once.

Hashes lie in the user's cache folder, or in ``RATERBENCH_CACHE``, one file for the common folder of some files. One is believed
as long as size, times, inode and device of its file are what they were, unless the file was younger than its times can tell
when it was read.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import platformdirs

from ..errors import RaterbenchError
from ..steps import counted_step

YOUNG = 2.0
"""Seconds within which a second change of a file may leave its times as they are: FAT counts in twos."""
THREADS = 4
DIGEST_SIZE = 16

Known = dict[str, tuple[list[int], str]]
"""Paths, with what the system said of the file and the hash of its content."""


def contents_hash(files: Mapping[str, Path]) -> str:
    """A hash of the names and the contents of files; the names are those within a data set, wherever it lies.

    Raises:
        RaterbenchError: a file is not there, is no regular file, or cannot be read.
    """
    hashes = content_hashes([files[name] for name in files])
    listed = sorted(zip(files, hashes, strict=True))
    return hashlib.blake2b(json.dumps(listed).encode(errors="surrogateescape"), digest_size=DIGEST_SIZE).hexdigest()


def content_hashes(files: Sequence[Path]) -> list[str]:
    """The hash of each file's content.

    Raises:
        RaterbenchError: a file is not there, is no regular file, or cannot be read.
    """
    if not files:
        return []
    paths = [os.path.abspath(file) for file in files]  # noqa: PTH100 - links stay as they are
    cache = _cache_file(os.path.commonpath([os.path.dirname(path) for path in paths]))  # noqa: PTH120
    known = _read_cache(cache)
    states = [_state(Path(path)) for path in paths]
    new = {p: s for p, s in zip(paths, states, strict=True) if p not in known or known[p][0] != s}
    found: Known = {}
    if new:
        with ThreadPoolExecutor(THREADS) as pool:
            hashing = pool.map(_hashed, new)
            for path in counted_step(f"reading {len(new):,} files to know their content", new):
                found[path] = next(hashing)
        lasting = {path: entry for path, entry in found.items() if entry[0]}
        if lasting:
            _write_cache(cache, {p: e for p, e in known.items() if os.path.lexists(p)} | lasting)
    return [(found.get(path) or known[path])[1] for path in paths]


def _state(file: Path) -> list[int]:
    """What changes when a file does, as far as the system tells."""
    try:
        found = file.stat()
    except OSError as error:
        raise RaterbenchError(f"{file} cannot be read: {error.strerror or error}") from error
    if not stat.S_ISREG(found.st_mode):
        raise RaterbenchError(f"{file} cannot be read: it is no regular file")
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev]


def _hashed(path: str) -> tuple[list[int], str]:
    """The state and the hash of a file; the state is empty where the file may have changed since without another one."""
    file = Path(path)
    before, now = _state(file), time.time_ns()
    try:
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=DIGEST_SIZE)).hexdigest()
    except OSError as error:
        raise RaterbenchError(f"{file} cannot be read: {error.strerror or error}") from error
    settled = now - max(before[1], before[2]) > YOUNG * 1e9 and before == _state(file)
    return (before if settled else []), digest


def _cache_file(folder: str) -> Path | None:
    """Where the hashes of the files of a folder are remembered; None where there is no place for them."""
    name = hashlib.blake2b(os.fsencode(folder), digest_size=DIGEST_SIZE).hexdigest()
    with suppress(OSError, RuntimeError, KeyError):
        place = os.environ.get("RATERBENCH_CACHE") or platformdirs.user_cache_dir("raterbench", appauthor=False)
        return Path(place) / "contents" / f"{name}.json"
    return None


def _read_cache(cache: Path | None) -> Known:
    """What is remembered; nothing where the file is not there, is a link or someone else's, or is not as it was written."""
    try:
        content = _own_bytes(cache) if cache else b""
        digest, _, text = content.partition(b"\n")
        if digest.decode() != hashlib.sha256(text).hexdigest():
            return {}
        stored: dict[str, Any] = json.loads(text)
        return {path: (list(state), str(found)) for path, (state, found) in stored.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _own_bytes(file: Path) -> bytes:
    number = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with open(number, "rb") as stream:  # noqa: PTH123 - a descriptor, so that no link is followed
        found = os.fstat(number)
        own = not hasattr(os, "geteuid") or found.st_uid == os.geteuid()
        return stream.read() if own and stat.S_ISREG(found.st_mode) else b""


def _write_cache(cache: Path | None, known: Known) -> None:
    """Remember hashes, or do not where that is impossible: it only costs time."""
    if cache is None:
        return
    text = json.dumps(known).encode()
    with suppress(OSError):
        cache.parent.mkdir(parents=True, exist_ok=True)
        number, temporary = tempfile.mkstemp(dir=cache.parent, prefix=f".{cache.stem}-")
        try:
            with open(number, "wb") as stream:  # noqa: PTH123
                stream.write(hashlib.sha256(text).hexdigest().encode() + b"\n" + text)
            os.replace(temporary, cache)  # noqa: PTH105
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
