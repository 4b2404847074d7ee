"""What a run costs beside its computing: plan, store and report of thousands of units that compute nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import numpy as np

from ..experiment.experiment import Candidate, Experiment
from ..experiment.splits import Split
from ..runner.plan import Plan, make_plan
from ..runner.run import what_to_do, write_plan
from ..store.declaration import record_declaration
from ..store.units import (
    SCHEMA,
    Calibration,
    CaseName,
    MeasuringUnit,
    Origin,
    PlannedUnit,
    PredictedPictures,
    RaterErrors,
    Rows,
    SingleRaters,
    TrainingUnit,
    ValueCounts,
    measuring_path,
    training_path,
    write_measuring,
    write_training,
)
from .table import Row, Target
from .timing import seconds

CANDIDATES, FOLDS = 20, 5
SUBJECTS = 10
LONG_AGO = 1_000_000_000
"""Seconds since 1970: files that were just written would be read again."""


def units(report: Callable[[Path], object], n: int = 10_000) -> Iterator[Row]:
    """Milliseconds a unit that plan, store and ``report`` take, and seconds to find that nothing of them is missing.

    A unit holds the Dice of two cases and calibration counts; nothing is trained. What the disk takes to bring files to
    safety (``fsync``) is left out.
    """
    experiment = Experiment(
        name="trivial",
        dataset="phantom",
        dataset_options={"subjects": SUBJECTS, "slices": 1, "missing": 0.0},
        candidates=tuple(Candidate(f"candidate {i}", "fused-labels", seed=i) for i in range(CANDIDATES)),
        metrics=("dice",),
        references=("truth",),
        split=Split(folds=FOLDS, repeats=max(1, n // (CANDIDATES * FOLDS))),
        keep_cases=0,
    )
    with tempfile.TemporaryDirectory() as place, mock.patch.object(os, "fsync", _no_flush):
        folder, plans = Path(place), list[Plan]()
        planning = seconds(lambda: plans.append(make_plan(experiment, folder)))
        plan = plans[0]
        storing = seconds(lambda: _store(plan))
        reporting = seconds(lambda: report(folder))
        for file in (folder / "units").iterdir():
            os.utime(file, (LONG_AGO, LONG_AGO))
        what_to_do(plan)  # A run does so at its end.
        resuming = seconds(lambda: what_to_do(make_plan(experiment, folder)))
    count = len(plan.training)
    each = [f"{1000 * taken / count:.2f} {what}" for what, taken in _named(planning, storing, reporting)]
    total = 1000 * (planning + storing + reporting) / count
    work = f"{count:,} trivial units"
    yield Row(work, "nothing", f"{total:.2f} ms a unit: {', '.join(each)}", total, Target("below", 2, " ms"))
    yield Row(f"{work}, found complete", "nothing", f"{resuming:.2f} s", resuming, Target("below", 3, " s"))


def _no_flush(descriptor: int) -> None:
    """In place of ``os.fsync``; a mock object would keep each of 20,000 calls."""


def _named(planning: float, storing: float, reporting: float) -> list[tuple[str, float]]:
    return [("plan and splits", planning), ("store", storing), ("report", reporting)]


def _store(plan: Plan) -> None:
    """Store all units of a plan, with made-up values."""
    record_declaration(plan.folder, plan.experiment, plan.facts)
    write_plan(plan)
    random, origin = np.random.default_rng(0), Origin(1.0, versions={"python": "3"}, hardware="any", code="made")
    index = plan.dataset.index
    names = [CaseName(*map(str, row)) for row in zip(index["case"], index["subject"], index["centre"], strict=True)]
    for unit in plan.units:
        cases = tuple(names[i] for i in plan.folds[unit.repeat, unit.fold].test)
        if unit.kind == "method":
            write_training(training_path(plan.folder, unit), TrainingUnit(SCHEMA, unit.key, "done", "", origin=origin), (), {})
        head = MeasuringUnit(SCHEMA, unit.key, cases, (unit.name,), origin=origin)
        write_measuring(measuring_path(plan.folder, unit), head, _parts(plan, unit, len(cases), random))


def _parts(plan: Plan, unit: PlannedUnit, n_cases: int, random: np.random.Generator) -> dict[str, object]:
    classes = tuple(plan.dataset.classes[1:])
    values = random.uniform(0.5, 1, (1, n_cases, len(classes), 1))
    made: dict[str, object] = {
        "rows": Rows("dice", "", "truth", classes, ("",), values, np.ones((1, n_cases), bool)),
        "single": SingleRaters("dice", "", (), classes, ("",), np.zeros((0, 3), np.int32), np.zeros((0, len(classes), 1))),
        "calibration": Calibration("truth", ("image", "foreground"), np.ones((n_cases, 2, 11, 3), np.int64)),
        "values": ValueCounts((), np.zeros((n_cases, 0, 22), np.int64)),
        "raters": RaterErrors((), (), np.zeros((0, 2, 2)), np.zeros((0, 2, 2))),
        "predicted": PredictedPictures(()),
    }
    return {name: made[name.partition("/")[0]] for name in plan.parts[unit.kind].names}
