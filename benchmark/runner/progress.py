"""What a person sees while units run: the plan, a bar, and when it will be over."""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn
from rich.progress import Progress as Bar
from rich.progress import Task as BarTask
from rich.text import Text

from ...names import visible
from ..store.units import Record
from .estimate import Estimate
from .plan import Plan
from .shown_steps import duration
from .unit import Task
from .workers import cores

STARTUP_SECONDS = 6.0
"""Until a worker has imported what it needs; the first unit that ends shows how long it really was."""


class Progress:
    """Prints the plan, then a line for each unit that ends, and a moving bar on a terminal.

    The time left starts from timed steps and turns to the mean of finished units, of methods and of label rows apart.
    """

    def __init__(
        self, plan: Plan, todo: Sequence[Task], jobs: int, first: Estimate | None = None, console: Console | None = None
    ) -> None:
        self.console = console or _console()
        self.jobs = max(1, min(jobs, len(todo)))
        self.left = {task.key: task.candidate is not None for task in todo}
        self.total = len(todo)
        first = first or Estimate()
        self.guess = {True: first.method, False: first.labels}
        self.seconds: dict[bool, list[float]] = {True: [], False: []}
        self.startup, self.start = STARTUP_SECONDS, time.monotonic()
        self.failed = 0
        announce(plan, self.jobs, todo, expected_seconds(todo, first, self.jobs), self.console)
        columns = (TextColumn("units"), BarColumn(), MofNCompleteColumn(), _TimeLeft(self))
        # Twice a second is enough, and leaves the cores to the units.
        self._bar = Bar(*columns, console=self.console, refresh_per_second=2)
        self._task = self._bar.add_task("units", total=self.total)

    def remaining(self) -> float:
        """Seconds until all units are done: finished units as long as they were, the others as long as their mean."""
        mean = {kind: sum(known) / len(known) if known else self.guess[kind] for kind, known in self.seconds.items()}
        durations = [*self.seconds[True], *self.seconds[False], *(mean[kind] for kind in self.left.values())]
        return max(1.0, self.startup + makespan(durations, self.jobs) - (time.monotonic() - self.start))

    def finished(self, record: Record) -> None:
        """Count a unit that has ended."""
        kind = self.left.pop(record.key)
        seconds = float(record.meta.get("seconds") or 0.0)
        if not any(self.seconds.values()):
            self.startup = max(0.0, time.monotonic() - self.start - seconds)
        self.seconds[kind].append(seconds)
        name = f"{record.candidate}, repeat {record.repeat}, fold {record.fold}"
        if record.status == "failed":
            self.failed += 1
            _say(self.console, f"failed: {name}: {record.reason}", "red")
        for warning in record.meta.get("warnings") or []:
            _say(self.console, f"warning: {name}: {warning}", "yellow")
        self._bar.advance(self._task)
        if not self.console.is_terminal:
            _say(self.console, f"{self.total - len(self.left)}/{self.total} {name}; {self.words()}")

    def words(self) -> str:
        """How long it will take, or took."""
        if self.left:
            return f"about {duration(self.remaining())} left"
        return f"took {duration(time.monotonic() - self.start)}"

    def __enter__(self) -> Self:
        if self.left and self.console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.console.is_terminal:
            self._bar.stop()
        if self.failed:
            what = "1 unit failed; its reason is" if self.failed == 1 else f"{self.failed} units failed; their reasons are"
            _say(self.console, f"{what} in the report (run again with --retry-failed)", "red")


class _TimeLeft(ProgressColumn):
    """Counts down between units, which may take minutes each."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self.progress = progress

    def render(self, task: BarTask) -> Text:
        del task
        return Text(self.progress.words())


def announce(
    plan: Plan, jobs: int, todo: Sequence[Task] | None = None, seconds: float = 0.0, console: Console | None = None
) -> None:
    """Print what will run, before anything does."""
    console = console or _console()
    todo = plan.missing() if todo is None else todo
    facts, experiment, units = plan.facts, plan.experiment, plan.runnable()
    folds = len({task.fold.fold for task in plan.tasks})
    repeats = len({task.fold.repeat for task in plan.tasks})
    policy = "split manifest" if experiment.split.manifest else experiment.split.policy
    _say(
        console,
        f"{experiment.name}: {counted(len(experiment.candidates), 'candidate')} on {facts['dataset']} "
        f"({counted(facts['n_subjects'], 'subject')}, {counted(facts['n_cases'], 'case')}, "
        f"{counted(len(facts['raters']), 'rater')}, {len(facts['classes'])} classes), {policy}, "
        f"{counted(folds, 'fold')}, {counted(repeats, 'repeat')}; results in {plan.folder}",
    )
    for warning in facts["warnings"]:
        _say(console, f"warning: {warning}", "yellow")
    for name, reason in plan.skipped.items():
        _say(console, f"skipped: {name}: {reason}", "yellow")
    for question in facts["questions"]:
        _say(console, f"Beware: {question}", "yellow")
    if not todo:
        _say(console, f"{counted(len(units), 'unit')}: all done, nothing to run")
    else:
        side = max(1, min(jobs or cores(), len(todo)))
        time_left = f"; about {duration(seconds)}" if seconds else ""
        _say(
            console,
            f"{counted(len(units), 'unit')}: {len(units) - len(todo)} done, {len(todo)} to run, {side} at a time{time_left}",
        )
    if damaged := plan.damaged(todo):
        what = f"{counted(len(damaged), 'unit')} of these had a file that is damaged or another unit's"
        _say(console, f"{what}, and will be computed again", "yellow")
    if len(todo) < len(units) and (outdated := plan.outdated()):
        of = Counter(task.name for task, _ in outdated)
        who = ", ".join(f"{counted(n, 'unit')} of {name}" for name, n in of.items())
        how = "; ".join(dict.fromkeys(difference for _, differ in outdated for difference in differ))
        _say(console, f"computed by other code, libraries or machines: {who} ({how}); a fresh run computes all again", "yellow")


def expected_seconds(todo: Sequence[Task], first: Estimate, jobs: int) -> float:
    """How long the units may take that are to run, ``jobs`` side by side; 0 where nothing is known of them."""
    if not todo or not (first.method or first.labels):
        return 0.0
    durations = (first.method if task.candidate else first.labels for task in todo)
    return STARTUP_SECONDS + makespan(durations, max(1, min(jobs or cores(), len(todo))))


def makespan(durations: Iterable[float], jobs: int) -> float:
    """When the last of some tasks ends that are taken up in this order by ``jobs`` workers."""
    slots = [0.0] * jobs
    for seconds in durations:
        heapq.heapreplace(slots, slots[0] + seconds)
    return max(slots)


def counted(n: int, word: str) -> str:
    """``1 fold``, ``5 folds``."""
    return f"{n} {word}" if n == 1 else f"{n} {word}s"


def _console() -> Console:
    return Console(stderr=True, highlight=False)


def _say(console: Console, text: str, style: str | None = None) -> None:
    """A line as it is: reasons hold brackets that are no markup, and a log file needs no line breaks."""
    console.print(Text(visible(text)), style=style, soft_wrap=True)
