"""A measuring unit: measure what a training unit predicted, or raters and fused labels, part by part. Nothing is trained."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from ...datasets.base import Case, Dataset
from ...errors import RaterbenchError, StoppedError
from ...methods.thresholds import hard_labels
from ...plugin_errors import described, interrupts_noted, message_of
from ..experiment.factory import build_fusions, build_metrics, build_references
from ..measuring.parts import PartsInProgress, plan_parts
from ..measuring.pictures import picture_of, predicted_picture
from ..measuring.rater_estimates import mean_confusions, observed_confusions
from ..measuring.references import References
from ..metrics import Segmentation, from_labels
from ..store.completeness import not_a_file
from ..store.units import (
    HALF,
    SCHEMA,
    SEARCHED,
    CaseName,
    MeasuringUnit,
    Picture,
    Pictures,
    PlannedUnit,
    PredictedPicture,
    PredictedPictures,
    measuring_path,
    read_estimates,
    read_measuring,
    read_predictions,
    read_training,
    training_path,
    write_measuring,
)
from .fuse_references import StoredReferences
from .provenance import origin, reset_peak_memory
from .tasks import MeasuringTask, prepare_process, seed_everything
from .workers import own_output


def measure_units(task: MeasuringTask) -> list[tuple[PlannedUnit, str]]:
    """Measure the wanted parts of the task's units and store them; gives each unit with the reason if it failed.

    The cases of the fold are read once, whatever the number of units.
    """
    reset_peak_memory()
    start, pressed = time.perf_counter(), list[int]()
    try:
        with interrupts_noted(pressed):
            measured, cases = _measured(task, pressed)
    except Exception as error:
        reason = str(error) if isinstance(error, RaterbenchError) else described(error)
        store_failure(task, reason, own_output())
        return [(unit, reason) for unit in task.units]
    seconds = (time.perf_counter() - start) / len(measured)
    # A results folder that cannot be written is no fault of a unit: that ends the run.
    for unit in measured:
        try:
            unit.write(cases, seconds)
        except (TypeError, UnicodeError) as error:
            unit.failed = f"what was measured cannot be stored: {error}"
            # Without the names of cases, which may be what cannot be stored.
            _add(task, unit.unit, (), (), failed=dict.fromkeys(unit.wanted, unit.failed))
    return [(one.unit, one.failed) for one in measured]


def _measured(task: MeasuringTask, pressed: list[int]) -> tuple[list[_UnitInProgress], list[CaseName]]:
    """The task's units with what was measured of them, and the cases."""
    dataset = prepare_process(task.setting)
    seed_everything(0)
    stored = StoredReferences(task.references)
    fusions = build_references(task.setting.experiment)
    measured = [
        _UnitInProgress(task, unit, wanted, dataset, pressed) for unit, wanted in zip(task.units, task.wanted, strict=True)
    ]
    cases = []
    for case in dataset.subset(task.fold.test):
        cases.append(CaseName(case.id, case.subject, case.centre))
        sources = References(case, dataset.n_classes, fused=stored.of_case(case.id), fusions=fusions)
        for one in measured:
            one.measure(case, sources)
    for one in measured:
        one.finish()
    return measured, cases


def store_failure(task: MeasuringTask, reason: str, printed: str = "") -> None:
    """Note in the files of the task's units that their wanted parts could not be measured."""
    for unit, wanted in zip(task.units, task.wanted, strict=True):
        _add(task, unit, (), (), failed=dict.fromkeys(wanted, reason), printed=printed)


class _UnitInProgress:
    """What is measured of one unit: a candidate's predictions, the raters, or a fusion's labels."""

    def __init__(
        self, task: MeasuringTask, unit: PlannedUnit, wanted: Sequence[str], dataset: Dataset, pressed: list[int]
    ) -> None:
        self.task, self.unit, self.wanted, self.dataset, self.pressed = task, unit, wanted, dataset, pressed
        self.failed = ""
        experiment = task.setting.experiment
        primary = experiment.statistics.primary_metric
        references = experiment.reference_names
        metrics, fusions = build_metrics(experiment), build_references(experiment)
        parts = plan_parts(unit.kind, metrics, references, task.kept, primary, fusions=fusions)
        names = dataset.raters if unit.kind == "raters" else (unit.name,)
        two = dataset.n_classes == 2 and unit.kind == "method" and experiment.search_threshold
        n_cases, thresholds = len(task.fold.test), (SEARCHED, HALF) if two else ("",)
        self.parts = PartsInProgress(wanted, parts, names=names, dataset=dataset, n_cases=n_cases, thresholds=thresholds)
        self.pictures: list[Picture] = []
        self.predicted: list[PredictedPicture] = []
        self.found: dict[str, object] = {}
        try:
            if unit.kind == "method":
                path = training_path(task.setting.folder, unit)
                trained = read_training(path)
                if trained is None:
                    raise RaterbenchError(f"{path} is damaged: run the experiment again")
                self.thresholds = [trained.threshold.chosen, 0.5] if trained.threshold is not None and two else [0.5]
                self.estimates = read_estimates(path)
                self.predictions = read_predictions(path, trained.predicted)
            elif unit.kind == "fusion":
                fusion = build_fusions(experiment)[unit.name]
                self.fusion = fusion.fit(dataset.subset(task.fold.train, blind=True), dataset.n_classes)
        except BaseException as error:
            self._fail(error)

    def measure(self, case: Case, sources: References) -> None:
        """Measure one case; an error ends this unit alone."""
        if self.failed:
            return
        try:
            self.parts.start(case)
            {"method": self._method, "raters": self._raters, "fusion": self._fusion}[self.unit.kind](case, sources)
        except BaseException as error:
            self._fail(error)

    def _method(self, case: Case, sources: References) -> None:
        stored = next(self.predictions)
        probability = stored.probability(self.dataset.preparation)
        made = [Segmentation(hard_labels(probability, threshold), probability) for threshold in self.thresholds]
        self.parts.measure(self.unit.name, made, sources)
        self.parts.count(case, made[0], sources)
        self.parts.count_values(stored)
        drawn = list(stored.sampled())
        # Samples become labels as their mean does; the labels of a candidate that draws none are a set of one.
        sets = [
            [Segmentation(hard_labels(sample, threshold), sample) for sample in drawn]
            or [from_labels(segmentation.labels, self.dataset.n_classes)]
            for threshold, segmentation in zip(self.thresholds, made, strict=True)
        ]
        self.parts.measure_samples(self.unit.name, sets, case)
        self.parts.compare_raters(self.unit.name, self.estimates.get(case.id), case)
        if self.parts.pictures and case.id in self.task.kept:
            self.predicted.append(predicted_picture(stored, probability, [sample.labels for sample in sets[0] if drawn]))

    def _raters(self, case: Case, sources: References) -> None:
        for rater, labels in case.ratings.items():
            if len(case.ratings) > 1:
                others = References(case, self.dataset.n_classes, without=rater, fusions=sources.fusions)
                self.parts.measure(rater, [from_labels(labels, self.dataset.n_classes)], others)
        if self.parts.pictures and case.id in self.task.kept:
            self.pictures.append(picture_of(case, self.task.kept[case.id]))

    def _fusion(self, case: Case, sources: References) -> None:
        consensus = self.fusion.fuse(dict(case.ratings), self.dataset.n_classes, geometry=case.geometry)
        self.parts.measure(self.unit.name, [Segmentation(consensus.labels, consensus.probability)], sources)
        given = None
        if consensus.confusion is not None and not self.dataset.anonymous_raters:
            by_name = dict(zip(consensus.raters, consensus.confusion, strict=True))
            done = observed_confusions(case, self.dataset.n_classes)
            given = mean_confusions(by_name, case, done, self.dataset.n_classes)
        self.parts.compare_raters(self.unit.name, given, case)

    def _fail(self, error: BaseException) -> None:
        if self.pressed or isinstance(error, StoppedError):
            raise error  # Otherwise it is one that a fusion raised by itself.
        self.failed = message_of(error) if isinstance(error, RaterbenchError) else described(error)

    def finish(self) -> None:
        """Make the parts of what was measured; an error ends this unit alone."""
        if self.failed:
            return
        try:
            if self.unit.kind == "raters" and self.dataset.anonymous_raters:
                self.parts.mean_over_names()
            self.found = self.parts.finished()
        except BaseException as error:
            self._fail(error)
        if self.parts.pictures:
            raters = self.unit.kind == "raters"
            shown = Pictures(tuple(self.pictures)) if raters else PredictedPictures(tuple(self.predicted))
            self.found[self.parts.pictures] = shown

    def write(self, cases: Sequence[CaseName], seconds: float) -> None:
        """Add the parts to the unit's file."""
        if self.failed:
            _add(self.task, self.unit, cases, self.parts.names, failed=dict.fromkeys(self.wanted, self.failed), seconds=seconds)
        else:
            _add(self.task, self.unit, cases, self.parts.names, found=self.found, seconds=seconds)


def _add(
    task: MeasuringTask,
    unit: PlannedUnit,
    cases: Sequence[CaseName],
    names: Sequence[str],
    *,
    found: Mapping[str, object] = MappingProxyType({}),
    failed: Mapping[str, str] = MappingProxyType({}),
    seconds: float = 0.0,
    printed: str = "",
) -> None:
    """Write the unit's file again: what it held, with the parts that were found or failed in place of what was there."""
    path = measuring_path(task.setting.folder, unit)
    before = None if not_a_file(path) else read_measuring(path)
    if before and before[0].key != unit.key:
        before = None
    parts, failures = (dict(before[1]), dict(before[0].failed)) if before else ({}, {})
    for name in (*found, *failed):
        parts.pop(name, None)
        failures.pop(name, None)
    where = origin(seconds, printed=printed)
    if before and parts:
        # The parts that are kept have these axes; a unit that failed may not have come to its own.
        cases, names = before[0].cases, before[0].names
        # As long as a part of other code or libraries is kept, the unit says so.
        older = before[0].origin
        where = replace(older, seconds=seconds + older.seconds, peak_memory_mb=where.peak_memory_mb, printed=printed)
    head = MeasuringUnit(SCHEMA, unit.key, tuple(cases), tuple(names), {**failures, **failed}, where)
    write_measuring(path, head, {**parts, **found})
