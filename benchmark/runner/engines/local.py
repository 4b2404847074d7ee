"""Tasks on this machine: each in a process of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Self

from ....errors import RaterbenchError
from ..plan import Plan
from ..workers import IMPORTS, Died, cores, side_by_side, start_template
from .engine import Engine
from .work import Ended, Task, work


class Local(Engine):
    """Processes of this machine, ``jobs`` at a time; 0 is one for each core.

    Raises:
        RaterbenchError: ``jobs`` is negative.
    """

    def __init__(self, jobs: int = 0) -> None:
        if jobs < 0:
            raise RaterbenchError(f"--jobs {jobs} makes no sense: give the number of units side by side, or 0 for one a core")
        self._jobs = jobs or cores()

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
        yield from side_by_side(tasks, work, 1 if alone else self.jobs, timeout=timeout, imports=IMPORTS)
