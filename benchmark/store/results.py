"""Reading a finished (or unfinished) experiment back: its units become a few pandas tables. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...datasets.base import Preparation
from ...errors import RaterbenchError
from ...methods.fit_report import EpochPictures, RepairScore
from ...text_files import LARGEST_WRITTEN, parse_json, read_text
from ..experiment.experiment import LABELS, Experiment
from .assignment import unpack_assignment
from .completeness import Completeness, StoredUnit, read_units
from .diagnoses import COLUMNS as DIAGNOSIS_COLUMNS
from .diagnoses import LABELS_COLUMNS, FusedPicture, ModelDiagnoses, labels_table, scores_table
from .metric_facts import MetricFacts, stored_metric_facts
from .picture_cases import PictureCase, picture_cases
from .run_file import planned_units, read_run_file
from .units import (
    HALF,
    RATER,
    Calibration,
    CaseName,
    Pooled,
    RaterErrors,
    Rows,
    SingleRaters,
    ValueCounts,
    measuring_path,
    read_measuring,
    read_predictions,
    read_training,
    training_path,
)

Places = npt.NDArray[np.intp]

LONG_COLUMNS = [
    *("experiment", "dataset", "candidate", "kind", "repeat", "fold", "case", "subject", "centre", "class"),
    *("reference", "metric", "parameters", "threshold", "value"),
]
CALIBRATION_COLUMNS = [
    *("candidate", "kind", "repeat", "fold", "case", "subject", "centre"),
    *("reference", "region", "bin", "n", "correct", "confidence"),
]
VALUE_COLUMNS = ["candidate", "repeat", "fold", "case", "subject", "class", "bin", "n"]
SEARCH_COLUMNS = ["candidate", "repeat", "fold", "cases", "threshold", "dice", "chosen"]
REPAIR_COLUMNS = ["candidate", "repeat", "fold", "part", "against", "annotations", "before", "after"]
REPAIRED_COLUMNS = ["candidate", "repeat", "fold", "part", "against", "case", "subject", "before", "after"]
"""Columns of ``Results.repairs``, a row a trained model, and of ``Results.repaired``, a row an annotation of a test case."""
UNIT_COLUMNS = [
    *("candidate", "kind", "repeat", "fold", "status", "reason", "seconds", "epochs", "best_epoch", "threshold"),
    *("peak_memory_mb", "n_train", "n_validation", "n_test", "curve", "warnings", "alarms", "code", "hardware", "versions"),
]
BY_CASE = ["candidate", "repeat", "fold", "case", "rater", "observed", "true", "estimate", "truth"]


@dataclass(frozen=True, eq=False)
class Results:
    """What an experiment left behind, as tables; docs/results-format.md lists their columns."""

    folder: Path
    experiment: Experiment
    facts: dict[str, Any]
    long_table: pd.DataFrame
    calibration: pd.DataFrame
    confusions: pd.DataFrame
    units: pd.DataFrame
    pooled: pd.DataFrame
    values: pd.DataFrame
    searches: pd.DataFrame
    by_epoch: Mapping[tuple[str, int, int], EpochPictures]
    pictures: list[PictureCase]
    packed: Mapping[tuple[int, int], npt.NDArray[np.uint8]] = field(default_factory=dict)
    completeness: Completeness = field(default_factory=Completeness)
    repairs: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=REPAIR_COLUMNS))
    repaired: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=REPAIRED_COLUMNS))
    diagnoses: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=DIAGNOSIS_COLUMNS))
    diagnosed_labels: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=LABELS_COLUMNS))
    fused_pictures: Mapping[str, Sequence[FusedPicture]] = field(default_factory=dict)

    def assignment(self, repeat: int = 0, fold: int = 0) -> pd.DataFrame:
        """Who rated which training case, cases x raters, bool; the same for all candidates of a fold.

        Raises:
            RaterbenchError: no unit of this fold is done, or the splits are gone.
        """
        if (repeat, fold) not in self.packed:
            raise RaterbenchError(f"{self.folder} does not know who rated what in repeat {repeat}, fold {fold}: run it again")
        path = self.folder / "splits.json"
        try:
            folds = parse_json(read_text(path, "splits", largest=LARGEST_WRITTEN), str(path))["folds"]
            cases = next(f["train"] for f in folds if (f["repeat"], f["fold"]) == (repeat, fold))
        except (RaterbenchError, KeyError, TypeError, StopIteration) as error:
            raise RaterbenchError(f"{path} does not name the cases of repeat {repeat}, fold {fold}") from error
        return unpack_assignment(self.packed[repeat, fold], cases, self.facts["raters"])

    @cached_property
    def assignments(self) -> pd.DataFrame:
        """How many training cases each rater rated: ``repeat, fold, rater, n_train``; empty if no unit stored it."""
        counts = [(r, f, self.assignment(r, f).sum()) for r, f in self.packed]
        rows = [[r, f, rater, int(n)] for r, f, count in counts for rater, n in count.items()]
        return pd.DataFrame(rows, columns=["repeat", "fold", "rater", "n_train"])

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The rows that tables compare: labels at the searched threshold, and each metric under one name.

        A metric that was measured with several parameters is called ``name (parameters)``. Of single raters as references
        only those that the experiment names are there; ``single_raters`` has all.
        """
        table = self.long_table
        unasked = [r for r in self._single_raters if r not in self.experiment.reference_names]
        rows = table[(table["threshold"] != HALF) & ~table["reference"].isin(unasked)]
        several = rows.groupby("metric")["parameters"].nunique()
        named = rows["metric"].isin(several.index[several > 1])
        rows = rows.assign(metric=rows["metric"].where(~named, rows["metric"] + " (" + rows["parameters"] + ")"))
        return rows.drop(columns=["parameters", "threshold"]).reset_index(drop=True)

    @cached_property
    def single_raters(self) -> pd.DataFrame:
        """The primary metric against each single rater, columns as in ``rows``, with the name of that rater as ``rater``.

        Empty where no single rater was measured against: the metric needs none, or the results are older than that.
        """
        table = self.long_table
        primary = table["metric"] == self.experiment.statistics.primary_metric
        rows = table[primary & table["reference"].isin(self._single_raters) & (table["threshold"] != HALF)]
        rows = rows.assign(rater=rows["reference"].str.removeprefix(RATER))
        return rows.drop(columns=["parameters", "threshold"]).reset_index(drop=True)

    @property
    def _single_raters(self) -> list[str]:
        return [str(name) for name in pd.unique(self.long_table["reference"]) if str(name).startswith(RATER)]

    def case_confusions(self, candidate: str) -> pd.DataFrame:
        """Each rater's matrix on every test image: ``candidate repeat fold case rater observed true estimate truth``.

        Read from the units when asked for; empty for candidates that estimate no rater.
        """
        classes, frames = self.facts["classes"], []
        for entry in self.completeness.having("done"):
            if entry.unit.kind == "method" and entry.unit.name == candidate:
                stored = read_measuring(measuring_path(self.folder, entry.unit), ["raters"])
                found = stored[1].get("raters") if stored is not None else None
                if stored is not None and isinstance(found, RaterErrors) and found.by_case is not None:
                    cases = [case.case for case in stored[0].cases]
                    names = ["case", "rater", "observed", "true"]
                    index = pd.MultiIndex.from_product([cases, found.raters, classes, classes], names=names)
                    flat = np.moveaxis(found.by_case, 2, -1).reshape(-1, 2)
                    frame = pd.DataFrame(flat, index=index, columns=["estimate", "truth"]).dropna(subset="estimate")
                    unit = entry.unit
                    frames.append(frame.reset_index().assign(candidate=unit.name, repeat=unit.repeat, fold=unit.fold))
        return pd.concat(frames, ignore_index=True)[BY_CASE] if frames else pd.DataFrame(columns=BY_CASE)

    def predictions(self, candidate: str, repeat: int = 0, fold: int = 0) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
        """The stored predictions of a candidate's test cases on one fold: (case, probability [K, *S]), one by one.

        Raises:
            RaterbenchError: this unit is not done.
        """
        units = [e.unit for e in self.completeness.having("done") if e.unit.kind == "method" and e.unit.name == candidate]
        unit = next((u for u in units if (u.repeat, u.fold) == (repeat, fold)), None)
        path = None if unit is None else training_path(self.folder, unit)
        trained = None if path is None else read_training(path)
        if path is None or trained is None:
            raise RaterbenchError(f"{self.folder} has no finished unit of {candidate!r} in repeat {repeat}, fold {fold}")
        preparation = Preparation(**self.facts["preparation"])
        for stored in read_predictions(path, trained.predicted):
            yield stored.case, stored.probability(preparation)

    @property
    def primary_reference(self) -> str:
        """The declared reference, with ``auto`` resolved: the truth where it is known, else the single raters."""
        declared = self.experiment.primary_reference
        if declared != "auto":
            return declared
        return "truth" if "truth" in pd.unique(self.rows["reference"]) else "raters"

    def metric(self, name: str) -> MetricFacts | None:
        """What is known of a metric; None for a name that is none of the experiment's or the package's metrics."""
        return stored_metric_facts(self.facts, name, self.experiment)

    @property
    def candidates(self) -> list[str]:
        """Candidates that have results, in the experiment's order."""
        have = set(pd.unique(self.rows.loc[self.rows["kind"] == "method", "candidate"]))
        return [c.name for c in self.experiment.candidates if c.name in have]


def read_results(folder: str | Path) -> Results:
    """Read every unit of an experiment's folder that was planned and is whole; ``completeness`` says what is not.

    What the folder holds is data: no code that it names is run.

    Raises:
        RaterbenchError: the folder holds no experiment, or no finished unit.
    """
    folder = Path(folder)
    stored = read_run_file(folder)
    where = str(folder / "experiment.json")
    try:
        experiment = Experiment.from_json(stored["experiment"], where=where)
    except RaterbenchError as error:
        mend = "if another version of raterbench wrote it, run the experiment again with this one"
        raise RaterbenchError(f"{error}; {mend}") from error
    parts = {kind: stored["parts"].get(kind, ()) for kind in ("method", "raters", "fusion")}
    found, completeness = read_units(folder, planned_units(stored, where), parts)
    places = {candidate.name: place for place, candidate in enumerate(experiment.candidates)}
    by_candidate = sorted(found, key=lambda s: (places.get(s.unit.name, len(places)), s.unit.repeat, s.unit.fold))
    ended = {id(entry.unit) for entry in completeness.having("done")}
    done = [s for s in by_candidate if id(s.unit) in ended]
    if not done:
        reasons = " ".join([*completeness.notices(), *completeness.skipped()])
        raise RaterbenchError(f"{folder} has no finished unit to report on. {reasons}")
    diagnosed = _diagnosed(done)
    return Results(
        folder=folder,
        experiment=experiment,
        facts=stored["facts"],
        long_table=_long_table(experiment, done),
        calibration=_calibration(done),
        confusions=_confusions(done, stored["facts"]["classes"]),
        units=_units(by_candidate, completeness, places),
        pooled=_pooled(done),
        values=_values(done),
        searches=_searches(done),
        by_epoch={
            (s.unit.name, s.unit.repeat, s.unit.fold): s.trained.report.by_epoch
            for s in done
            if s.trained is not None and s.trained.report.by_epoch is not None
        },
        pictures=picture_cases(done),
        packed={
            (s.unit.repeat, s.unit.fold): s.trained.assignment
            for s in done
            if s.trained is not None and s.trained.assignment is not None
        },
        completeness=completeness,
        repairs=_repairs(done),
        repaired=_repaired(done),
        diagnoses=scores_table(diagnosed),
        diagnosed_labels=labels_table(diagnosed),
        fused_pictures={
            model.candidate: model.diagnoses.pictures
            for model in diagnosed
            if model.diagnoses.pictures and (model.repeat, model.fold) == (0, 0)
        },
    )


def _repairs(units: Sequence[StoredUnit]) -> pd.DataFrame:
    """The Dice of annotations before and after a method repaired them, all voxels together, a row for each reference."""
    rows = [
        [*_model(s), score.part, score.against, len(score.before), score.pooled_before, score.pooled_after]
        for s, score in _repair_scores(units)
    ]
    return pd.DataFrame(rows, columns=REPAIR_COLUMNS)


def _repaired(units: Sequence[StoredUnit]) -> pd.DataFrame:
    """The same for each annotation of a test case."""
    rows = []
    for s, score in _repair_scores(units):
        subjects = _subjects(s)
        if score.part == "test":
            rows += [
                [*_model(s), score.part, score.against, case, subjects.get(case, ""), before, after]
                for case, before, after in zip(score.cases, score.before, score.after, strict=True)
            ]
    return pd.DataFrame(rows, columns=REPAIRED_COLUMNS)


def _repair_scores(units: Sequence[StoredUnit]) -> list[tuple[StoredUnit, RepairScore]]:
    repairs = [(s, s.trained.report.repair) for s in units if s.trained is not None]
    return [(s, score) for s, repair in repairs if repair is not None for score in repair.scores]


def _diagnosed(units: Sequence[StoredUnit]) -> list[ModelDiagnoses]:
    return [
        ModelDiagnoses(s.unit.name, s.unit.repeat, s.unit.fold, _subjects(s), s.trained.diagnoses)
        for s in units
        if s.trained is not None and s.trained.diagnoses is not None
    ]


def _subjects(stored: StoredUnit) -> dict[str, str]:
    """The subject of each test case."""
    return {named.case: named.subject for named in stored.measured.cases} if stored.measured is not None else {}


def _model(stored: StoredUnit) -> list[Any]:
    return [stored.unit.name, stored.unit.repeat, stored.unit.fold]


class _Names:
    """The names of a column as numbers, in the order in which they are met: a long column is made from the few that differ."""

    def __init__(self) -> None:
        self.known: dict[Any, int] = {}

    def numbers(self, names: Iterable[Any]) -> Places:
        return np.array([self.known.setdefault(name, len(self.known)) for name in names], np.intp)


def _column(names: Iterable[str], places: Places) -> pd.api.extensions.ExtensionArray:
    """The name at each place."""
    return pd.Series(np.array([*names], object)).array.take(places)


def _case_columns(cases: Iterable[CaseName], places: Places) -> dict[str, pd.api.extensions.ExtensionArray]:
    """The names of the case at each place, of its subject and of its centre."""
    known = list(cases)
    return {name: _column([getattr(case, name) for case in known], places) for name in ("case", "subject", "centre")}


def _part_columns(columns: Sequence[str], parts: Sequence[Sequence[Any]], sizes: Sequence[int]) -> dict[str, Any]:
    """What all rows of a part share, given once for each part, as columns; ``sizes`` are the numbers of rows."""
    part = np.repeat(np.arange(len(sizes)), sizes)
    return {str(name): column.array.take(part) for name, column in pd.DataFrame(parts, columns=[*columns]).items()}


def _long_table(experiment: Experiment, units: Sequence[StoredUnit]) -> pd.DataFrame:
    """One row for each unit, name, case, class, metric, reference and threshold that was measured."""
    names, cases, classes, thresholds, references = (_Names() for _ in range(5))
    none = np.empty(0, np.intp)
    shared, found = [], [_Entries(none, none, none, none, none, np.empty(0))]
    for stored in units:
        assert stored.measured is not None
        own_cases = cases.numbers(stored.measured.cases)
        own = names.numbers([stored.unit.name] if stored.unit.kind != "raters" else stored.measured.names)
        kind = {"method": "method", "raters": "rater", "fusion": "fusion"}[stored.unit.kind]
        for part in stored.parts.values():
            if isinstance(part, Rows | SingleRaters) and part.values.size:
                name, case, class_, threshold, reference, value = _entries(part, experiment.reference_names)
                against = [part.reference] if isinstance(part, Rows) else [RATER + rater for rater in part.raters]
                class_, threshold = classes.numbers(part.classes)[class_], thresholds.numbers(part.thresholds)[threshold]
                reference = references.numbers(against)[reference]
                found.append(_Entries(own[name], own_cases[case], class_, threshold, reference, value))
                shared.append([kind, stored.unit.repeat, stored.unit.fold, part.metric, part.parameters])
    all_ = _Entries(*map(np.concatenate, zip(*found, strict=True)))
    columns = _part_columns(["kind", "repeat", "fold", "metric", "parameters"], shared, [len(part.value) for part in found[1:]])
    columns |= {"candidate": _column(names.known, all_.name), **_case_columns(cases.known, all_.case)}
    columns |= {"class": _column(classes.known, all_.class_), "threshold": _column(thresholds.known, all_.threshold)}
    columns |= {"reference": _column(references.known, all_.reference), "value": all_.value}
    rows = pd.DataFrame(columns).astype({"repeat": int, "fold": int})
    rows["experiment"], rows["dataset"] = experiment.name, experiment.dataset
    return rows[LONG_COLUMNS]


class _Entries(NamedTuple):
    """The measured values of a part, each with the places of its name, case, class, threshold and reference."""

    name: Places
    case: Places
    class_: Places
    threshold: Places
    reference: Places
    value: npt.NDArray[np.float64]


def _entries(part: Rows | SingleRaters, references: Sequence[str]) -> _Entries:
    if isinstance(part, Rows):
        measured = np.broadcast_to(part.measured[..., None, None], part.values.shape)
        name, case, class_, threshold = np.nonzero(measured)
        return _Entries(name, case, class_, threshold, np.zeros_like(name), part.values[measured])
    # A rater whom the experiment names as a reference has rows of every metric, this one included.
    new = np.array([RATER + rater not in references for rater in part.raters], bool)[part.places[:, 2]]
    values = part.values[new]
    entry, class_, threshold = (place.ravel() for place in np.indices(values.shape))
    name, case, rater = part.places[new][entry].T
    return _Entries(name, case, class_, threshold, rater, values.ravel())


def _calibration(units: Sequence[StoredUnit]) -> pd.DataFrame:
    cases, regions, shared = _Names(), _Names(), []
    found: list[tuple[Places, Places, Places, npt.NDArray[np.int64]]] = []
    for stored in units:
        assert stored.measured is not None
        own_cases = cases.numbers(stored.measured.cases)
        for part in stored.parts.values():
            if isinstance(part, Calibration):
                case, region, number = place = np.nonzero(part.counts[..., 0] > 0)
                found.append((own_cases[case], regions.numbers(part.regions)[region], number, part.counts[place]))
                shared.append([stored.unit.name, "method", stored.unit.repeat, stored.unit.fold, part.reference])
    if not found:
        return pd.DataFrame(columns=CALIBRATION_COLUMNS)
    case, region, number, counts = map(np.concatenate, zip(*found, strict=True))
    names = ["candidate", "kind", "repeat", "fold", "reference"]
    columns = _part_columns(names, shared, [len(part[-1]) for part in found]) | _case_columns(cases.known, case)
    columns |= {"region": _column(regions.known, region), "bin": number}
    return pd.DataFrame(columns | dict(zip(("n", "correct", "confidence"), counts.T, strict=True)))[CALIBRATION_COLUMNS]


def _pooled(units: Sequence[StoredUnit]) -> pd.DataFrame:
    """Metrics of all cases of a fold together, a row for each unit and reference."""
    rows = [
        [u.unit.name, u.unit.repeat, u.unit.fold, part.reference, part.metric, part.parameters, float(part.value)]
        for u in units
        for part in u.parts.values()
        if isinstance(part, Pooled) and part.value.ndim == 0
    ]
    return pd.DataFrame(rows, columns=["candidate", "repeat", "fold", "reference", "metric", "parameters", "value"])


def _values(units: Sequence[StoredUnit]) -> pd.DataFrame:
    """How many voxels have which predicted probability, a row for each case, class and bin that has some."""
    cases, classes, shared = _Names(), _Names(), []
    found: list[tuple[Places, Places, Places, npt.NDArray[np.int64]]] = []
    for stored in units:
        assert stored.measured is not None
        own_cases = cases.numbers(stored.measured.cases)
        for part in stored.parts.values():
            if isinstance(part, ValueCounts):
                case, class_, number = place = np.nonzero(part.counts)
                found.append((own_cases[case], classes.numbers(part.classes)[class_], number, part.counts[place]))
                shared.append([stored.unit.name, stored.unit.repeat, stored.unit.fold])
    if not found:
        return pd.DataFrame(columns=VALUE_COLUMNS)
    case, class_, number, n = map(np.concatenate, zip(*found, strict=True))
    columns = _part_columns(["candidate", "repeat", "fold"], shared, [len(part[-1]) for part in found])
    columns |= _case_columns(cases.known, case) | {"class": _column(classes.known, class_), "bin": number, "n": n}
    return pd.DataFrame(columns)[VALUE_COLUMNS]


def _searches(units: Sequence[StoredUnit]) -> pd.DataFrame:
    """The search for the threshold of each training, a row for each threshold that was tried."""
    rows = []
    for stored in units:
        search = stored.trained.threshold if stored.trained is not None else None
        if search is not None and search.dice:
            head = [stored.unit.name, stored.unit.repeat, stored.unit.fold, search.cases]
            rows += [[*head, *pair, search.chosen] for pair in zip(search.thresholds, search.dice, strict=True)]
    return pd.DataFrame(rows, columns=SEARCH_COLUMNS)


def _confusions(units: Sequence[StoredUnit], classes: Sequence[str]) -> pd.DataFrame:
    columns = ["candidate", "repeat", "fold", "rater", "observed", "true", "estimate", "truth", "reference"]
    rows = []
    for stored in units:
        name = stored.unit.name if stored.unit.kind == "method" else f"{stored.unit.name} (fusion)"
        for part in stored.parts.values():
            if isinstance(part, RaterErrors):
                for r, rater in enumerate(part.raters):
                    for i, observed in enumerate(classes):
                        for j, true in enumerate(classes):
                            pair = [float(part.estimate[r, i, j]), float(part.truth[r, i, j])]
                            place = [name, stored.unit.repeat, stored.unit.fold, rater, observed, true]
                            rows.append([*place, *pair, part.references[r]])
    return pd.DataFrame(rows, columns=columns)


def _units(units: Sequence[StoredUnit], completeness: Completeness, places: Mapping[str, int]) -> pd.DataFrame:
    """A row for each planned unit of a candidate, missing ones included, and one for the raters and fusions of each fold."""
    states = {id(entry.unit): entry for entry in completeness.units}
    stored = {id(entry.unit): entry for entry in units}
    rows = []
    for entry in completeness.units:
        unit, found = entry.unit, stored.get(id(entry.unit))
        trained = found.trained if found is not None else None
        row: dict[str, Any] = dict.fromkeys(UNIT_COLUMNS)
        row |= {
            "candidate": unit.name if unit.kind == "method" else LABELS,
            "kind": "method" if unit.kind == "method" else LABELS,
            "repeat": unit.repeat,
            "fold": unit.fold,
            "status": states[id(unit)].state,
            "reason": states[id(unit)].reason,
        }
        if found is not None and (head := trained or found.measured) is not None:
            origin = head.origin
            row |= {
                "seconds": origin.seconds or None,
                "peak_memory_mb": origin.peak_memory_mb or None,
                "code": origin.code or None,
                "hardware": origin.hardware or None,
                "versions": ", ".join(f"{name} {number}" for name, number in origin.versions.items()) or None,
            }
        if trained is not None and trained.status == "done":
            report = trained.report
            row |= {
                "epochs": len(report.curve) or None,
                "best_epoch": report.best_epoch if report.curve else None,
                "curve": [list(point) for point in report.curve] or None,
                "warnings": [*report.warnings, *(a for a in report.alarms if a not in report.warnings)],
                "alarms": report.alarms,
                "threshold": None if trained.threshold is None else trained.threshold.chosen,
                **{name: getattr(trained, name) for name in ("n_train", "n_validation", "n_test")},
            }
        rows.append(row)
    rows.sort(key=lambda row: (places.get(row["candidate"], len(places)), row["repeat"], row["fold"]))
    return pd.DataFrame(rows, columns=UNIT_COLUMNS)
