"""Tasks on this machine: each in a process of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Self

from ....errors import RaterbenchError
from ..plan import Plan
from ..workers import IMPORTS, Died, cores, side_by_side, start_template
from .engine import Engine
from .gpu import GPUShare
from .work import Ended, Task, on_gpu, work


class Local(Engine):
    """Processes of this machine, ``jobs`` at a time; 0 is one for each core, of which as many train on a GPU as fit its memory.

    Raises:
        RaterbenchError: ``jobs`` is negative.
    """

    def __init__(self, jobs: int = 0) -> None:
        if jobs < 0:
            raise RaterbenchError(f"--jobs {jobs} makes no sense: give the number of units side by side, or 0 for one a core")
        self._jobs, self._share = jobs or cores(), None if jobs else GPUShare()

    @property
    def jobs(self) -> int:
        return self._jobs

    def __enter__(self) -> Self:
        start_template(IMPORTS)  # It imports in the background, while the time of units is estimated.
        return self

    def compute(
        self, plan: Plan, tasks: deque[Task], *, timeout: float | None = None, alone: bool = False
    ) -> Iterator[tuple[Task, Ended | Died]]:
        del plan  # Tasks say all that a process of this machine needs.
        share, at_a_time = self._share or GPUShare(), 1

        def fits(task: Task, running: Sequence[Task]) -> bool:
            nonlocal at_a_time
            if not on_gpu(task):
                return True
            beside = sum(map(on_gpu, running))
            may = self._share is None or beside < share.units
            at_a_time = beside + 1 if may else at_a_time
            return may

        for task, outcome in side_by_side(
            tasks, work, 1 if alone else self.jobs, timeout=timeout, imports=IMPORTS, may_start=fits
        ):
            if isinstance(outcome, Ended):
                if not outcome.failed:  # One that failed may have ended before it needed much.
                    share.note(outcome.gpu)
            elif outcome.full:
                share.was_full(at_a_time)
            yield task, outcome
