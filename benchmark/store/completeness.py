"""Whether a results folder holds what was planned: the state of each planned unit, and files that belong to none."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

from filelock import lock_descriptor

from ...errors import RaterbenchError, shown
from .archive import Archive, DamagedError
from .units import (
    ESTIMATES,
    UNIT,
    MeasuringUnit,
    PlannedUnit,
    TrainingUnit,
    measuring_path,
    read_measuring,
    read_training,
    training_path,
    weights_path,
)

T = TypeVar("T")

State = Literal["done", "failed", "skipped", "missing", "damaged"]

MOST_PLACES = 4
"""Up to this many units of a candidate are named one by one."""
MOST_FILES = 5
"""Up to this many foreign files are named."""
MEND = "Run the experiment again: raterbench run computes what is missing or damaged, and keeps the rest."


@dataclass(frozen=True)
class UnitState:
    """A planned unit and what became of it; ``reason`` says why it is not done, where that is known."""

    unit: PlannedUnit
    state: State
    reason: str = ""


@dataclass(frozen=True)
class ForeignFile:
    """A file among the units, by its ``name``, that is no unit of the experiment: ``why``."""

    name: str
    why: str


@dataclass(frozen=True)
class Completeness:
    """The state of every planned unit and the files that are no units, with the words for them.

    ``other_settings`` counts units of the same experiment with other settings, which are kept and not read. ``running`` is the
    process that writes to the folder at the moment, or empty.
    """

    units: Sequence[UnitState] = ()
    foreign: Sequence[ForeignFile] = ()
    other_settings: int = 0
    running: str = ""

    def having(self, *states: State) -> list[UnitState]:
        """The units in one of these states."""
        return [unit for unit in self.units if unit.state in states]

    @property
    def is_complete(self) -> bool:
        """Whether each planned unit ended: none is missing or damaged."""
        return not self.having("missing", "damaged")

    @property
    def is_sound(self) -> bool:
        """Whether nothing is to be mended: complete, without failed units and without foreign files."""
        return self.is_complete and not self.having("failed") and not self.foreign

    def gaps(self) -> list[str]:
        """What the results lack, a sentence each for missing, damaged and failed units: what a caption must say."""
        kinds: dict[State, tuple[str, str]] = {
            "missing": ("INCOMPLETE", "missing"),
            "damaged": ("DAMAGED", "damaged or cannot be read, and left out"),
            "failed": ("FAILED", "failed"),
        }
        found = []
        for state, (heading, word) in kinds.items():
            if units := self.having(state):
                verb = "" if state == "failed" else "is " if len(units) == 1 else "are "
                found.append(f"{heading}: {len(units)} of {len(self.units)} units {verb}{word}: {self._named(units)}.")
        return found

    def skipped(self) -> list[str]:
        """Which candidates were skipped, with the reasons: one sentence, or none."""
        units = self.having("skipped")
        return [f"SKIPPED: {self._named(units)}."] if units else []

    def notices(self) -> list[str]:
        """Everything that a reader must know of the state of the folder, with the mend; empty where all is well."""
        found = self.gaps()
        if not self.is_complete and not self.running:
            found.append(MEND)
        if self.running:
            found.insert(0, f"A RUN IS GOING ON (process {self.running}): these are the results so far.")
        if self.foreign:
            named = "; ".join(f"{shown(f.name, 120)[1:-1]} ({f.why})" for f in self.foreign[:MOST_FILES])
            more = f"; and {len(self.foreign) - MOST_FILES} more" if len(self.foreign) > MOST_FILES else ""
            n = "1 file among the units is" if len(self.foreign) == 1 else f"{len(self.foreign)} files among the units are"
            found.append(f"FOREIGN: {n} not of this experiment and left out: {named}{more}. Remove what does not belong there.")
        return found

    def _named(self, units: Sequence[UnitState]) -> str:
        """The units, those of one candidate and reason together."""
        groups: dict[tuple[str, str], list[PlannedUnit]] = {}
        for entry in units:
            groups.setdefault((entry.unit.owner, entry.reason), []).append(entry.unit)
        named = []
        for (owner, reason), mine in groups.items():
            planned = sum(entry.unit.owner == owner for entry in self.units)
            places = ", ".join(unit.place for unit in mine) if len(mine) <= MOST_PLACES else f"{len(mine)} of {planned}"
            where = f"all {planned}" if len(mine) == planned > MOST_PLACES else places
            named.append(f"{owner} ({where})" + (f": {reason.rstrip('.')}" if reason else ""))
        return "; ".join(named)


@dataclass(frozen=True, eq=False)
class StoredUnit:
    """A planned unit with what is stored of it: its training, for units of methods, and what was measured, by part."""

    unit: PlannedUnit
    trained: TrainingUnit | None
    measured: MeasuringUnit | None
    parts: Mapping[str, object]


def read_units(
    folder: Path, planned: Sequence[PlannedUnit], parts: Mapping[str, Sequence[str]]
) -> tuple[list[StoredUnit], Completeness]:
    """The planned units that ended, in the order of the plan, and the state of everything.

    ``parts`` names what a measuring unit of each kind should have. Files are read from the paths that the plan gives. Links,
    pipes and folders are never opened.
    """
    expected = {path.name for unit in planned for path in _paths(folder, unit)}
    by_key = {unit.key: unit for unit in planned}
    foreign: dict[str, ForeignFile] = {}
    other_settings = 0
    for name, is_file in _listed(folder / "units"):
        path = folder.joinpath("units", name)
        if not is_file and (why := not_a_file(path)):
            foreign[name] = ForeignFile(name, why)
        elif name not in expected:  # Else it is opened once, below.
            key = _key_in(path)
            if key not in by_key and (path.suffix == ".safetensors" or (key and f".{key[:12]}." in name)):
                other_settings += 1
            else:
                foreign[name] = ForeignFile(name, _what_holds(key, by_key))
    units, states = [], []
    for unit in planned:
        stored, state = _state_of(folder, unit, parts[unit.kind], foreign, by_key)
        states.append(state)
        if state.state in ("done", "failed", "skipped"):
            units.append(stored)
    others = [foreign[name] for name in sorted(foreign)]
    return units, Completeness(states, others, other_settings, running_process(folder))


def _paths(folder: Path, unit: PlannedUnit) -> tuple[Path, ...]:
    """Where the files of a unit may lie."""
    return training_path(folder, unit), measuring_path(folder, unit), weights_path(folder, unit)


def _listed(folder: Path) -> list[tuple[str, bool]]:
    """The names in a folder, sorted, and whether each is a regular file; without files of systems and half-written ones."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:  # It knows the kind of each entry: nobody need ask the disk for that of each file.
        return sorted((e.name, e.is_file(follow_symlinks=False)) for e in entries if not e.name.startswith("."))


def _what_holds(key: str | None, by_key: Mapping[str, PlannedUnit]) -> str:
    """What a file is that holds another unit than its name says; ``key`` is that unit's."""
    if key is None or key not in by_key:
        return "no unit, or a damaged one"
    return f"it holds {by_key[key].owner} {by_key[key].place}, whose file has another name"


def _state_of(
    folder: Path,
    unit: PlannedUnit,
    wanted: Sequence[str],
    foreign: dict[str, ForeignFile],
    by_key: Mapping[str, PlannedUnit],
) -> tuple[StoredUnit, UnitState]:
    """What is stored of a unit, and whether that is all that was planned."""
    trained = None
    if unit.kind == "method":
        path = training_path(folder, unit)
        trained, state, why = _whole(path, foreign, read_training)
        if trained is not None and trained.key != unit.key:
            trained, state, why = None, *_note_foreign(path, trained.key, foreign, by_key)
        if trained is None:
            return StoredUnit(unit, None, None, {}), UnitState(unit, state, why)
        if trained.status != "done":
            return StoredUnit(unit, trained, None, {}), UnitState(unit, trained.status, trained.reason)
    path = measuring_path(folder, unit)
    found, state, why = _whole(path, foreign, partial(read_measuring, wanted=wanted))
    if found is not None and found[0].key != unit.key:
        found, state, why = None, *_note_foreign(path, found[0].key, foreign, by_key)
    if found is None:
        not_measured = "trained, but not measured" if trained is not None and state == "missing" and not why else why
        return StoredUnit(unit, trained, None, {}), UnitState(unit, state, not_measured)
    measured, parts = found
    stored = StoredUnit(unit, trained, measured, parts)
    if failed := [measured.failed[name] for name in wanted if name in measured.failed]:
        return stored, UnitState(unit, "failed", failed[0])
    if lacking := [name for name in wanted if name not in parts]:
        return stored, UnitState(unit, "missing", f"{len(lacking)} of {len(wanted)} parts are not measured")
    return stored, UnitState(unit, "done")


def _whole(
    path: Path, foreign: Mapping[str, ForeignFile], read: Callable[[Path], T | None]
) -> tuple[T | None, Literal["missing", "damaged"], str]:
    """What a file holds; if nothing, whether it is missing or damaged, and why."""
    if path.name in foreign:
        return None, "missing", f"in its place is another file: {foreign[path.name].why}"
    if not os.path.lexists(path):
        return None, "missing", ""
    try:
        return read(path), "damaged", ""
    except (OSError, RaterbenchError) as error:
        return None, "damaged", getattr(error, "strerror", None) or str(error)


def _note_foreign(
    path: Path, key: str, foreign: dict[str, ForeignFile], by_key: Mapping[str, PlannedUnit]
) -> tuple[Literal["missing"], str]:
    """Note that a file in the place of a unit holds another one; that it is missing, and why."""
    foreign[path.name] = ForeignFile(path.name, _what_holds(key, by_key))
    return "missing", f"in its place is another file: {foreign[path.name].why}"


def _key_in(path: Path) -> str | None:
    """The key of the unit in a file; None if it is damaged or holds none."""
    if path.suffix == ".safetensors":
        return None
    try:
        with Archive(path) as archive:
            if ESTIMATES in archive.parts:
                return archive.read(UNIT, TrainingUnit).key
            return archive.read(UNIT, MeasuringUnit).key
    except (OSError, DamagedError):
        return None


def not_a_file(path: Path) -> str:
    """What lies at ``path`` if it is no regular file, without opening it; empty for a file, or where nothing is."""
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return ""
    if stat.S_ISREG(mode):
        return ""
    kinds = {stat.S_IFLNK: "a link", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe"}
    return kinds.get(stat.S_IFMT(mode), "a device or socket")


def running_process(folder: Path) -> str:
    """The number of another process that holds the folder for a run, ``unknown`` if it does not say; empty if none does."""
    lock = folder / ".lock"
    if not_a_file(lock):
        return ""
    try:
        with lock.open("rb") as stream:
            if not lock_descriptor(stream.fileno(), blocking=False):
                holder = stream.read(20).decode(errors="replace").strip() or "unknown"
                return "" if holder == str(os.getpid()) else holder
    except OSError:
        pass  # No lock, or a platform or file system without locks.
    return ""
