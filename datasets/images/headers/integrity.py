"""Whether a file holds what its header promises: sizes, checksums, and the memory that reading takes."""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

from ....errors import RaterbenchError

PIECE = 1 << 20
"""Bytes that are read or decompressed at a time."""

DEFLATE_LIMIT = 1032
"""A byte of deflated data stands for 1032 bytes at most (RFC 1951: 258 bytes for two bits)."""


def damaged(file: Path, reason: str) -> RaterbenchError:
    """The error for a file whose content contradicts itself."""
    return RaterbenchError(f"{file} cannot be read: {reason}; copy or save it again")


def check_size(file: Path, found: int, promised: int, what: str = "bytes") -> None:
    """See that there are as many bytes of pixels as the header promises.

    Raises:
        RaterbenchError: some are missing, or there are more.
    """
    if found < promised:
        raise damaged(
            file, f"it holds {found} of the {promised} {what} that its header promises, so it was cut off or is damaged"
        )
    if found > promised:
        more = f"{found - promised} {what} more than the {promised} that its header promises"
        raise damaged(file, f"it holds {more}, so its header is damaged or something was appended")


def pieces_of(file: Path, start: int) -> Iterator[bytes]:
    """The bytes of a file from ``start`` on, in pieces."""
    with file.open("rb") as stream:
        stream.seek(start)
        while piece := stream.read(PIECE):
            yield piece


def inflated(pieces: Iterator[bytes], file: Path) -> Iterator[bytes]:
    """The decompressed content of a zlib stream or of gzip members, in pieces, with their checksums verified.

    Zeros may follow, as gzip itself allows. Readers that stop at the last pixel never see the checksum (RFC 1950, 1952).

    Raises:
        RaterbenchError: the stream is no zlib or gzip, ends too early, has a wrong checksum, or something follows it.
    """
    decoder, pending = zlib.decompressobj(47), b""
    try:
        while True:
            pending = pending or next(pieces, b"")
            content = decoder.decompress(pending, PIECE)
            if content:
                yield content
            if decoder.eof:
                pending = decoder.unused_data.lstrip(b"\0")
                while not pending and (more := next(pieces, b"")):
                    pending = more.lstrip(b"\0")
                if not pending:
                    return
                if not pending.startswith(b"\x1f"):
                    raise damaged(file, "something follows the end of its compressed data")
                decoder = zlib.decompressobj(31)
            elif not pending and not content:
                raise damaged(file, "its compressed data end too early, so it was cut off")
            else:
                pending = decoder.unconsumed_tail
    except zlib.error as error:
        reason = str(error).partition(": ")[2] or str(error)
        raise damaged(file, f"its compressed data are damaged ({reason})") from error


def check_inflated(file: Path, pieces: Iterator[bytes], promised: int) -> None:
    """Decompress all of a stream and see that it gives ``promised`` bytes; no more memory is used than for a piece.

    Raises:
        RaterbenchError: it gives fewer or more, or is damaged.
    """
    found = 0
    for piece in pieces:
        found += len(piece)
        if found > promised:  # Whatever else there is: a small file may hold terabytes of zeros.
            raise damaged(file, f"it holds more than the {promised} bytes that its header promises")
    check_size(file, found, promised)


def check_memory(file: Path, needed: int) -> None:
    """See that ``needed`` bytes of memory are free before a reader asks for them.

    Raises:
        RaterbenchError: they are not.
    """
    free = free_memory()
    if free is not None and needed > free:
        raise RaterbenchError(
            f"{file} needs {needed / 2**30:.3g} GiB of memory to be read, and {free / 2**30:.3g} GiB are free: "
            "use a smaller image or a larger machine, or save it again if its header is wrong"
        )


def free_memory() -> int | None:
    """Bytes that this process may still take: of the machine, its container and its own limit; None if nobody says."""
    limits = []
    if sys.platform == "linux":
        for line in _words(Path("/proc/meminfo")):
            if line[0] == "MemAvailable:":
                limits.append(int(line[1]) * 1024)
        group = Path("/sys/fs/cgroup")
        most, used = _words(group / "memory.max"), _words(group / "memory.current")
        if most and used and most[0][0] != "max":
            limits.append(int(most[0][0]) - int(used[0][0]))
        limits += _within_own_limit()
    return max(0, min(limits)) if limits else None


def _within_own_limit() -> list[int]:
    import resource

    most, pages = resource.getrlimit(resource.RLIMIT_AS)[0], _words(Path("/proc/self/statm"))
    if most == resource.RLIM_INFINITY or not pages:
        return []
    return [most - int(pages[0][0]) * os.sysconf("SC_PAGE_SIZE")]


def _words(file: Path) -> list[list[str]]:
    try:
        return [line.split() for line in file.read_text(encoding="ascii").splitlines() if line]
    except OSError:
        return []
