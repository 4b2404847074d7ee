"""Run a plan: units side by side in one-thread processes, resumed where an earlier run ended, surviving what a unit does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import torch

from ...errors import RaterbenchError
from ...methods.learning.network import NetworkMethod
from ...whole_files import remove_leftovers
from ..experiment.experiment import Experiment
from ..experiment.factory import build_method
from ..store.results import Results, read_results
from ..store.units import Record, write_json, write_record
from .estimate import Estimate, estimate
from .plan import Plan, make_plan
from .progress import Progress, announce, expected_seconds
from .shown_steps import shown_steps
from .unit import Task, compute
from .workers import Died, cores, only_run, own_output, side_by_side, start_template

IMPORTS = (f"{__package__}.template",)
"""What the template of a run imports before units are forked from it."""


def run(
    experiment: Experiment,
    out: str | Path | None = None,
    *,
    data: str | None = None,
    jobs: int = 0,
    device: str = "cpu",
    retry_failed: bool = False,
    fresh: bool = False,
    timeout: float | None = None,
) -> Results:
    """Run what is missing of an experiment, and read everything back.

    Args:
        experiment: from ``read_experiment`` or built in Python.
        out: the results folder, by default ``results/<experiment's name>``.
        data: the folder that holds downloaded data.
        jobs: units side by side; 0 is one for each core.
        device: ``cpu`` or ``cuda``.
        retry_failed: run failed units again.
        fresh: run everything again.
        timeout: seconds after which a unit is ended and is a failed one; by default the experiment's.

    Raises:
        RaterbenchError: the experiment cannot be planned, or no unit could be finished.
    """
    folder = Path(out or Path("results") / experiment.name)
    with shown_steps():
        plan = make_plan(experiment, folder, data=data, device=check_device(device))
        execute(plan, jobs=jobs, retry_failed=retry_failed, fresh=fresh, timeout=timeout)
    return read_results(folder)


def execute(
    plan: Plan, *, jobs: int = 0, retry_failed: bool = False, fresh: bool = False, timeout: float | None = None
) -> None:
    """Run the tasks of a plan that have no stored unit, and store each as it ends; arguments as those of :func:`run`.

    Raises:
        RaterbenchError: another run holds the folder, or it cannot be written.
    """
    if jobs < 0:
        raise RaterbenchError(f"--jobs {jobs} makes no sense: give the number of units side by side, or 0 for one a core")
    try:
        with only_run(plan.folder):
            _execute(plan, jobs or cores(), retry_failed=retry_failed, fresh=fresh, timeout=timeout)
    except BrokenPipeError:
        raise  # Whoever read the progress has gone; no file is to blame.
    except OSError as error:
        place = error.filename or plan.folder
        raise RaterbenchError(f"{place} cannot be read or written: {error.strerror or error}") from error


def dry_run(plan: Plan, *, jobs: int = 0, retry_failed: bool = False, fresh: bool = False) -> None:
    """Say what ``execute`` would run, and how long it may take; a few training steps are timed for it."""
    todo = plan.runnable() if fresh else plan.missing(retry_failed=retry_failed)
    announce(plan, jobs, todo, expected_seconds(todo, first_estimate(plan, todo), jobs))


def _execute(plan: Plan, jobs: int, *, retry_failed: bool, fresh: bool, timeout: float | None) -> None:
    for place in (plan.folder, plan.folder / "units"):
        remove_leftovers(place)
    write_plan(plan)
    todo = plan.runnable() if fresh else plan.missing(retry_failed=retry_failed)
    if fresh:
        # Else a fresh run that is stopped would leave old units among new ones, and the next run would take them for new.
        for task in todo:
            plan.path(task).unlink(missing_ok=True)
    for record in plan.skipped_records():
        write_record(plan.folder, record)
    if todo:
        start_template(IMPORTS)
    with Progress(plan, todo, jobs, first_estimate(plan, todo)) as progress:
        for record in _results(plan, todo, jobs, timeout or plan.experiment.timeout):
            progress.finished(record)


def write_plan(plan: Plan) -> None:
    """Write ``experiment.json`` and ``splits.json``."""
    stored = {"experiment": plan.experiment.to_json(), "facts": plan.facts, "units": plan.listed()}
    write_json(plan.folder / "experiment.json", stored)
    write_json(plan.folder / "splits.json", plan.manifest)


def check_device(device: str) -> str:
    """The device if this machine has it.

    Raises:
        RaterbenchError: CUDA is asked for and not there, or the word is unknown.
    """
    if device not in ("cpu", "cuda"):
        raise RaterbenchError(f"--device {device!r} is unknown: use cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise RaterbenchError("--device cuda: torch sees no CUDA device here; use --device cpu or install torch's CUDA build")
    return device


def first_estimate(plan: Plan, todo: Sequence[Task]) -> Estimate:
    """Seconds that units may take, before any has run; zeros where no network is trained, or nothing is to do."""
    for task in todo:
        if task.candidate and isinstance(build_method(task.candidate, plan.experiment), NetworkMethod):
            return estimate(plan.experiment, plan.dataset, task.fold)
    return Estimate()


def _results(plan: Plan, todo: Sequence[Task], jobs: int, timeout: float | None) -> Iterator[Record]:
    """Finished records, without their rows, in the order they end.

    A unit whose process died is tried once more after all others, alone: what killed it may have been its neighbours' memory.
    """
    folder = plan.folder.absolute()  # A method may change the working directory of its process.
    work, died = partial(_work, folder), list[Task]()
    for task, outcome in side_by_side(todo, work, jobs, timeout=timeout, imports=IMPORTS):
        if isinstance(outcome, Died) and not outcome.late:
            died.append(task)
        else:
            yield _ended(folder, task, outcome, outcome.how) if isinstance(outcome, Died) else outcome
    for dead in died:
        for task, outcome in side_by_side([dead], work, 1, timeout=timeout):
            if isinstance(outcome, Died):
                reason = outcome.how if outcome.late else f"its process died twice: {outcome.how}"
                yield _ended(folder, task, outcome, reason)
            else:
                yield outcome


def _ended(folder: Path, task: Task, died: Died, reason: str) -> Record:
    """The stored record of a unit that could not write its own."""
    record = task.record("failed", reason=reason, meta={"printed": died.output} if died.output else {})
    write_record(folder, record)
    return record


def _work(folder: Path, task: Task) -> Record:
    """What a worker does: compute and store. What comes back is the record without its rows."""
    record = compute(task)
    if printed := own_output():
        record.meta["printed"] = printed
    try:
        write_record(folder, record)
    except TypeError as error:
        record = task.record(
            "failed", reason=f"what it gave cannot be stored: {error}", meta={"seconds": record.meta["seconds"]}
        )
        write_record(folder, record)
    meta = {name: record.meta.get(name) for name in ("seconds", "warnings")}
    return task.record(record.status, reason=record.reason, meta=meta)
