"""What has to run: the units of an experiment with their keys, and what is there already."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ...datasets.base import Dataset
from ...errors import RaterbenchError, nearest
from ...plugin_errors import calling
from ..experiment.experiment import LABELS, Experiment, check_units
from ..experiment.factory import (
    build_fusions,
    build_method,
    build_metrics,
    check_identity,
    class_identity,
    fusions_by_unit,
    identity,
    load_plugins,
    planned_method,
    plugins_hash,
)
from ..experiment.settings import canonical
from ..experiment.splits import Fold, make_folds, manifest
from ..measuring.measure import makes_sense, measures_lengths
from ..measuring.pictures import choose_pictures
from ..measuring.references import RATER, REFERENCE_NAMES, is_reference
from ..store.completeness import PlannedUnit, not_a_file
from ..store.metric_facts import metric_facts
from ..store.results_folder import check_results_folder, check_same_data
from ..store.units import SCHEMA, Record, read_header, read_record, read_run_file, unit_path
from .first_look import look_at_cases, sizes, tolerance_warnings
from .provenance import differences
from .unit import Task, open_dataset


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that is known before anything runs. ``skipped`` maps a candidate's name to the reason."""

    experiment: Experiment
    dataset: Dataset
    folder: Path
    tasks: list[Task]
    skipped: dict[str, str]
    manifest: dict[str, Any]
    facts: dict[str, Any]

    def stored(self, task: Task, *, whole: bool = False) -> Record | None:
        """The unit stored under the task's key: its header, or if ``whole`` all of it, every byte checked.

        Raises:
            RaterbenchError: a folder, which no unit can replace, lies where the unit belongs.
            PermissionError: the file must not be read.
        """
        path = self.path(task)
        if not_a_file(path):
            if path.is_dir() and not path.is_symlink():
                raise RaterbenchError(f"{path} is a folder, where the file of a unit belongs: move it elsewhere")
            return None  # Never opened; the unit takes its place.
        found = read_record(path) if whole else read_header(path)
        return found if found is not None and found.key == task.key else None

    def path(self, task: Task) -> Path:
        """Where the task's unit lies."""
        return unit_path(self.folder, task.name, task.fold.repeat, task.fold.fold, task.key)

    def missing(self, *, retry_failed: bool = False) -> list[Task]:
        """Tasks to run: without a whole unit under their key, and of candidates that can run."""
        again = {"skipped", "failed"} if retry_failed else {"skipped"}
        stored = ((task, self.stored(task, whole=True)) for task in self.runnable())
        return [task for task, unit in stored if unit is None or unit.status in again]

    def damaged(self, tasks: Sequence[Task]) -> list[Task]:
        """Those of the tasks whose file is there and holds no whole unit of theirs."""
        return [t for t in tasks if os.path.lexists(self.path(t)) and self.stored(t, whole=True) is None]

    def listed(self) -> list[dict[str, Any]]:
        """The units as ``experiment.json`` lists them, so that whoever reads the results knows what is missing."""
        units = (PlannedUnit(t.key, t.name, t.kind, t.fold.repeat, t.fold.fold) for t in self.tasks)
        return [asdict(unit) for unit in units]

    def runnable(self) -> list[Task]:
        """All tasks but those of skipped candidates."""
        return [task for task in self.tasks if task.name not in self.skipped]

    def skipped_records(self) -> list[Record]:
        """A record for each unit of a candidate that cannot run on this data set, unless it is stored as such."""
        stored = ((task, self.stored(task)) for task in self.tasks if task.name in self.skipped)
        new = [task for task, unit in stored if unit is None or unit.reason != self.skipped[task.name]]
        return [task.record("skipped", reason=self.skipped[task.name]) for task in new]

    def outdated(self) -> list[tuple[Task, list[str]]]:
        """Units that were computed by other code or libraries, or on another machine, and how these differ from the present."""
        stored = ((task, self.stored(task)) for task in self.runnable())
        found = ((task, differences(unit.meta)) for task, unit in stored if unit is not None)
        return [(task, differ) for task, differ in found if differ]


def make_plan(experiment: Experiment, folder: Path, *, data: str | None = None, device: str = "cpu") -> Plan:
    """Build what the experiment names, open the data set, split it, and list all units.

    Raises:
        RaterbenchError: the experiment does not fit the data set, or names something unknown; or the folder holds other
            results, or something else that would be overwritten.
    """
    # What is quick to find wrong comes first: opening a data set may mean to read all its files.
    check_results_folder(folder, experiment)
    load_plugins(experiment.plugins)
    methods = [build_method(c, experiment) for c in experiment.candidates]
    fusions = build_fusions(experiment)
    metrics = build_metrics(experiment)
    dataset = open_dataset(experiment, data)
    check_same_data(folder, experiment, dataset.fingerprint())
    check_identity(fusions, dataset)
    check_references(experiment, dataset)
    planned = [planned_method(c, method, dataset) for c, method in zip(experiment.candidates, methods, strict=True)]
    skipped = {c.name: p.skip_reason for c, p in zip(experiment.candidates, planned, strict=True) if p.skip_reason}
    folds = make_folds(dataset, experiment.split, experiment.seed)
    check_units(len(folds) * len(methods), experiment.split)
    listed = manifest(dataset, folds)
    fingerprint = dataset.fingerprint()
    pictures, found = _first_look(experiment, dataset, folds, folder, [fingerprint, listed["hash"]])
    common = {
        "schema": SCHEMA,
        "dataset": [dataset.name, fingerprint, class_identity(type(dataset)), experiment.dataset_options],
        "preparation": identity(vars(dataset.preparation)),
        "metrics": [[metric.name, identity(metric)] for metric in metrics],
        "measure": [experiment.references, sorted(pictures)],
        "seed": experiment.seed,
        "device": torch.device(device).type,
    }
    names, plugins = dataset.index["case"].tolist(), plugins_hash(experiment.plugins)
    tasks = []
    for fold in folds:
        parts = [[names[i] for i in part] for part in (fold.train, fold.validation, fold.test)]
        here = {**common, "fold": [fold.repeat, fold.fold, parts]}
        for order, (candidate, method) in enumerate(zip(experiment.candidates, planned, strict=True)):
            # The name is in the rows of a unit, so two candidates that differ in nothing else are two units all the same.
            key = _key({**here, "name": candidate.name, "candidate": method.identity})
            tasks.append(Task(key, order, candidate, experiment, fold, data, device, pictures, plugins))
        if fold.repeat == 0:
            for fusion, rows in fusions_by_unit(fusions).items():
                key = _key({**here, "name": LABELS, "fusions": identity(rows)} | ({"fusion": fusion} if fusion else {}))
                tasks.append(Task(key, len(methods), None, experiment, fold, data, device, pictures, plugins, fusion))
    facts = (
        _facts(experiment, dataset, listed, pictures) | _design(dataset, folds) | {"sizes": found, "fingerprint": fingerprint}
    )
    facts["warnings"] = tolerance_warnings(experiment, facts)
    facts["oracles"] = [c.name for c, method in zip(experiment.candidates, planned, strict=True) if "truth" in method.needs]
    return Plan(experiment, dataset, folder, tasks, skipped, listed, facts)


def check_references(experiment: Experiment, dataset: Dataset) -> None:
    """Whether what was declared can be measured on this data set: a run of hours must not end without its main result.

    Raises:
        RaterbenchError: a reference is unknown, or the primary metric cannot be measured against the primary reference.
    """
    for name in experiment.references:
        if not is_reference(name):
            raise RaterbenchError(f"there is no reference called {name!r}{nearest(name, REFERENCE_NAMES)}")
        if name.startswith(RATER) and name.removeprefix(RATER) not in dataset.raters:
            raise RaterbenchError(f"references: {name!r} is no rater of {dataset.name!r}{nearest(name[6:], dataset.raters)}")
    declared, truth = experiment.statistics, dataset[0].truth is not None
    primary = declared.primary_reference
    if primary == "auto":
        primary = "truth" if truth and "truth" in experiment.references else "raters"
    if primary not in experiment.references:
        raise RaterbenchError(f"the primary reference {primary!r} is not among the references: add it to them")
    if primary == "truth" and not truth:
        raise RaterbenchError(f"the primary reference is the truth, which nobody knows of {dataset.name!r}: use 'raters'")
    metric = next(m for m in build_metrics(experiment) if m.name == declared.primary_metric)
    if not makes_sense(metric, primary):
        raise RaterbenchError(
            f"the primary metric {metric.name!r} cannot be measured against the primary reference {primary!r}"
        )


def _key(values: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(values).encode()).hexdigest()[:24]


def _first_look(
    experiment: Experiment, dataset: Dataset, folds: Sequence[Fold], folder: Path, hashes: list[str]
) -> tuple[dict[str, str], dict[str, Any]]:
    """The kept cases and the sizes of what is there: as an earlier run of the same plan found them, else seen anew."""
    metrics = build_metrics(experiment)
    known = [*hashes, experiment.keep_cases, sorted(m.name for m in metrics if measures_lengths(m))]
    try:
        facts = read_run_file(folder)["facts"]
        if [facts[key] for key in ("fingerprint", "split_hash", "keep_cases", "lengths")] == known:
            return dict(facts["pictures"]), dict(facts["sizes"])
    except (RaterbenchError, KeyError):
        pass  # No earlier run, or one of another version.
    with calling(type(dataset), f"data set {dataset.name!r}"):
        looks = look_at_cases(dataset, sorted({i for fold in folds if fold.repeat == 0 for i in fold.test}), metrics)
    pictures = choose_pictures({look.case: look.agreement for look in looks}, experiment.keep_cases)
    return pictures, sizes(looks, dataset.classes)


def _design(dataset: Dataset, folds: Sequence[Fold]) -> dict[str, Any]:
    """What the folds really are, whoever made them: ranges are sorted and hold the smallest and largest number."""
    subjects = dataset.index["subject"].to_numpy()
    by_repeat = [[fold for fold in folds if fold.repeat == repeat] for repeat in sorted({fold.repeat for fold in folds})]
    n_tested = {sum(len(fold.test) for fold in mine) for mine in by_repeat}
    sizes = [(len(set(subjects[list(f.train)])), len(set(subjects[list(f.validation)]))) for f in folds]
    shares = {round(validation / (train + validation), 4) for train, validation in sizes}
    return {
        "n_repeats": len(by_repeat),
        "n_folds": sorted({len(mine) for mine in by_repeat}),
        "n_tested": sorted(n_tested),
        "validation_share": sorted({min(shares), max(shares)}),
    }


def _facts(experiment: Experiment, dataset: Dataset, listed: dict[str, Any], pictures: dict[str, str]) -> dict[str, Any]:
    """What the report says about the data without opening them."""
    first = dataset[0]
    return {
        "dataset": dataset.name,
        "title": dataset.card.title,
        "citation": dataset.card.citation,
        "licence": dataset.card.licence,
        "source": dataset.card.source,
        "n_cases": len(dataset),
        "n_subjects": int(dataset.index["subject"].nunique()),
        "n_centres": int(dataset.index["centre"].nunique()),
        "classes": list(dataset.classes),
        "raters": list(dataset.raters),
        "ratings_per_case": float(dataset.index["raters"].map(len).mean()),
        "truth_known": first.truth is not None,
        "anonymous_raters": dataset.anonymous_raters,
        "case_shape": list(first.shape),
        "unit": dataset.unit,
        "split_hash": listed["hash"],
        "keep_cases": experiment.keep_cases,
        "lengths": sorted(metric.name for metric in build_metrics(experiment) if measures_lengths(metric)),
        "pictures": pictures,
        "metrics": metric_facts(build_metrics(experiment), dataset.unit, first.image.ndim - 1),
        "questions": list(dataset.questions),
    }
