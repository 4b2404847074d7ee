"""Made-up units as a run would have left them, from the rows that tests think in."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from raterbench.benchmark.store.run_file import write_json
from raterbench.benchmark.store.units import (
    SCHEMA,
    Calibration,
    CaseName,
    MeasuringUnit,
    Origin,
    Pictures,
    PlannedUnit,
    PredictedPictures,
    RaterErrors,
    Rows,
    SingleRaters,
    Status,
    TrainingUnit,
    ValueCounts,
    measuring_path,
    stem,
    training_path,
    write_measuring,
    write_training,
)

MADE = Origin(2.0, versions={"python": "3.11.4"}, hardware="x86_64, Linux", code="abc")
"""Where the numbers of made-up units come from."""


@dataclass
class MadeUnit:
    """A unit: its rows (name, case, subject, centre, class, reference, metric, value), and what else it has."""

    name: str
    kind: str = "method"
    repeat: int = 0
    fold: int = 0
    status: str = "done"
    reason: str = ""
    rows: Sequence[Sequence[Any]] = ()
    parts: Mapping[str, object] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    origin: Origin = MADE
    key: str = ""

    @property
    def planned(self) -> PlannedUnit:
        text = self.key or f"{self.kind}-{self.name}-{self.repeat}-{self.fold}"
        key = hashlib.sha256(text.encode()).hexdigest()[:24]
        file = stem(self.name if self.kind == "method" else f"{self.kind} {self.name}", self.repeat, self.fold, key)
        return PlannedUnit(key, self.name, self.kind, self.repeat, self.fold, file)

    def found(self) -> tuple[list[tuple[str, str, str]], list[str], dict[str, object]]:
        """The cases, the names and the parts of the measuring unit."""
        cases = list(dict.fromkeys(tuple(row[1:4]) for row in self.rows))
        names = list(dict.fromkeys(row[0] for row in self.rows)) if self.kind == "raters" else [self.name]
        return cases, names, {**row_parts(self.rows, names, cases), **self.parts}

    def write(self, folder: Path, empty: Mapping[str, object] = MappingProxyType({})) -> None:
        """Write what the unit would have left; ``empty`` has parts of other units, which it has without contents."""
        planned = self.planned
        if self.kind == "method":
            trained = TrainingUnit(SCHEMA, planned.key, self.status, self.reason, origin=self.origin, **self.training)
            write_training(training_path(folder, planned), trained, (), {})
        if self.status == "done":
            cases, names, parts = self.found()
            head = MeasuringUnit(SCHEMA, planned.key, tuple(CaseName(*c) for c in cases), tuple(names), origin=self.origin)
            blank = {name: empty_part(part, len(names), len(cases)) for name, part in empty.items() if name not in parts}
            write_measuring(measuring_path(folder, planned), head, {**parts, **blank})


def write_trained(folder: Path, unit: PlannedUnit, status: Status = "done", **fields: Any) -> None:
    """Write a training unit of a plan, without predictions; ``fields`` are those of ``TrainingUnit``."""
    trained = TrainingUnit(SCHEMA, unit.key, status, **{"reason": "" if status == "done" else "a reason", **fields})
    write_training(training_path(folder, unit), trained, (), {})


def write_measured(
    folder: Path,
    unit: PlannedUnit,
    parts: Sequence[str],
    *,
    failed: Mapping[str, str] = MappingProxyType({}),
    origin: Origin = Origin(),  # noqa: B008
) -> None:
    """Write a measuring unit of a plan, in whose ``parts`` nothing was measured."""
    empty: dict[str, object] = {
        "rows": Rows("dice", "", "truth", (), ("",), np.zeros((1, 0, 0, 1)), np.zeros((1, 0), bool)),
        "single": SingleRaters("dice", "", (), (), ("",), np.zeros((0, 3), np.int32), np.zeros((0, 0, 1))),
        "calibration": Calibration("truth", ("image", "foreground"), np.zeros((0, 2, 11, 3), np.int64)),
        "values": ValueCounts((), np.zeros((0, 0, 22), np.int64)),
        "raters": RaterErrors((), (), np.zeros((0, 2, 2)), np.zeros((0, 2, 2))),
        "pictures": Pictures(()),
        "predicted": PredictedPictures(()),
    }
    head = MeasuringUnit(SCHEMA, unit.key, (), (unit.name,), dict(failed), origin)
    write_measuring(measuring_path(folder, unit), head, {name: empty[name.partition("/")[0]] for name in parts})


def stored_beside_head(path: Path) -> dict[str, Any]:
    """What the file of a unit holds but for its head, which says when and where it was computed."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    parts = json.loads(members.pop("contents.json"))["parts"]
    members.pop("unit.json", None)
    return members | {name: part for name, part in parts.items() if name != "unit"}


def row_parts(rows: Sequence[Sequence[Any]], names: Sequence[str], cases: Sequence[Any]) -> dict[str, Rows]:
    """Rows as the parts of a measuring unit."""
    groups: dict[tuple[str, str], list[Sequence[Any]]] = {}
    for row in rows:
        groups.setdefault((row[6], row[5]), []).append(row)
    parts = {}
    for (metric, reference), mine in groups.items():
        classes = tuple(dict.fromkeys(row[4] for row in mine))
        values = np.full((len(names), len(cases), len(classes), 1), np.nan)
        measured = np.zeros((len(names), len(cases)), bool)
        for name, *case, head, _, _, value in mine if names else ():
            place = names.index(name), cases.index(tuple(case))
            values[(*place, classes.index(head), 0)] = np.nan if value is None else value
            measured[place] = True
        parts[f"rows/{metric}/{reference}"] = Rows(metric, "", reference, classes, ("",), values, measured)
    return parts


def empty_part(part: object, names: int, cases: int) -> object:
    """A part of the same kind, of so many names and cases, in which nothing was measured."""
    if isinstance(part, Rows):
        shape = (names, cases, *part.values.shape[2:])
        return replace(part, values=np.full(shape, np.nan), measured=np.zeros((names, cases), bool))
    if isinstance(part, SingleRaters):
        return replace(part, places=part.places[:0], values=part.values[:0])
    if isinstance(part, Calibration | ValueCounts):
        return replace(part, counts=np.zeros((cases, *part.counts.shape[1:]), np.int64))
    if isinstance(part, RaterErrors):
        return RaterErrors((), (), part.estimate[:0], part.truth[:0])
    return replace(part, pictures=())


def made_facts(units: Sequence[MadeUnit]) -> dict[str, Any]:
    """All that a run writes about its data and folds, for tests that care about a few of them."""
    methods = [unit for unit in units if unit.kind == "method"]
    repeats = {unit.repeat for unit in methods}
    return {
        **{"dataset": "made", "title": "", "citation": "", "licence": "", "source": "", "unit": "mm", "case_shape": [40, 48]},
        **{"n_cases": 0, "n_subjects": 0, "n_centres": 1, "classes": [], "raters": [], "ratings_per_case": 1.0},
        **{"truth_known": False, "anonymous_raters": False, "preparation": {}, "keep_cases": 0, "lengths": [], "pictures": {}},
        **{"metrics": {}, "questions": [], "warnings": [], "oracles": [], "sizes": {}, "fingerprint": "", "split_hash": ""},
        "n_repeats": len(repeats),
        "n_folds": sorted({len({unit.fold for unit in methods if unit.repeat == repeat}) for repeat in repeats}),
        "n_tested": [0],
        "validation_share": [0.2],
    }


def write_run(folder: Path, experiment: Any, facts: Mapping[str, Any], units: Sequence[MadeUnit]) -> None:
    """Write ``experiment.json`` (``facts`` over those of ``made_facts``) and all units, which have all parts of their kind."""
    empty: dict[str, dict[str, object]] = {kind: {} for kind in ("method", "raters", "fusion")}
    for unit in units:
        if unit.status == "done":
            empty[unit.kind] |= unit.found()[2]
    planned = [vars(unit.planned) for unit in units]
    parts = {kind: sorted(names) for kind, names in empty.items()}
    stored = {"experiment": experiment.to_json(), "facts": {**made_facts(units), **facts}, "units": planned, "parts": parts}
    write_json(folder / "experiment.json", stored)
    for unit in units:
        unit.write(folder, empty[unit.kind])
