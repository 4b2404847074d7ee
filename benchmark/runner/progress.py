"""What a person sees while units run: the plan, a bar, and when it will be over."""

from __future__ import annotations

import heapq
import itertools
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn
from rich.progress import Progress as Bar
from rich.progress import Task as BarTask
from rich.text import Text

from ...names import visible
from .estimate import Estimate
from .plan import Plan
from .shown_steps import duration
from .tasks import ReferenceTask, TrainingTask
from .workers import cores

if TYPE_CHECKING:
    from .engines.work import Ended, Task
    from .run import Todo

STARTUP_SECONDS = 6.0
"""Until a worker has imported what it needs; the first unit that ends shows how long it really was."""


class Progress:
    """Prints the plan, then a line for each unit that ends, and a moving bar on a terminal.

    The time left starts from timed steps and turns to the mean of what is finished, of training and of measuring apart.
    """

    def __init__(
        self, plan: Plan, todo: Todo, jobs: int, first: Estimate | None = None, console: Console | None = None
    ) -> None:
        self.console = console or _console()
        first = first or Estimate()
        self.total = len(todo.units)
        self.durations: list[float] = []
        self.at_a_time(jobs)
        self.left, self.to_train = set(todo.units), {task.unit for task in todo.training}
        self.guess = {"training": first.method, "measuring": first.labels}
        self.seconds, self.ended = {"training": 0.0, "measuring": 0.0}, {"training": 0, "measuring": 0}
        self.startup, self.start = STARTUP_SECONDS, time.monotonic()
        self.failed = 0
        announce(plan, self.jobs, todo, expected_seconds(todo, first, self.jobs), self.console)
        columns = (TextColumn("units"), BarColumn(), MofNCompleteColumn(), _TimeLeft(self))
        # Twice a second is enough, and leaves the cores to the units.
        self._bar = Bar(*columns, console=self.console, refresh_per_second=2)
        self._task = self._bar.add_task("units", total=self.total)

    def at_a_time(self, jobs: int) -> None:
        """Say how many units are computed at a time: of a cluster the number changes."""
        self.jobs = max(1, min(jobs, self.total))
        self.busy = busy_after(self.durations, [0.0] * self.jobs)

    def remaining(self) -> float:
        """Seconds until all is done: what is finished took as long as it did, the rest will take as long as the mean.

        It is asked for at the end of each unit, so the time that it takes must not grow with the number of units.
        """
        busy = self.busy
        for what, left in (("training", len(self.to_train)), ("measuring", len(self.left))):
            n = self.ended[what]
            busy = busy_after_equal(self.seconds[what] / n if n else self.guess[what], left, busy)
        return max(1.0, self.startup + max(busy) - (time.monotonic() - self.start))

    def finished(self, task: Task, ended: Ended) -> None:
        """Say how a task ended, and count the units that are complete with it: those measured, or whose training failed."""
        for words, reason in ended.failed:
            self.failed += 1
            _say(self.console, f"failed: {words}: {reason}", "red")
        for warning in ended.warnings:
            _say(self.console, f"warning: {task.words}: {warning}", "yellow")
        if isinstance(task, ReferenceTask):
            return
        if not self.durations:
            self.startup = max(0.0, time.monotonic() - self.start - ended.seconds)
        if isinstance(task, TrainingTask):
            self._count("training", ended.seconds, 1)
            self.to_train.discard(task.unit)
            complete = self.left & {task.unit} if ended.failed else set()
        else:
            self._count("measuring", ended.seconds, len(task.units))
            complete = self.left.intersection(task.units)
        self.left -= complete
        self._bar.advance(self._task, len(complete))
        if complete and not self.console.is_terminal:
            _say(self.console, f"{self.total - len(self.left)}/{self.total} {task.words}; {self.words()}")

    def _count(self, what: Literal["training", "measuring"], seconds: float, n: int) -> None:
        """Count what took so many seconds: ``n`` trainings or measurements one after the other."""
        self.seconds[what] += seconds
        self.ended[what] += n
        self.durations += [seconds / n] * n
        self.busy = busy_after([seconds / n] * n, self.busy)

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


def announce(plan: Plan, jobs: int, todo: Todo, seconds: float = 0.0, console: Console | None = None) -> None:
    """Print what will run, before anything does."""
    console = console or _console()
    facts, experiment, units = plan.facts, plan.experiment, plan.distinct()
    folds = len({fold for _, fold in plan.folds})
    repeats = len({repeat for repeat, _ in plan.folds})
    policy = "split manifest" if experiment.split.manifest else experiment.split.policy
    _say(
        console,
        f"{experiment.name}: {counted(len(experiment.candidates), 'candidate')} on {facts['dataset']} "
        f"({counted(facts['n_subjects'], 'subject')}, {counted(facts['n_cases'], 'case')}, "
        f"{counted(len(facts['raters']), 'rater')}, {len(facts['classes'])} classes), {policy}, "
        f"{counted(folds, 'fold')}, {counted(repeats, 'repeat')}; results in {plan.folder}",
    )
    if facts["learned"]:
        _say(console, facts["learned"])
    for warning in facts["warnings"]:
        _say(console, f"warning: {warning}", "yellow")
    for name, reason in plan.skipped.items():
        _say(console, f"skipped: {name}: {reason}", "yellow")
    if experiment.baseline in plan.skipped and len(plan.skipped) < len(experiment.candidates):
        _say(
            console,
            f"warning: the baseline, {experiment.baseline}, is skipped: another candidate takes its place, and nothing is "
            "confirmatory; mend the reason, or declare another one (statistics.baseline)",
            "yellow",
        )
    for question in facts["questions"]:
        _say(console, f"Please check: {question}", "yellow")
    if not todo.units:
        _say(console, f"{counted(len(units), 'unit')}: all done, nothing to run")
    else:
        side = max(1, min(jobs or cores(), len(todo.units)))
        time_left = f"; about {duration(seconds)}" if seconds else ""
        n_train, n = len(todo.training), len(todo.units)
        what = f"{n_train} to train" + (f", {n - n_train} only to measure" if n > n_train else "")
        _say(console, f"{counted(len(units), 'unit')}: {len(units) - n} done, {what}, {side} at a time{time_left}")
    if damaged := plan.damaged(todo.units):
        what = f"{counted(len(damaged), 'unit')} of these had a file that is damaged or another unit's"
        _say(console, f"{what}, and will be computed again", "yellow")
    if len(todo.units) < len(units) and (outdated := plan.outdated()):
        of = Counter(unit.owner for unit, _ in outdated)
        who = ", ".join(f"{counted(n, 'unit')} of {name}" for name, n in of.items())
        how = "; ".join(dict.fromkeys(difference for _, differ in outdated for difference in differ))
        _say(console, f"computed by other code, libraries or machines: {who} ({how}); a fresh run computes all again", "yellow")


def expected_seconds(todo: Todo, first: Estimate, jobs: int) -> float:
    """How long the units may take that are to run, ``jobs`` side by side; 0 where nothing is known of them."""
    if not todo.units or not (first.method or first.labels):
        return 0.0
    durations = [first.method] * len(todo.training) + [first.labels] * len(todo.measuring)
    return STARTUP_SECONDS + seconds_in_all(durations, max(1, min(jobs or cores(), len(durations))))


def seconds_in_all(durations: Iterable[float], jobs: int) -> float:
    """How long ``jobs`` workers need for tasks of these durations, which they take up in this order."""
    return max(busy_after(durations, [0.0] * jobs))


def busy_after(durations: Iterable[float], busy: Sequence[float]) -> list[float]:
    """Until when workers are busy who are so until ``busy`` and take up tasks of these durations, in this order; a heap."""
    slots = [*busy]
    heapq.heapify(slots)
    for seconds in durations:
        heapq.heapreplace(slots, slots[0] + seconds)
    return slots


def busy_after_equal(seconds: float, n: int, busy: Sequence[float]) -> list[float]:
    """As ``busy_after`` with ``n`` tasks that take equally long, in a time that does not depend on ``n``.

    Work that could be split anywhere would keep all workers busy until one ``level``. The tasks that would end before it are
    counted, and the others, fewer than there are workers, taken up one by one.
    """
    if seconds <= 0:
        return [*busy]
    slots, work = sorted(busy), n * seconds
    sums = itertools.accumulate(slots)
    level = min((total + work) / workers for workers, total in enumerate(sums, 1))
    whole = [max(0, int((level - slot) // seconds)) for slot in slots]
    slots = [slot + count * seconds for slot, count in zip(slots, whole, strict=True)]
    return busy_after([seconds] * (n - sum(whole)), slots)


def counted(n: int, word: str) -> str:
    """``1 fold``, ``5 folds``."""
    return f"{n} {word}" if n == 1 else f"{n} {word}s"


def _console() -> Console:
    return Console(stderr=True, highlight=False)


def _say(console: Console, text: str, style: str | None = None) -> None:
    """A line as it is: reasons hold brackets that are no markup, and a log file needs no line breaks."""
    console.print(Text(visible(text)), style=style, soft_wrap=True)
