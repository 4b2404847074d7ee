"""A training unit: fit a candidate on one fold, predict its test cases, and store both.

Its key is a hash of all that decides its numbers.
"""

from __future__ import annotations

import os
import time
import traceback
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...datasets.base import Case, Labels
from ...errors import RaterbenchError, StoppedError, is_gpu_full, shortened
from ...methods.base import Method, Prediction
from ...methods.thresholds import majority_threshold
from ...plugin_errors import described, interrupts_noted, message_of
from ..experiment.factory import build_method, sources_within
from ..measuring.diagnosis import DiagnosesInProgress
from ..measuring.rater_estimates import mean_confusions, observed_confusions, reliability_maps
from ..measuring.repair import annotated, repair_scores
from ..models.seen_images import SeenCases
from ..models.weights_file import WeightsAbout, write_weights
from ..store.assignment import pack_assignment
from ..store.predictions import Spool, StoredPrediction, store_prediction
from ..store.units import (
    SCHEMA,
    Estimates,
    Status,
    TrainingUnit,
    read_training,
    training_path,
    weights_path,
    write_training,
)
from .engines.gpu import GPUFullError
from .provenance import origin, reset_peak_memory
from .tasks import TrainingTask, prepare_process, seed_everything, seed_of
from .workers import own_output

SUM_TOLERANCE = 1e-3
"""How far probabilities of a voxel may be from a sum of 1: float32, and half precision on a GPU, are not exact."""

NUMPY_DEFAULTS: dict[str, Any] = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
"""How NumPy treats floating-point errors unless told otherwise."""


def train_unit(task: TrainingTask) -> TrainingUnit:
    """Compute a training unit and store it. An error is stored as its reason and not raised, except Ctrl-C.

    Raises:
        GPUFullError: the GPU has no memory left; nothing is stored.
    """
    process, pressed = os.getpid(), list[int]()
    reset_peak_memory()
    start = time.perf_counter()
    path = training_path(task.setting.folder, task.unit)
    predictions: list[StoredPrediction] = []
    estimates: dict[str, Estimates] = {}

    def failed(error: BaseException) -> TrainingUnit:
        predictions.clear()
        estimates.clear()
        said = {"trace": "".join(traceback.format_exception(error)), "printed": own_output()}
        return ended_unit(task, "failed", _reason(error), seconds=time.perf_counter() - start, **said)

    try:
        with interrupts_noted(pressed):
            unit = _trained(task, predictions, estimates, start)
    except BaseException as error:  # SystemExit, too: a method can end nothing but its unit
        if pressed or isinstance(error, StoppedError):
            raise
        if is_gpu_full(error):
            raise GPUFullError(f"{shortened(error)}: lower budget.batch_size, or run fewer units side by side") from error
        unit = failed(error)
    if os.getpid() != process:
        os._exit(1)  # A process that the method forked has come here, and must not go on as if it were the unit.
    # A results folder that cannot be written is no fault of the unit: that ends the run.
    try:
        write_training(path, unit, predictions, estimates)
        if read_training(path) is None:
            raise TypeError("a value of its fit report cannot be stored, since it is of another kind than FitReport says")
    except (TypeError, UnicodeError) as error:
        unit = failed(error)
        write_training(path, unit, (), {})
    return unit


def ended_unit(task: TrainingTask, status: Status, reason: str, *, seconds: float = 0.0, **rest: str) -> TrainingUnit:
    """The record of a unit without results; ``rest`` is what it ``printed`` and its ``trace``."""
    return TrainingUnit(SCHEMA, task.unit.key, status, reason, origin=origin(seconds, **rest))


def _reason(error: BaseException) -> str:
    """In one line what went wrong, and where unless the message was written for users."""
    if isinstance(error, TypeError) and "cannot be stored" in str(error):
        return f"what it gave cannot be stored: {error}"
    return message_of(error) if isinstance(error, RaterbenchError) else described(error)


def _trained(
    task: TrainingTask, predictions: list[StoredPrediction], estimates: dict[str, Estimates], start: float
) -> TrainingUnit:
    """Fit, search the threshold, predict every test case into ``predictions`` and ``estimates``."""
    dataset, fold, experiment = prepare_process(task.setting), task.fold, task.setting.experiment
    own = task.candidate.seed
    seed = seed_of(dataset, experiment.seed if own is None else own, fold)
    seed_everything(seed)
    method = build_method(task.candidate, experiment)
    seen = SeenCases(dataset)
    train, validation = (seen.watched(part, method.needs) for part in (fold.train, fold.validation))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        method.fit(train, validation, seed=seed, device=task.setting.device)
        threshold = None
        if experiment.search_threshold:
            threshold = majority_threshold(lambda case: checked_prediction(method, case, 2).probability, validation)
    report, repaired, spool = method.fit_report(), dict[str, Mapping[str, Labels]](), Spool()
    tested, diagnosed = dataset.subset(fold.test), DiagnosesInProgress(dataset)
    with np.errstate(**NUMPY_DEFAULTS):  # The method may have changed what NumPy raises.
        for case in tested:
            prediction = checked_prediction(method, case, dataset.n_classes, samples=experiment.samples, seed=seed)
            done = observed_confusions(case, dataset.n_classes)
            maps = reliability_maps(prediction.rater_reliability, prediction.rater_confusion, prediction.probability, case)
            mended = method.repair(annotated(case, report.repair)) if report.repair is not None else {}
            stored = spool.moved(store_prediction(case.id, prediction, maps, mended))
            predictions.append(stored)
            if stored.repaired is not None:
                repaired[case.id] = dict(zip(stored.repaired_raters, stored.repaired, strict=True))
            diagnosed.add(case, prediction.diagnosis)
            if prediction.rater_confusion is not None:
                estimates[case.id] = mean_confusions(prediction.rater_confusion, case, done, dataset.n_classes)
        diagnoses = diagnosed.finish(method, tested)
    if report.repair is not None and dataset.n_classes == 2:
        learned = dataset.subset([*fold.train, *fold.validation])
        scores = repair_scores("training", learned, method.repaired(), report.repair)
        scores += repair_scores("test", tested, repaired, report.repair)
        report.repair = replace(report.repair, scores=(*report.repair.scores, *scores))
    report.warnings += sorted({str(w.message) for w in caught if _is_ours(w)} - set(report.warnings))
    if experiment.keep_weights:
        try:
            about = WeightsAbout(None, seen.found(), task.unit.key, seed, tuple(sources_within(method)))
            write_weights(weights_path(task.setting.folder, task.unit), method, about)
        except RaterbenchError as error:
            # The training is done and its predictions are there; the next run trains again for the weights.
            report.warnings.append(f"the weights could not be kept: {error}")
    return TrainingUnit(
        schema=SCHEMA,
        key=task.unit.key,
        status="done",
        method=repr(method),
        report=report,
        threshold=threshold,
        n_train=len(fold.train),
        n_validation=len(fold.validation),
        n_test=len(fold.test),
        assignment=pack_assignment(train),
        predicted=tuple(prediction.case for prediction in predictions),
        origin=origin(time.perf_counter() - start, printed=own_output()),
        diagnoses=diagnoses,
    )


def _is_ours(caught: warnings.WarningMessage) -> bool:
    """Libraries' own deprecation chatter is no warning about the result."""
    return not issubclass(caught.category, DeprecationWarning | FutureWarning) and "site-packages" not in caught.filename


def checked_prediction(method: Method, case: Case, n_classes: int, *, samples: int = 0, seed: int = 0) -> Prediction:
    """What the method says about a case whose labels it does not see.

    Raises:
        RaterbenchError: its probability is no map of probabilities in the case's geometry, or it gives no ``Prediction``.
    """
    prediction = method.predict(case.unlabelled(), samples=samples, seed=seed)
    if not isinstance(prediction, Prediction):
        raise RaterbenchError(f"case {case.id!r}: predict gave a {type(prediction).__name__}, not a Prediction")
    probability = np.asarray(prediction.probability)
    if probability.shape != (n_classes, *case.shape):
        expected = (n_classes, *case.shape)
        raise RaterbenchError(f"case {case.id!r}: the prediction has the shape {probability.shape}, not {expected}")
    total = probability.sum(axis=0, dtype=np.float64)
    if not (np.abs(total - 1) < SUM_TOLERANCE).all() or probability.min() < 0:
        what = "NaN or infinite values" if not np.isfinite(total).all() else "probabilities that do not sum to 1"
        raise RaterbenchError(f"case {case.id!r}: the prediction has {what}")
    return prediction
