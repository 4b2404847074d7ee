"""One unit: a candidate on one fold, a pure function of what its key says. Also the rows that need no network."""

from __future__ import annotations

import hashlib
import os
import random
import time
import traceback
import warnings
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

from ...datasets import load_dataset
from ...datasets.base import Case, Dataset, Preparation
from ...errors import RaterbenchError, StoppedError
from ...methods.base import Method, Prediction
from ...methods.thresholds import hard_labels, majority_threshold
from ...plugin_errors import described, interrupts_noted, message_of
from ..experiment.experiment import LABELS, Candidate, Experiment
from ..experiment.factory import build_fusions, build_method, fusions_by_unit, load_plugins, plugins_hash
from ..experiment.settings import build
from ..experiment.splits import Fold
from ..measuring.measure import ANY_RATER, mean_rows
from ..measuring.measured import Measured
from ..measuring.pictures import pack_kept, pack_pictures, pack_reliability
from ..measuring.rater_estimates import RaterEstimates, behaviour, reliability_maps
from ..measuring.references import References
from ..metrics import Segmentation, from_labels
from ..store.assignment import pack_assignment
from ..store.case_confusions import pack_case_confusions
from ..store.units import Record, Status
from .provenance import environment, reset_peak_memory

SUM_TOLERANCE = 1e-3
"""How far probabilities of a voxel may be from a sum of 1: float32, and half precision on a GPU, are not exact."""


NUMPY_DEFAULTS: dict[str, Any] = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
"""How NumPy treats floating-point errors unless told otherwise."""


@dataclass(frozen=True)
class Task:
    """All that a unit needs, small enough to be sent to a worker.

    Without a ``candidate`` it measures raters and fused labels, or the labels of the one ``fusion`` of a plug-in
    (``candidates.fusions_by_unit``). ``pictures`` maps kept cases to the reason. ``plugins`` is the hash of the plug-in files
    that the key stands for.
    """

    key: str
    order: int
    candidate: Candidate | None
    experiment: Experiment
    fold: Fold
    data: str | None
    device: str
    pictures: dict[str, str]
    plugins: str
    fusion: str = ""

    @property
    def name(self) -> str:
        """The candidate's name in tables and files."""
        if self.candidate:
            return self.candidate.name
        return f"{LABELS}: {self.fusion}" if self.fusion else LABELS

    @property
    def kind(self) -> str:
        """``method``, or ``labels`` for the rows that need no network."""
        return "method" if self.candidate else LABELS

    def record(self, status: Status, **rest: Any) -> Record:
        """What this unit leaves."""
        return Record(self.key, self.name, self.kind, self.order, self.fold.repeat, self.fold.fold, status, **rest)


def open_dataset(experiment: Experiment, data: str | None) -> Dataset:
    """The experiment's data set, with the experiment's preparation on top of the data set's own."""
    load_plugins(experiment.plugins)
    dataset = load_dataset(experiment.dataset, data, **experiment.dataset_options)
    if experiment.preparation:
        dataset.preparation = build(Preparation, {**asdict(dataset.preparation), **experiment.preparation}, "preparation")
    return dataset


def seed_of(dataset: Dataset, seed: int, fold: Fold) -> int:
    """The seed of initial weights and batch order: it knows the data set, repeat and fold, and not the candidate."""
    text = f"{dataset.name}|{seed}|{fold.repeat}|{fold.fold}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")


def compute(task: Task) -> Record:
    """Run one unit in one thread. A unit that raises anything is a record with its reason; Ctrl-C alone comes through."""
    process, pressed = os.getpid(), list[int]()
    torch.set_num_threads(1)
    # torch.use_deterministic_algorithms does the same, and imports the whole compiler.
    torch.set_deterministic_debug_mode("error" if task.device == "cpu" else "default")
    reset_peak_memory()
    start = time.perf_counter()
    try:
        with interrupts_noted(pressed):
            rows, meta, arrays = _computed(task)
    except BaseException as error:  # SystemExit, too: a method can end nothing but its unit
        if pressed or isinstance(error, StoppedError):
            raise
        said = {"seconds": time.perf_counter() - start, "traceback": traceback.format_exc(), **environment()}
        record = task.record("failed", reason=_reason(error), meta=said)
    else:
        meta = {**meta, "seconds": time.perf_counter() - start, **environment()}
        record = task.record("done", rows=rows, meta=meta, arrays=arrays)
    if os.getpid() != process:
        os._exit(1)  # A process that the method forked has come here, and must not go on as if it were the unit.
    return record


def _computed(task: Task) -> tuple[list[list[Any]], dict[str, Any], dict[str, Any]]:
    """Rows, meta and arrays of a unit.

    Raises:
        RaterbenchError: a plug-in is no longer what the task's key says.
    """
    load_plugins(task.experiment.plugins)  # A plug-in may say itself where its modules lie.
    if plugins_hash(task.experiment.plugins) != task.plugins:
        raise RaterbenchError("a plug-in file, or a module that it imports, was edited while the run was on: run again")
    dataset = open_dataset(task.experiment, task.data)
    seed = seed_of(dataset, task.experiment.seed, task.fold)
    _seed_everything(seed)
    return _method(task, dataset, seed) if task.candidate else _labels(task, dataset)


def _seed_everything(seed: int) -> None:
    """Methods from elsewhere may use the global generators."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)


def _reason(error: BaseException) -> str:
    """In one line what went wrong, and where unless the message was written for users."""
    return message_of(error) if isinstance(error, RaterbenchError) else described(error)


def _method(task: Task, dataset: Dataset, seed: int) -> tuple[list[list[Any]], dict[str, Any], dict[str, Any]]:
    assert task.candidate is not None
    experiment, fold = task.experiment, task.fold
    method = build_method(task.candidate, experiment)
    train, validation = (dataset.subset(part, blind="truth" not in method.needs) for part in (fold.train, fold.validation))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        method.fit(train, validation, seed=seed, device=task.device)
        threshold = majority_threshold(lambda case: predicted(method, case, 2).probability, validation)
    with np.errstate(**NUMPY_DEFAULTS):  # The method may have changed what NumPy raises.
        rows, meta, arrays = _tested(task, method, dataset, threshold)
    report = method.fit_report()
    said = [*report.warnings, *report.alarms, *sorted({str(w.message) for w in caught if _ours(w)})]
    meta |= {
        "threshold": threshold,
        "warnings": said,
        "alarms": report.alarms,
        "parameters": repr(method),
        "n_train": len(fold.train),
        "n_validation": len(fold.validation),
        "n_test": len(fold.test),
    }
    arrays["assignment"] = pack_assignment(train)
    if report.curve:
        meta |= {"curve": report.curve, "epochs": len(report.curve), "best_epoch": report.best_epoch}
    if report.majority_dice:
        meta["agreements"] = report.majority_dice
    return rows, meta, arrays


def _tested(
    task: Task, method: Method, dataset: Dataset, threshold: float | None
) -> tuple[list[list[Any]], dict[str, Any], dict[str, Any]]:
    """Everything that the test cases of a fold tell about a fitted method."""
    measured = Measured(task.experiment, dataset)
    known = RaterEstimates(dataset.classes, measured.metrics)
    rows, kept, believed = [], {}, {}
    for case in dataset.subset(task.fold.test):
        said = predicted(method, case, dataset.n_classes)
        probability, estimates = said.probability, said.rater_confusion
        prediction = Segmentation(hard_labels(probability, 0.5 if threshold is None else threshold), probability)
        sources = References(case, dataset.n_classes)
        rows += measured.rows(task.name, "method", case, prediction, sources)
        measured.calibrate(case, probability, sources)
        if estimates is None:
            known.images.append({})
        else:
            rows += measured.headed(task.name, "method", case, known.add(estimates, case, behaviour(case, dataset.n_classes)))
        if case.id in task.pictures:
            kept[case.id] = probability
            believed[case.id] = reliability_maps(said.rater_reliability, estimates, probability, case)
    reliability, maps = pack_reliability(believed)
    meta = {
        "calibration": measured.calibration_index(),
        "confusions": list(known.rows(task.name, dataset.raters)),
        "kept": list(kept),
        "reliability": reliability,
    }
    images = pack_case_confusions(known.images, dataset.raters, dataset.n_classes)
    return rows, meta, {"calibration": measured.calibration(), **pack_kept(kept), **maps, **images}


def _ours(caught: warnings.WarningMessage) -> bool:
    """Libraries' own deprecation chatter is no warning about the result."""
    return not issubclass(caught.category, DeprecationWarning | FutureWarning) and "site-packages" not in caught.filename


def _labels(task: Task, dataset: Dataset) -> tuple[list[list[Any]], dict[str, Any], dict[str, Any]]:
    """Each rater against the others, and each fusion against every reference; or the task's one fusion alone."""
    experiment, train = task.experiment, dataset.subset(task.fold.train, blind=True)
    measured = Measured(experiment, dataset)
    mine = fusions_by_unit(build_fusions(experiment))[task.fusion]
    fusions = {name: fusion.fit(train, dataset.n_classes) for name, fusion in mine.items()}
    rows: list[list[Any]] = []
    pictured: list[Case] = []
    known = {name: RaterEstimates(dataset.classes, measured.metrics) for name in fusions}
    for case in dataset.subset(task.fold.test):
        everybody, done = References(case, dataset.n_classes), behaviour(case, dataset.n_classes)
        alone: list[list[Any]] = []
        for rater, labels in case.ratings.items():
            if len(case.ratings) > 1 and not task.fusion:
                others = References(case, dataset.n_classes, without=rater)
                name = ANY_RATER if dataset.anonymous_raters else rater
                alone += measured.rows(name, "rater", case, from_labels(labels, dataset.n_classes), others)
        rows += mean_rows(alone) if dataset.anonymous_raters else alone
        for name, fusion in fusions.items():
            consensus = fusion.fuse(dict(case.ratings), dataset.n_classes, geometry=case.geometry)
            rows += measured.rows(name, "fusion", case, Segmentation(consensus.labels, consensus.probability), everybody)
            if consensus.confusion is not None:
                estimates = dict(zip(consensus.raters, consensus.confusion, strict=True))
                rows += measured.headed(name, "fusion", case, known[name].add(estimates, case, done))
        if case.id in task.pictures and not task.fusion:
            pictured.append(case)
    meta, arrays = pack_pictures(pictured, task.pictures)
    if dataset.anonymous_raters:
        known = {}  # A matrix over cases would mix the persons of one name.
    confusions = [row for name, found in known.items() for row in found.rows(f"{name} (fusion)", dataset.raters)]
    return rows, {**meta, "n_test": len(task.fold.test), "confusions": confusions}, arrays


def predicted(method: Method, case: Case, n_classes: int) -> Prediction:
    """What the method says about a case whose labels it does not see.

    Raises:
        RaterbenchError: it is no map of probabilities in the case's geometry.
    """
    prediction = method.predict(case.unlabelled())
    probability = np.asarray(prediction.probability)
    if probability.shape != (n_classes, *case.shape):
        expected = (n_classes, *case.shape)
        raise RaterbenchError(f"case {case.id!r}: the prediction has the shape {probability.shape}, not {expected}")
    total = probability.sum(axis=0, dtype=np.float64)
    if not (np.abs(total - 1) < SUM_TOLERANCE).all() or probability.min() < 0:
        what = "values that are no numbers" if not np.isfinite(total).all() else "probabilities that do not sum to 1"
        raise RaterbenchError(f"case {case.id!r}: the prediction has {what}")
    # A copy: a method may use its own array again for the next case.
    return replace(prediction, probability=probability.astype(np.float32))
