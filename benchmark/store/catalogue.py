"""What is known of the files of units, so that a run that goes on need not read all of them again."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ...errors import RaterbenchError
from ...whole_files import replacing_file
from .units import SCHEMA, read_measuring, read_training

FILE = ".catalogue.json"
"""Its name, in the results folder."""
SETTLED_NS = 2_000_000_000
"""A file that was changed less than these nanoseconds ago may change again without a new time: disks count it coarsely."""


@dataclass(frozen=True)
class Known:
    """What a file of a unit holds, as it was when every byte of it was read.

    Args:
        size: of the file, in bytes.
        changed: when the file was last changed, in nanoseconds.
        key: the unit's.
        status: how a training ended; ``done`` for a measuring unit.
        parts: of a measuring unit, those that were measured.
        failed: of a measuring unit, those that failed.
    """

    size: int
    changed: int
    key: str
    status: str
    parts: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


@dataclass
class _Stored:
    schema: int
    files: dict[str, Known]


class Catalogue:
    """The catalogue of the units in a results folder.

    A file that has the size and the time of its entry is taken for what it was; any other one is read whole. The catalogue is
    no part of the results: without it everything is read.
    """

    def __init__(self, folder: Path) -> None:
        self.place = folder / FILE
        self.files: dict[str, Known] = {}
        self._changed = False
        with suppress(OSError, msgspec.MsgspecError):
            stored = msgspec.json.decode(self.place.read_bytes(), type=_Stored)
            if stored.schema == SCHEMA:
                self.files = stored.files

    def training(self, path: Path) -> Known | None:
        """The training unit in ``path``; None if it is damaged or not there. Errors are those of ``read_training``."""

        def read(size: int, changed: int) -> Known | None:
            unit = read_training(path, whole=True)
            return None if unit is None else Known(size, changed, unit.key, unit.status)

        return self._known(path, read)

    def measuring(self, path: Path) -> Known | None:
        """The measuring unit in ``path``; None if it is damaged or not there. Errors are those of ``read_measuring``."""

        def read(size: int, changed: int) -> Known | None:
            found = read_measuring(path)
            if found is None:
                return None
            unit, parts = found
            return Known(size, changed, unit.key, "done", tuple(parts), tuple(unit.failed))

        return self._known(path, read)

    def _known(self, path: Path, read: Callable[[int, int], Known | None]) -> Known | None:
        try:
            state = path.lstat()
        except OSError:
            return read(0, 0)  # It says what is wrong, or finds that there is nothing.
        known = self.files.get(path.name)
        if known is None or (known.size, known.changed) != (state.st_size, state.st_mtime_ns):
            known = read(state.st_size, state.st_mtime_ns)
            self._changed = True
            self.files.pop(path.name, None)
            if known is not None and time.time_ns() - known.changed > SETTLED_NS:
                self.files[path.name] = known
        return known

    def save(self) -> None:
        """Write it, if something in it is new. Where the folder cannot be written, everything is read again next time."""
        if self._changed and self.place.parent.is_dir():
            with suppress(RaterbenchError), replacing_file(self.place) as stream:
                stream.write(msgspec.json.encode(_Stored(SCHEMA, self.files)))
            self._changed = False
