"""Shows on standard error what is being done, where it takes long: a moving bar on a terminal, else a line now and then."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from ...steps import Step, listening

SILENT_SECONDS = 1.0
"""A step is shown when it has taken so long."""
SECONDS_BETWEEN_LINES = 10.0
TICK = 0.2


@contextmanager
def shown_steps(console: Console | None = None) -> Iterator[None]:
    """Show the steps of what is done within."""
    with listening(ShownSteps(console or Console(stderr=True, highlight=False))):
        yield


class ShownSteps:
    """Shows the innermost step from a thread of its own, so that it is seen while a single thing takes long."""

    def __init__(
        self, console: Console, *, silent: float | None = None, between: float = SECONDS_BETWEEN_LINES, tick: float = TICK
    ) -> None:
        self.silent = SILENT_SECONDS if silent is None else silent
        self.console, self.between, self.tick = console, between, tick
        self._steps: list[Step] = []
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, step: Step) -> None:
        """Show a step, from when it has taken long."""
        self._steps.append(step)
        if self._thread is None:
            self._over.clear()
            self._thread = threading.Thread(target=self._show, name="raterbench-steps", daemon=True)
            self._thread.start()

    def end(self, step: Step) -> None:
        """Show it no more; when the last one has ended, nothing is left on a terminal."""
        self._steps.remove(step)
        if not self._steps and self._thread is not None:
            self._over.set()
            self._thread.join()
            self._thread = None

    def _show(self) -> None:
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[far]}", markup=False))
        bar = Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal)
        task, due = bar.add_task("", far=""), dict[Step, float]()
        while not self._over.wait(self.tick):
            current, now = next(iter(self._steps[::-1]), None), time.monotonic()
            if current is None or now - current.started < self.silent:
                continue
            if self.console.is_terminal:
                total = current.total if current.total != 1 else None
                bar.update(task, description=current.what, total=total, completed=current.done, far=how_far(current, now))
                bar.start()
            elif now >= due.get(current, now):
                due[current] = now + self.between
                self.console.print(f"{current.what}: {how_far(current, now)}", markup=False, soft_wrap=True)
        if self.console.is_terminal:
            bar.stop()


def how_far(step: Step, now: float) -> str:
    """``35 %, about 2 min left``, or where nobody knows how much there is to do, ``12 s so far``."""
    seconds = now - step.started
    if not step.total or step.total == 1:
        return f"{duration(seconds)} so far"
    if not step.done:
        return f"0 of {step.total:,}, {duration(seconds)} so far"
    left = seconds / step.done * (step.total - step.done)
    return f"{100 * step.done // step.total} % of {step.total:,}, about {duration(left)} left"


def duration(seconds: float) -> str:
    """``45 s``, ``3 min`` or ``1 h 10 min``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
