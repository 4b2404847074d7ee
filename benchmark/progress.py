"""What a person sees while units run: the plan, a bar, and when it will be over."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

from .plan import Plan
from .store import Record
from .unit import Task


class Progress:
    """Prints the plan, then a line and a moving bar for each unit that ends.

    The estimate starts from timed training steps and turns to the mean of finished units, of methods and of label rows apart.
    """

    def __init__(
        self, plan: Plan, todo: Sequence[Task], jobs: int, unit_seconds: float, console: Console | None = None
    ) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self.jobs = max(1, min(jobs, len(todo)))
        self.left = [task.candidate is not None for task in todo]
        self.seconds: dict[bool, list[float]] = {True: [], False: []}
        self.guess = {True: unit_seconds, False: 0.1 * unit_seconds}
        self.start = time.monotonic()
        self.failed = 0
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[eta]}"),
            console=self.console,
        )
        announce(plan, self.jobs, todo, self.remaining(), self.console)
        self._task = self._bar.add_task("units", total=len(todo), eta=f"about {duration(self.remaining())} left")

    def remaining(self) -> float:
        """Seconds until all units are done."""
        mean = {k: sum(v) / len(v) if v else self.guess[k] for k, v in self.seconds.items()}
        return sum(mean[is_method] for is_method in self.left) / self.jobs

    def finished(self, record: Record) -> None:
        """Count a unit that has ended."""
        is_method = record.kind == "method"
        self.left.remove(is_method)
        self.seconds[is_method].append(float(record.meta.get("seconds") or 0.0))
        name = f"{record.candidate}, repeat {record.repeat + 1}, fold {record.fold + 1}"
        if record.status == "failed":
            self.failed += 1
            self._bar.console.print(f"failed: {name}: {record.reason}", style="red")
        for warning in record.meta.get("warnings") or []:
            self._bar.console.print(f"warning: {name}: {warning}", style="yellow")
        eta = f"about {duration(self.remaining())} left" if self.left else f"took {duration(time.monotonic() - self.start)}"
        self._bar.update(self._task, advance=1, eta=eta)
        if not self.console.is_terminal:
            self.console.print(f"{self._bar.tasks[0].completed:.0f}/{self._bar.tasks[0].total:.0f} {name}; {eta}")

    def __enter__(self) -> Self:
        if self.left and self.console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()
        if self.failed:
            self.console.print(f"{self.failed} units failed; their reasons are in the report (run again with --retry-failed)")


def announce(
    plan: Plan, jobs: int, todo: Sequence[Task] | None = None, seconds: float = 0.0, console: Console | None = None
) -> None:
    """Print what will run, before anything does."""
    console = console or Console(stderr=True, highlight=False)
    todo = plan.missing() if todo is None else todo
    facts, split = plan.facts, plan.experiment.split
    console.print(
        f"[bold]{plan.experiment.name}[/bold]: {len(plan.experiment.candidates)} candidates on {facts['dataset']} "
        f"({facts['n_subjects']} subjects, {facts['n_cases']} cases, {len(facts['raters'])} raters), "
        f"{split.policy}, {1 + max(task.fold.fold for task in plan.tasks)} folds, {split.repeats} repeats"
    )
    for name, reason in plan.skipped.items():
        console.print(f"skipped: {name}: {reason}", style="yellow")
    todo = [task for task in todo if task.name not in plan.skipped]
    done = len(plan.tasks) - len(todo) - sum(task.name in plan.skipped for task in plan.tasks)
    if not todo:
        console.print(f"{len(plan.tasks)} units: all done, nothing to run")
        return
    jobs = max(1, min(jobs or cores(), len(todo)))
    time_left = f"; about {duration(seconds)}" if seconds else ""
    console.print(f"{len(plan.tasks)} units: {done} done, {len(todo)} to run, {jobs} side by side{time_left}")


def cores() -> int:
    """How many units run side by side by default: the cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def duration(seconds: float) -> str:
    """``45 s``, ``3 min`` or ``1 h 10 min``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
