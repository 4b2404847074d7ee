"""What has to run: the units of an experiment with their keys, and what is there already."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ...datasets.base import OF_VOLUMES, Dataset, Preparation
from ...errors import RaterbenchError, nearest
from ...methods.base import Fusion
from ...methods.learning.volumes.choice import chosen_preparation
from ...plugin_errors import calling
from ..experiment.experiment import Experiment, check_units
from ..experiment.factory import (
    PlannedMethod,
    build_fusions,
    build_method,
    build_metrics,
    build_references,
    class_identity,
    identity,
    load_plugins,
    planned_method,
    plugins_hash,
)
from ..experiment.references import single_raters
from ..experiment.settings import canonical
from ..experiment.skipping import check_identity
from ..experiment.splits import Fold, make_folds, manifest
from ..measuring.pairs import makes_sense, measures_lengths
from ..measuring.parts import Parts, plan_parts
from ..measuring.pictures import choose_pictures
from ..measuring.references import FUSED
from ..store.catalogue import Catalogue, Known
from ..store.completeness import not_a_file
from ..store.metric_facts import metric_facts
from ..store.results_folder import check_results_folder, check_same_data
from ..store.run_file import read_run_file
from ..store.units import (
    SCHEMA,
    Kind,
    PlannedUnit,
    TrainingUnit,
    measuring_path,
    read_measuring,
    read_measuring_head,
    read_training,
    stem,
    training_path,
    weights_path,
)
from .first_look import look_at_cases, samples_warnings, sizes, tolerance_warnings
from .provenance import code_version, differences
from .tasks import MeasuringTask, ReferenceTask, Setting, TrainingTask, open_dataset

RATERS_UNIT = "raters"
"""The name of units that measure each rater against the others."""


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that is known before anything runs.

    Args:
        setting: what all tasks of the run share.
        units: every unit, by fold and then in the order of candidates, with raters and fused labels after them.
        training: the task of each unit that trains.
        folds: the folds by (repeat, fold).
        parts: what a measuring unit of each kind should have.
        references: how the raters are fused once for all units.
        kept: the cases that are kept for pictures, each with the reason.
        skipped: a candidate's name to the reason why it cannot run here (``experiment/skipping.py``).
        manifest: what ``splits.json`` holds.
        facts: what reports say of the data, without opening them.
        own: the keys of the units that are run here, where others run the rest (``shards``); None for all.
    """

    experiment: Experiment
    dataset: Dataset
    folder: Path
    setting: Setting
    units: list[PlannedUnit]
    training: dict[PlannedUnit, TrainingTask]
    folds: dict[tuple[int, int], Fold]
    parts: dict[Kind, Parts]
    references: list[ReferenceTask]
    kept: dict[str, str]
    skipped: dict[str, str]
    manifest: dict[str, Any]
    facts: dict[str, Any]
    own: frozenset[str] | None = None

    def is_own(self, unit: PlannedUnit) -> bool:
        """Whether the unit is run here."""
        return self.own is None or unit.key in self.own

    def runnable(self) -> list[PlannedUnit]:
        """All units that are run here, but for those of skipped candidates."""
        return [u for u in self.units if self.is_own(u) and (u.kind != "method" or u.name not in self.skipped)]

    def distinct(self) -> list[PlannedUnit]:
        """The units that can run, one for each key: candidates that are alike share theirs."""
        return list({unit.key: unit for unit in reversed(self.runnable())}.values())[::-1]

    def to_train(
        self, catalogue: Catalogue | None = None, *, fresh: bool = False, retry_failed: bool = False
    ) -> list[TrainingTask]:
        """Training units that are not there whole; with ``retry_failed`` also those that failed.

        Candidates that are alike share their training units, of which each is there once. ``catalogue`` spares reading files.

        Raises:
            RaterbenchError: a folder, which no unit can replace, lies where a unit belongs.
            PermissionError: a file must not be read.
        """
        todo, catalogue = [], catalogue or Catalogue(self.folder)
        for unit in self.distinct():
            if unit.kind == "method":
                stored = None if fresh else self.known_training(unit, catalogue)
                again = stored is None or stored.status == "skipped" or (retry_failed and stored.status == "failed")
                without_weights = self.experiment.keep_weights and not os.path.lexists(weights_path(self.folder, unit))
                if again or (without_weights and stored is not None and stored.status == "done"):
                    todo.append(self.training[unit])
        return todo

    def to_measure(
        self,
        units: Sequence[PlannedUnit],
        catalogue: Catalogue | None = None,
        *,
        fresh: bool = False,
        retry_failed: bool = False,
    ) -> dict[PlannedUnit, tuple[str, ...]]:
        """The parts that are missing of each unit, as far as some are; with ``retry_failed`` also parts that failed."""
        todo, catalogue = {}, catalogue or Catalogue(self.folder)
        for unit in units:
            path = measuring_path(self.folder, unit)
            stored = None if fresh or not_a_file(path) else catalogue.measuring(path)
            there: set[str] = set()
            if stored is not None and stored.key == unit.key:
                there = {*stored.parts, *(() if retry_failed else stored.failed)}
            if missing := tuple(name for name in self.parts[unit.kind].names if name not in there):
                todo[unit] = missing
        return todo

    def measuring_task(self, units: Mapping[PlannedUnit, tuple[str, ...]], fold: Fold) -> MeasuringTask:
        """The task that measures units of one fold, each with its wanted parts."""
        files: dict[str, tuple[Path, ...]] = {}
        tested = set(fold.test)
        for task in self.references:
            if tested & set(task.cases):
                files[task.reference] = (*files.get(task.reference, ()), task.path)
        return MeasuringTask(tuple(units), tuple(units.values()), fold, self.setting, files, self.kept)

    def trained(self, unit: PlannedUnit, *, whole: bool = False) -> TrainingUnit | None:
        """The training unit that is stored, if it is the planned one; ``whole`` checks every byte of it."""
        path = self._training_file(unit)
        found = None if path is None else read_training(path, whole=whole)
        return found if found is not None and found.key == unit.key else None

    def known_training(self, unit: PlannedUnit, catalogue: Catalogue) -> Known | None:
        """What is known of the training unit that is stored, if it is the planned one."""
        path = self._training_file(unit)
        found = None if path is None else catalogue.training(path)
        return found if found is not None and found.key == unit.key else None

    def _training_file(self, unit: PlannedUnit) -> Path | None:
        """The file of a training unit; None where something lies there that is never opened, and whose place the unit takes."""
        path = training_path(self.folder, unit)
        if not not_a_file(path):
            return path
        if path.is_dir() and not path.is_symlink():
            raise RaterbenchError(f"{path} is a folder, where the file of a unit belongs: move it elsewhere")
        return None

    def damaged(self, units: Iterable[PlannedUnit]) -> list[PlannedUnit]:
        """The units with a file that is damaged, or that holds something else."""
        found = []
        for unit in units:
            training, measuring = training_path(self.folder, unit), measuring_path(self.folder, unit)
            measured = None if not_a_file(measuring) else read_measuring(measuring)
            if (os.path.lexists(training) and self.trained(unit, whole=True) is None) or (
                os.path.lexists(measuring) and (measured is None or measured[0].key != unit.key)
            ):
                found.append(unit)
        return found

    def listed(self) -> dict[str, Any]:
        """The plan as ``experiment.json`` has it, so that whoever reads the results knows what is missing."""
        parts = {kind: list(parts.names) for kind, parts in self.parts.items()}
        return {"units": [asdict(unit) for unit in self.units], "parts": parts}

    def outdated(self) -> list[tuple[PlannedUnit, list[str]]]:
        """Units that were computed by other code or libraries, or on another machine, and how these differ from the present."""
        found = []
        for unit in self.runnable():
            stored = self.trained(unit) if unit.kind == "method" else None
            measured = (
                None
                if not_a_file(measuring_path(self.folder, unit))
                else read_measuring_head(measuring_path(self.folder, unit))
            )
            origins = [head.origin for head in (stored, measured) if head is not None]
            differ = list(dict.fromkeys(difference for where in origins for difference in differences(where)))
            if differ:
                found.append((unit, differ))
        return found


REFERENCE_CASES = 32
"""Cases of which the fused references are in one file."""


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
    metrics, references = build_metrics(experiment), build_references(experiment)
    dataset = open_dataset(experiment, data)
    undecided = dataset.preparation.mode == "auto"
    with calling(type(dataset), f"data set {dataset.name!r}"):
        dataset.preparation, learned = chosen_preparation(dataset)
    check_same_data(folder, experiment, dataset.fingerprint())
    check_identity(fusions, dataset)
    check_references(experiment, dataset)
    planned = [planned_method(c, method, dataset) for c, method in zip(experiment.candidates, methods, strict=True)]
    skipped = {c.name: p.skip_reason for c, p in zip(experiment.candidates, planned, strict=True) if p.skip_reason}
    folds = make_folds(dataset, experiment.split, experiment.seed)
    check_units(len(folds) * len(methods), experiment.split)
    listed = manifest(dataset, folds)
    fingerprint = dataset.fingerprint()
    kept, found = _first_look(experiment, dataset, folds, folder, [fingerprint, listed["hash"]])
    of_data = {
        "schema": SCHEMA,
        "dataset": [dataset.name, fingerprint, class_identity(type(dataset)), experiment.dataset_options],
    }
    # What was decided for the whole data set is given to the workers, who look at no case for it.
    mode = {"mode": dataset.preparation.mode} if undecided else {}
    decided = experiment.replace(preparation={**experiment.preparation, **mode})
    setting = Setting(decided, data, device, plugins_hash(experiment.plugins), folder.absolute())
    names = dataset.index["case"].tolist()
    units: list[PlannedUnit] = []
    training: dict[PlannedUnit, TrainingTask] = {}
    for fold in folds:
        parts = [[names[i] for i in part] for part in (fold.train, fold.validation, fold.test)]
        here = {**of_data, "fold": [fold.repeat, fold.fold, parts]}
        for candidate, method in zip(experiment.candidates, planned, strict=True):
            key = _key(
                here
                | {
                    "preparation": preparation_identity(dataset.preparation),
                    "method": method.identity,
                    "seed": experiment.seed if candidate.seed is None else candidate.seed,
                    "device": torch.device(device).type,
                    "samples": experiment.samples,
                    # Units from before this could be chosen keep their keys.
                    **({} if experiment.search_threshold else {"search_threshold": False}),
                }
            )
            file = stem(candidate.method, fold.repeat, fold.fold, key)
            unit = PlannedUnit(key, candidate.name, "method", fold.repeat, fold.fold, file)
            units.append(unit)
            training[unit] = TrainingTask(unit, candidate, fold, setting)
        if fold.repeat == 0:
            key = _key({**here, "raters": True})
            units.append(PlannedUnit(key, RATERS_UNIT, "raters", 0, fold.fold, stem(RATERS_UNIT, 0, fold.fold, key)))
            for name, fusion in fusions.items():
                key = _key({**here, "fusion": identity(fusion)})
                units.append(PlannedUnit(key, name, "fusion", 0, fold.fold, stem(f"fusion {name}", 0, fold.fold, key)))
    facts = _facts(experiment, dataset, listed, kept) | _design(dataset, folds) | {"sizes": found, "fingerprint": fingerprint}
    facts["learned"] = learned
    facts["warnings"] = tolerance_warnings(experiment, facts) + samples_warnings(experiment)
    facts["oracles"] = [c.name for c, method in zip(experiment.candidates, planned, strict=True) if "truth" in method.needs]
    facts["warnings"] += _told_of_needs(experiment, planned)
    return Plan(
        experiment=experiment,
        dataset=dataset,
        folder=folder,
        setting=setting,
        units=units,
        training=training,
        folds={(fold.repeat, fold.fold): fold for fold in folds},
        parts={
            kind: plan_parts(
                kind, metrics, experiment.reference_names, kept, experiment.statistics.primary_metric, fusions=references
            )
            for kind in ("method", "raters", "fusion")
        },
        references=_reference_tasks(experiment, references, folds, of_data=of_data, setting=setting, names=names),
        kept=kept,
        skipped=skipped,
        manifest=listed,
        facts=facts,
    )


def _told_of_needs(experiment: Experiment, planned: Sequence[PlannedMethod]) -> list[str]:
    """Who learns from more than images and ratings; that an oracle learns from the truth is told elsewhere."""
    who: dict[str, list[str]] = {}
    for candidate, method in zip(experiment.candidates, planned, strict=True):
        for need in sorted(method.needs - {"truth"}) if method.skip_reason is None else ():
            who.setdefault(need, []).append(candidate.name)
    return [f"{', '.join(names)} learned from the {need} of training cases, too." for need, names in who.items()]


def _reference_tasks(
    experiment: Experiment,
    fusions: Mapping[str, Fusion],
    folds: Sequence[Fold],
    *,
    of_data: Mapping[str, Any],
    setting: Setting,
    names: Sequence[str],
) -> list[ReferenceTask]:
    """Each fused reference of all cases that are tested, some cases at a time."""
    tested = sorted({position for fold in folds for position in fold.test})
    tasks = []
    for reference in experiment.reference_names:
        if reference in FUSED or reference in fusions:
            made_by = {"fusion": identity(fusions[reference])} if reference in fusions else {}
            for start in range(0, len(tested), REFERENCE_CASES):
                cases = tuple(tested[start : start + REFERENCE_CASES])
                # Other code fuses anew: nobody looks at where a reference comes from.
                named = {"reference": reference, "cases": [names[i] for i in cases], "code": code_version()}
                key = _key({**of_data, **named, **made_by})
                word = re.sub(r"[^A-Za-z0-9]+", "-", reference)[:60].strip("-")
                file = f"{word}.{start // REFERENCE_CASES}.{key[:12]}.npz"
                tasks.append(ReferenceTask(key, reference, cases, setting.folder / "references" / file, setting))
    return tasks


def check_references(experiment: Experiment, dataset: Dataset) -> None:
    """Whether what was declared can be measured on this data set: a run of hours must not end without its main result.

    Raises:
        RaterbenchError: a reference is no rater, or the primary metric cannot be measured against the primary reference.
    """
    for name in experiment.reference_names:
        for rater in single_raters(name):
            if rater not in dataset.raters:
                near = nearest(rater, dataset.raters)
                raise RaterbenchError(f"references: {name!r}: {rater!r} is no rater of {dataset.name!r}{near}")
    declared, truth = experiment.statistics, dataset[0].truth is not None
    primary = experiment.primary_reference
    if primary == "auto":
        primary = "truth" if truth and "truth" in experiment.reference_names else "raters"
    if primary not in experiment.reference_names:
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


def preparation_identity(preparation: Preparation) -> dict[str, Any]:
    """What a key holds of a preparation: all that it says, and of settings that came later only those that are used.

    So units that were computed before these were there keep their keys.
    """
    unused = {name for name in ("pixel_size", "crop") if getattr(preparation, name) is None}
    if preparation.mode == "slices":
        unused |= {"mode", *OF_VOLUMES}
    return {name: identity(value) for name, value in vars(preparation).items() if name not in unused}


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
        "preparation": asdict(dataset.preparation),
        "split_hash": listed["hash"],
        "keep_cases": experiment.keep_cases,
        "lengths": sorted(metric.name for metric in build_metrics(experiment) if measures_lengths(metric)),
        "pictures": pictures,
        "metrics": metric_facts(build_metrics(experiment), dataset.unit, first.image.ndim - 1),
        "questions": list(dataset.questions),
    }
