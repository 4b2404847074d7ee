"""Run a plan: units side by side in one-thread processes, resumed where an earlier run ended, surviving what a unit does."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch

from ...errors import RaterbenchError
from ...plugin_errors import is_foreign
from ...whole_files import remove_leftovers
from ..experiment.experiment import Experiment
from ..experiment.factory import build_fusions, build_method
from ..store.catalogue import Catalogue
from ..store.declaration import record_declaration
from ..store.results import Results, read_results
from ..store.run_file import write_json
from ..store.units import PlannedUnit, measuring_path, training_path, write_training
from .engines.engine import Engine
from .engines.local import Local
from .engines.work import Ended, Task, not_fused
from .estimate import Estimate, estimate, trains_networks
from .fuse_references import is_stored
from .measure import store_failure
from .plan import Plan, make_plan
from .progress import Progress, announce, expected_seconds
from .shown_steps import shown_steps
from .tasks import MeasuringTask, TrainingTask
from .train import ended_unit
from .workers import Died, only_run


def run(
    experiment: Experiment,
    out: str | Path | None = None,
    *,
    data: str | None = None,
    jobs: int = 0,
    engine: Engine | None = None,
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
        jobs: units side by side on this machine; 0 is one for each core.
        engine: where units are computed, by default on this machine.
        device: ``cpu`` or ``cuda``.
        retry_failed: run failed units again.
        fresh: run everything again.
        timeout: seconds after which a unit is ended and is a failed one; by default the experiment's.

    Raises:
        RaterbenchError: the experiment cannot be planned, or no unit could be finished.
    """
    folder = Path(out or Path("results") / experiment.name)
    with shown_steps():
        engine = engine or Local(jobs)
        plan = make_plan(experiment, folder, data=data, device=check_device(device))
        execute(plan, engine=engine, retry_failed=retry_failed, fresh=fresh, timeout=timeout)
    return read_results(folder)


def execute(
    plan: Plan,
    *,
    jobs: int = 0,
    engine: Engine | None = None,
    retry_failed: bool = False,
    fresh: bool = False,
    timeout: float | None = None,
) -> None:
    """Run the tasks of a plan that have no stored unit, and store each as it ends; arguments as those of :func:`run`.

    Raises:
        RaterbenchError: another run holds the folder, or it cannot be written.
    """
    engine = engine or Local(jobs)
    try:
        with only_run(plan.folder):
            _execute(plan, engine, retry_failed=retry_failed, fresh=fresh, timeout=timeout)
    except BrokenPipeError:
        raise  # Whoever read the progress has gone; no file is to blame.
    except OSError as error:
        place = error.filename or plan.folder
        raise RaterbenchError(f"{place} cannot be read or written: {error.strerror or error}") from error


def dry_run(plan: Plan, engine: Engine, *, retry_failed: bool = False, fresh: bool = False) -> None:
    """Say what ``execute`` would run, and how long it may take; a few training steps are timed for it."""
    todo = what_to_do(plan, fresh=fresh, retry_failed=retry_failed)
    jobs = engine.jobs
    announce(plan, jobs, todo, expected_seconds(todo, first_estimate(plan, todo), jobs))


@dataclass(frozen=True)
class Todo:
    """What is missing: training units, the parts that can be measured now, and those that wait until their unit is trained."""

    training: Sequence[TrainingTask]
    measuring: Mapping[PlannedUnit, tuple[str, ...]]
    after_training: Mapping[PlannedUnit, tuple[str, ...]]

    @property
    def units(self) -> set[PlannedUnit]:
        """All units that are not complete."""
        return {*self.measuring, *self.after_training, *(task.unit for task in self.training)}


def what_to_do(plan: Plan, *, fresh: bool = False, retry_failed: bool = False) -> Todo:
    """What of the plan is missing. A failed training is not repeated unless asked for, and has nothing to be measured."""
    catalogue = Catalogue(plan.folder)
    training = plan.to_train(catalogue, fresh=fresh, retry_failed=retry_failed)
    trained_now = {task.unit.key for task in training}
    ready, later = [], []
    for unit in plan.distinct():
        if unit.key in trained_now:
            later.append(unit)
        elif unit.kind != "method" or ((known := plan.known_training(unit, catalogue)) is not None and known.status == "done"):
            ready.append(unit)
    # What is trained again is measured again.
    todo = Todo(
        training,
        plan.to_measure(ready, catalogue, fresh=fresh, retry_failed=retry_failed),
        plan.to_measure(later, catalogue, fresh=True),
    )
    catalogue.save()
    return todo


def _execute(plan: Plan, engine: Engine, *, retry_failed: bool, fresh: bool, timeout: float | None) -> None:
    for place in (plan.folder, plan.folder / "units", plan.folder / "references"):
        remove_leftovers(place)
    # Before anything of it is there, and before ``fresh`` takes away what shows that somebody has seen results.
    record_declaration(plan.folder, plan.experiment, plan.facts)
    write_plan(plan)
    todo = what_to_do(plan, fresh=fresh, retry_failed=retry_failed)
    for unit in todo.after_training if not fresh else todo.units:
        # Otherwise a run that is stopped would leave old files, and the next run would take them for new ones.
        measuring_path(plan.folder, unit).unlink(missing_ok=True)
    if fresh:
        for trained in todo.training:
            training_path(plan.folder, trained.unit).unlink(missing_ok=True)
        for fused in plan.references:
            fused.path.unlink(missing_ok=True)
    _store_skipped(plan)
    with ExitStack() as started:
        if todo.units:
            started.enter_context(engine)
        progress = started.enter_context(Progress(plan, todo, engine.jobs if todo.units else 1, first_estimate(plan, todo)))
        for task, ended in _run_tasks(plan, todo, engine, timeout or plan.experiment.timeout):
            progress.at_a_time(engine.jobs)
            progress.finished(task, ended)
    if todo.units:
        what_to_do(plan)  # It notes what there is now, so that the next run need not read it.


def _store_skipped(plan: Plan) -> None:
    """Store why candidates cannot run, unless it is stored already."""
    for unit, task in plan.training.items():
        if plan.is_own(unit) and (reason := plan.skipped.get(unit.name)):
            stored = plan.trained(unit)
            if stored is None or (stored.status, stored.reason) != ("skipped", reason):
                write_training(training_path(plan.folder, unit), ended_unit(task, "skipped", reason), (), {})


def write_plan(plan: Plan) -> None:
    """Write ``experiment.json`` and ``splits.json``."""
    stored = {"experiment": plan.experiment.to_json(), "facts": plan.facts, **plan.listed()}
    write_json(plan.folder / "experiment.json", stored)
    write_json(plan.folder / "splits.json", plan.manifest)


def check_device(device: str, *, here: bool = True) -> str:
    """The device if this machine has it, or whatever it has if it computes nothing ``here``.

    Raises:
        RaterbenchError: CUDA is asked for and not there, or the word is unknown.
    """
    if device not in ("cpu", "cuda"):
        raise RaterbenchError(f"--device {device!r} is unknown: use cpu or cuda")
    if here and device == "cuda" and not torch.cuda.is_available():
        raise RaterbenchError("--device cuda: torch sees no CUDA device here; use --device cpu or install torch's CUDA build")
    return device


def first_estimate(plan: Plan, todo: Todo) -> Estimate:
    """Seconds that units may take, before any has run; zeros where no network is trained, or nothing is to do."""
    for task in todo.training:
        if trains_networks(build_method(task.candidate, plan.experiment)):
            return estimate(plan.experiment, plan.dataset, task.fold)
    return Estimate()


def _run_tasks(plan: Plan, todo: Todo, engine: Engine, timeout: float | None) -> Iterator[tuple[Task, Ended]]:
    """Tasks with how they ended: references first, then training, each unit measured as soon as it is trained.

    A task whose process died, or that found a GPU full, is tried once more after all others, alone: what ended it may have been
    its neighbours' memory.
    Units that were measured together are then measured one by one.
    """
    waiting: deque[Task] = deque()
    if todo.units:
        waiting += [task for task in plan.references if not is_stored(task.path, task.key)]
    waiting += _measuring_tasks(plan, todo.measuring)
    waiting += todo.training
    later = {unit.key: (unit, parts) for unit, parts in todo.after_training.items()}
    died: list[Task] = []
    for task, outcome in engine.compute(plan, waiting, timeout=timeout):
        if isinstance(outcome, Died):
            if isinstance(task, MeasuringTask) and len(task.units) > 1:
                died += [plan.measuring_task({u: w}, task.fold) for u, w in zip(task.units, task.wanted, strict=True)]
            elif outcome.final:
                yield task, _store_death(task, outcome, outcome.how)
            else:
                died.append(task)
            continue
        if isinstance(task, TrainingTask) and not outcome.failed and task.unit.key in later:
            unit, parts = later.pop(task.unit.key)
            waiting.appendleft(plan.measuring_task({unit: parts}, task.fold))
        yield task, outcome
    again, tried = deque(died), list(died)
    for task, outcome in engine.compute(plan, again, timeout=timeout, alone=True):
        if isinstance(outcome, Died):
            if not outcome.final and not any(task is one for one in tried):  # It measures what was trained in this round.
                tried.append(task)
                again.append(task)
                continue
            yield task, _store_death(task, outcome, outcome.how if outcome.final else f"{outcome.again}: {outcome.how}")
            continue
        if isinstance(task, TrainingTask) and not outcome.failed and task.unit.key in later:
            unit, parts = later.pop(task.unit.key)
            again.append(plan.measuring_task({unit: parts}, task.fold))
        yield task, outcome


def _measuring_tasks(plan: Plan, todo: Mapping[PlannedUnit, tuple[str, ...]]) -> list[MeasuringTask]:
    """The units of a fold together, so that its cases are read once; a plug-in's fusion alone, in a process of its own."""
    fusions = build_fusions(plan.experiment)
    groups: dict[tuple[tuple[int, int], str], dict[PlannedUnit, tuple[str, ...]]] = {}
    for unit, parts in todo.items():
        alone = unit.kind == "fusion" and is_foreign(type(fusions[unit.name]))
        groups.setdefault(((unit.repeat, unit.fold), unit.name if alone else ""), {})[unit] = parts
    return [plan.measuring_task(units, plan.folds[place]) for (place, _), units in groups.items()]


def _store_death(task: Task, died: Died, reason: str) -> Ended:
    """Store the end of a task that could not do so itself."""
    if isinstance(task, TrainingTask):
        unit = ended_unit(task, "failed", reason, printed=died.output)
        write_training(training_path(task.setting.folder, task.unit), unit, (), {})
    elif isinstance(task, MeasuringTask):
        store_failure(task, reason, died.output)
    else:
        return not_fused(0.0, reason)
    return Ended(failed=((task.words, reason),))
