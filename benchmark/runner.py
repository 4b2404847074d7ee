"""Run a plan: units side by side in one-thread processes, resumed where an earlier run ended, surviving what a unit does."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import BrokenProcessPool

from ..datasets.errors import RaterbenchError
from .experiment import Experiment
from .plan import Plan, estimate_seconds, make_plan
from .progress import Progress, cores
from .results import Results, read_results
from .store import Record, write_json, write_record
from .unit import Task, compute, open_dataset


def run(
    experiment: Experiment,
    out: str | Path | None = None,
    *,
    data: str | None = None,
    jobs: int = 0,
    device: str = "cpu",
    retry_failed: bool = False,
    fresh: bool = False,
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

    Raises:
        RaterbenchError: the experiment cannot be planned, or no unit could be finished.
    """
    folder = Path(out or Path("results") / experiment.name)
    plan = make_plan(experiment, folder, data=data, device=check_device(device))
    execute(plan, jobs=jobs, retry_failed=retry_failed, fresh=fresh)
    return read_results(folder)


def execute(plan: Plan, *, jobs: int = 0, retry_failed: bool = False, fresh: bool = False) -> None:
    """Run the tasks of a plan that have no stored unit, and store each as it ends."""
    write_plan(plan)
    todo = plan.tasks if fresh else plan.missing(retry_failed=retry_failed)
    for record in plan.skipped_records():
        write_record(plan.folder, record)
    todo = [task for task in todo if task.name not in plan.skipped]
    jobs = jobs or cores()
    with Progress(plan, todo, jobs, first_estimate(plan, todo)) as progress:
        for record in _results(plan.folder, todo, jobs):
            progress.finished(record)


def write_plan(plan: Plan) -> None:
    """Write ``experiment.json`` and ``splits.json``."""
    keys = [task.key for task in plan.tasks]
    write_json(plan.folder / "experiment.json", {"experiment": plan.experiment.to_json(), "facts": plan.facts, "keys": keys})
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


def first_estimate(plan: Plan, todo: Sequence[Task]) -> float:
    """Seconds a unit may take, before any has run; 0 where nothing is to do."""
    fold = next((task.fold for task in todo if task.candidate), None)
    if fold is None:
        return 0.0
    return estimate_seconds(plan.experiment, open_dataset(plan.experiment, todo[0].data), fold)


def _results(folder: Path, todo: Sequence[Task], jobs: int) -> Iterator[Record]:
    """Finished records in the order they end. If a worker dies, the units that were running are tried once more, alone."""
    left = {task.key: task for task in todo}
    suspects: list[Task] = []
    while left:
        try:
            for record in _pool(folder, list(left.values()), jobs):
                del left[record.key]
                yield record
        except BrokenProcessPool:
            running = _running(folder)
            suspects = [task for task in left.values() if task.key in running]
            # Whoever was running may be the culprit: nobody else shares a pool with it again.
            for task in suspects or list(left.values()):
                del left[task.key]
                yield _alone(folder, task)
    _clear(folder)


def _alone(folder: Path, task: Task) -> Record:
    try:
        return next(iter(_pool(folder, [task], 1)))
    except BrokenProcessPool:
        record = Record(
            task.key,
            task.name,
            "method" if task.candidate else "labels",
            task.order,
            task.fold.repeat,
            task.fold.fold,
            "failed",
            "its process died (killed, or out of memory)",
        )
        write_record(folder, record)
        return record


def _pool(folder: Path, todo: Sequence[Task], jobs: int) -> Iterator[Record]:
    _clear(folder)
    with parallel_config(backend="loky", inner_max_num_threads=1):
        pool = Parallel(n_jobs=min(jobs, len(todo)), return_as="generator_unordered", batch_size=1, pre_dispatch="n_jobs")
        yield from pool(delayed(_work)(folder, task, os.getpid()) for task in todo)


def _work(folder: Path, task: Task, parent: int) -> Record:
    """What a worker does: leave a mark, compute, store, take the mark away. The record comes back without its rows."""
    _die_with(parent)
    mark = _marks(folder) / task.key
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    record = compute(task)
    write_record(folder, record)
    mark.unlink(missing_ok=True)
    meta = {k: record.meta.get(k) for k in ("seconds", "warnings")}
    return Record(
        record.key,
        record.candidate,
        record.kind,
        record.order,
        record.repeat,
        record.fold,
        record.status,
        record.reason,
        meta=meta,
    )


def _die_with(parent: int) -> None:
    """End this process soon after its parent: a killed run must not leave workers that compete with the next one."""
    if any(thread.name == "raterbench-watch" for thread in threading.enumerate()):
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, name="raterbench-watch", daemon=True).start()


def _marks(folder: Path) -> Path:
    return folder / "units" / ".running"


def _running(folder: Path) -> set[str]:
    return {mark.name for mark in _marks(folder).glob("*")}


def _clear(folder: Path) -> None:
    for mark in _marks(folder).glob("*"):
        mark.unlink(missing_ok=True)
    for temporary in (folder / "units").glob(".*.tmp"):
        temporary.unlink(missing_ok=True)
    if _marks(folder).is_dir():
        _marks(folder).rmdir()
