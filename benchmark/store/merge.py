"""Joins results folders that hold parts of one experiment, such as those of its shards, into one."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ...errors import RaterbenchError, shown
from ...text_files import LARGEST_WRITTEN, parse_json, read_text
from ...whole_files import replacing
from ..experiment.experiment import Experiment
from ..runner.workers import only_run
from .completeness import Completeness, not_a_file, read_units, running_process
from .declaration import FILE, Declaration, read_declarations
from .results_folder import FOLDER, check_results_folder
from .run_file import planned_units, read_run_file, write_json
from .units import (
    MeasuringUnit,
    Origin,
    PlannedUnit,
    TrainingUnit,
    measuring_path,
    read_measuring,
    read_training,
    training_path,
    weights_path,
)

SAME_FACTS = ("fingerprint", "split_hash", "keep_cases", "pictures", "preparation")
"""Facts of a run that follow from its data and folds. The others say the same in words, or are measured for a warning."""
FRESH = "run that part again with --fresh, or leave it out"


@dataclass(frozen=True)
class Merged:
    """What a merge came to: how many files of units were copied, and what the folder now holds of the plan."""

    copied: int
    completeness: Completeness


@dataclass(frozen=True)
class _Part:
    """A folder that is joined: what its run wrote into ``experiment.json``, and what was declared in it."""

    folder: Path
    run: Mapping[str, Any]
    declared: Sequence[Declaration]


@dataclass(frozen=True)
class _Held:
    """What a folder has of a unit; ``parts`` counts what was measured."""

    folder: Path
    unit: PlannedUnit
    trained: TrainingUnit | None
    measured: MeasuringUnit | None
    parts: int

    @property
    def origins(self) -> list[Origin]:
        return [head.origin for head in (self.trained, self.measured) if head is not None]

    @property
    def rank(self) -> tuple[bool, int, bool]:
        """Larger for who has more of the unit."""
        done = self.trained is not None and self.trained.status == "done"
        return done, self.parts, bool(self.origins)


def merge(folders: Sequence[Path], out: Path) -> Merged:
    """Join results folders into ``out``, which may hold a part already. Damaged files are left behind.

    Of a unit that several have, the one with more of it is taken; of equals, the first.

    Raises:
        RaterbenchError: two folders do not belong together: another experiment, data, folds or plan, or units that were
            computed by other code or libraries; which folder and which field is said. Or a run is going on in one, or ``out``
            holds something else.
    """
    places = {folder.resolve(): folder for folder in ((out,) if (out / "experiment.json").exists() else ()) + (*folders,)}
    parts = [_read_part(folder) for folder in places.values()]
    first = parts[0]
    for other in parts[1:]:
        _check_together(first, other)
    check_results_folder(out, Experiment.from_json(first.run["experiment"], str(first.folder / "experiment.json")))
    units = planned_units(first.run, str(first.folder / "experiment.json"))
    distinct = list({unit.stem: unit for unit in units}.values())
    held = {part.folder: [_held(part.folder, unit) for unit in distinct] for part in parts}
    _check_same_code([one for mine in held.values() for one in mine])
    with only_run(out):
        if declared := _joined_declarations(parts):  # Results of an earlier version have none.
            write_json(out / FILE, {"declarations": [asdict(entry) for entry in declared]})
        write_json(out / "experiment.json", first.run)
        _copy(first.folder / "splits.json", out / "splits.json")
        copied = 0
        for candidates in zip(*held.values(), strict=True):
            best = max(candidates, key=lambda one: one.rank)  # The first of equals.
            if best.origins and best.folder.resolve() != out.resolve():
                copied += _copy_unit(best, out)
        for part in parts:
            for file in sorted((part.folder / "references").glob("*.npz")):
                if not not_a_file(file) and not (out / "references" / file.name).exists():
                    _copy(file, out / "references" / file.name)
    return Merged(copied, read_units(out, units, first.run["parts"])[1])


def _read_part(folder: Path) -> _Part:
    run = read_run_file(folder)
    if process := running_process(folder):
        raise RaterbenchError(f"a run is going on in {folder} (process {process}): wait for it, or stop it")
    if not (folder / "splits.json").is_file():
        raise RaterbenchError(f"{folder} has no splits.json: run the experiment there again")
    return _Part(folder, run, read_declarations(folder))


def _check_together(first: _Part, other: _Part) -> None:
    """Whether two folders hold parts of the same plan.

    Raises:
        RaterbenchError: they do not; the first field that differs is named with both values.
    """
    both = (first, other)
    compared = {
        "experiment": [_deciding(part.run["experiment"]) for part in both],
        "facts": [{name: part.run["facts"].get(name) for name in SAME_FACTS} for part in both],
        "splits.json": [_splits(part.folder) for part in both],
        "the plan": [_keys(part) for part in both],
        "parts": [{kind: list(names) for kind, names in part.run["parts"].items()} for part in both],
        "declaration.json": [[entry.hash for entry in part.declared] for part in both],
    }
    for where, (mine, its) in compared.items():
        if found := first_difference(mine, its, where):
            field, before, now = found
            raise RaterbenchError(
                f"{other.folder} does not belong to {first.folder}: {field} is {before} in {first.folder} and {now} in "
                f"{other.folder}: give folders of one experiment on the same data"
            )


def _deciding(experiment: Mapping[str, Any]) -> dict[str, Any]:
    """An experiment without what differs between machines: where files lie is in no key, what they hold is."""
    named = dict(experiment)
    for name in ("plugins", "timeout"):
        named.pop(name, None)
    if str(named.get("dataset", "")).startswith(FOLDER):
        named["dataset"] = FOLDER
    if isinstance(split := named.get("split"), Mapping):
        named["split"] = {**split, "manifest": bool(split.get("manifest"))}
    return named


def _splits(folder: Path) -> Any:
    file = folder / "splits.json"
    stored = parse_json(read_text(file, "results file", largest=LARGEST_WRITTEN), str(file))
    return {"hash": stored.get("hash")} if isinstance(stored, Mapping) else stored


def _keys(part: _Part) -> dict[str, str]:
    """The key of each planned unit, by what it is."""
    units = planned_units(part.run, str(part.folder / "experiment.json"))
    return {f"the key of {unit.owner}, {unit.place},": unit.key for unit in units}


def first_difference(before: Any, now: Any, where: str) -> tuple[str, str, str] | None:
    """Where two plain values first differ, and both values there in words; None for equal values.

    >>> first_difference({"budget": {"epochs": 8}}, {"budget": {"epochs": 9}}, "experiment")
    ('experiment: budget: epochs', '8', '9')
    """
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys((*before, *now)):
            if key not in before or key not in now:
                return (f"{where}: {key}", *(("there", "absent") if key in before else ("absent", "there")))
            if found := first_difference(before[key], now[key], f"{where}: {key}"):
                return found
        return None
    if isinstance(before, list | tuple) and isinstance(now, list | tuple) and len(before) == len(now):
        pairs = enumerate(zip(before, now, strict=True), 1)
        return next((found for place, pair in pairs if (found := first_difference(*pair, f"{where}, entry {place}"))), None)
    return None if before == now else (where, shown(before, 80), shown(now, 80))


def _held(folder: Path, unit: PlannedUnit) -> _Held:
    """What a folder has of a unit, as far as it is whole and the planned one."""
    training, measuring = training_path(folder, unit), measuring_path(folder, unit)
    trained = read_training(training, whole=True) if unit.kind == "method" and not not_a_file(training) else None
    if trained is not None and trained.key != unit.key:
        trained = None
    found = None if not_a_file(measuring) else read_measuring(measuring)
    if found is None or found[0].key != unit.key or (unit.kind == "method" and trained is None):
        return _Held(folder, unit, trained, None, 0)
    return _Held(folder, unit, trained, found[0], len(found[1]))


def _check_same_code(held: Sequence[_Held]) -> None:
    """Raise a RaterbenchError unless all units were computed by the same code and libraries; names two that were not."""
    first: tuple[_Held, Origin] | None = None
    for one in held:
        for origin in one.origins:
            if first is None:
                first = one, origin
                continue
            said = {name: o.deciding() for name, o in (("before", first[1]), ("now", origin))}
            if found := first_difference(said["before"], said["now"], "computed by"):
                field, before, now = found
                raise RaterbenchError(
                    f"{one.folder} does not belong to {first[0].folder}: {field} is {before} for {first[0].unit.owner}, "
                    f"{first[0].unit.place}, in {first[0].folder} and {now} for {one.unit.owner}, {one.unit.place}, in "
                    f"{one.folder}: {FRESH}"
                )


def _joined_declarations(parts: Sequence[_Part]) -> list[Declaration]:
    """What all folders declared, the same in each: when the first of them did, and how many units all had trained by then."""
    joined = []
    for entries in zip(*(part.declared for part in parts), strict=True):
        earliest = min(entries, key=lambda entry: entry.time)
        joined.append(replace(earliest, trained=sum(entry.trained for entry in entries)))
    return joined


def _copy_unit(held: _Held, out: Path) -> int:
    """Copy the files of a unit; the measured one last, since it is what completes the unit."""
    copied = 0
    for place, there in (
        (weights_path, held.trained is not None),
        (training_path, held.trained is not None),
        (measuring_path, held.measured is not None),
    ):
        file = place(held.folder, held.unit)
        if there and file.is_file() and not not_a_file(file):
            _copy(file, place(out, held.unit))
            copied += 1
    return copied


def _copy(file: Path, place: Path) -> None:
    if file.resolve() == place.resolve():
        return
    with replacing(place) as new:
        shutil.copyfile(file, new)
