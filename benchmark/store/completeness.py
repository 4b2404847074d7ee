"""Whether a results folder holds what was planned: the state of each planned unit, and files that are none of them."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import lock_descriptor

from ...errors import RaterbenchError, shown
from ..experiment.experiment import LABELS
from .units import Record, read_header, read_record, unit_path

State = Literal["done", "failed", "skipped", "missing", "damaged"]

MOST_PLACES = 4
"""Up to this many units of a candidate are named one by one."""
MOST_FILES = 5
"""Up to this many foreign files are named."""
MEND = "Run the experiment again: raterbench run computes what is missing or damaged, and keeps the rest."


@dataclass(frozen=True)
class PlannedUnit:
    """A unit as ``experiment.json`` lists it. Plans of earlier versions have the key alone, and no candidate."""

    key: str
    candidate: str = ""
    kind: str = "method"
    repeat: int = 0
    fold: int = 0

    @property
    def place(self) -> str:
        """Which unit of its candidate it is."""
        return f"repeat {self.repeat} fold {self.fold}" if self.candidate else f"key {self.key[:8]}"

    @property
    def owner(self) -> str:
        """Whose unit it is, in words."""
        return (self.candidate if self.kind != LABELS else "raters and fused labels") or "candidates that are not known"


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


def planned_units(folder: Path, plan: Mapping[str, Any]) -> list[PlannedUnit]:
    """The units that ``experiment.json`` lists.

    Earlier versions listed ``keys`` alone: what the units say of themselves is added, and a missing unit is known by its key.
    """
    if "units" in plan:
        return [PlannedUnit(**entry) for entry in plan["units"]]
    units = {key: PlannedUnit(key) for key in plan["keys"]}
    for path in _visible_files(folder / "units"):
        with suppress(OSError, RaterbenchError):
            found = None if not_a_file(path) else read_header(path)
            if found is not None and found.key in units:
                units[found.key] = PlannedUnit(*_identity(found))
    return list(units.values())


def read_units(folder: Path, planned: Sequence[PlannedUnit]) -> tuple[list[Record], Completeness]:
    """The records of the planned units that are whole, in the order of the plan, and the state of everything.

    Each unit is read once, whole, from the file that ``unit_path`` names. Links, pipes and folders are never opened.
    """
    expected = {_path(folder, unit).name: unit for unit in planned}
    records: dict[str, Record] = {}
    damaged: dict[str, str] = {}
    foreign: list[ForeignFile] = []
    other_settings = 0
    for path in _visible_files(folder / "units"):
        unit = expected.get(path.name)
        found = _examine(folder, path, unit)
        if isinstance(found, ForeignFile):
            foreign.append(found)
        elif isinstance(found, UnitState):
            damaged[found.unit.key] = found.reason
        elif unit is None:
            other_settings += 1
        else:
            records[unit.key] = found
    instead = {file.name: f"in its place is another file: {file.why}" for file in foreign}
    states = []
    for unit in planned:
        if unit.key in records:
            states.append(UnitState(unit, records[unit.key].status, records[unit.key].reason))
        elif unit.key in damaged:
            states.append(UnitState(unit, "damaged", damaged[unit.key]))
        else:
            states.append(UnitState(unit, "missing", instead.get(_path(folder, unit).name, "")))
    whole = [records[unit.key] for unit in planned if unit.key in records]
    return whole, Completeness(states, foreign, other_settings, running_process(folder))


def _examine(folder: Path, path: Path, unit: PlannedUnit | None) -> Record | UnitState | ForeignFile:
    """What a file is that lies where ``unit`` is expected, or no planned unit: a record, a damaged unit, or foreign."""
    if why := not_a_file(path):
        return ForeignFile(path.name, why)
    try:
        # Of units of other settings only the name matters.
        found, why = read_header(path) if unit is None else read_record(path), ""
    except (OSError, RaterbenchError) as error:
        found, why = None, getattr(error, "strerror", None) or str(error)
    if found is None:
        return UnitState(unit, "damaged", why) if unit else ForeignFile(path.name, why or "no unit, or a damaged one")
    if _path(folder, found).name != path.name or (unit is not None and _identity(found) != _identity(unit)):
        held = PlannedUnit(*_identity(found))
        return ForeignFile(path.name, f"it holds {held.owner} {held.place}, whose file has another name")
    return found


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


def _visible_files(folder: Path) -> list[Path]:
    """What lies in the folder, sorted by name; hidden files are those of systems, and half-written ones."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else []


def _path(folder: Path, unit: PlannedUnit | Record) -> Path:
    return unit_path(folder, unit.candidate, unit.repeat, unit.fold, unit.key)


def _identity(unit: PlannedUnit | Record) -> tuple[str, str, str, int, int]:
    return unit.key, unit.candidate, unit.kind, unit.repeat, unit.fold
