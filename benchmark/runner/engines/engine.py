"""What a run needs of the place where its tasks are computed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from ..plan import Plan
from ..workers import Died
from .work import Ended, Task


class Engine(ABC):
    """Computes tasks, several at a time. A context manager: what it starts is ended with it."""

    @property
    @abstractmethod
    def jobs(self) -> int:
        """How many tasks it computes at a time, as far as is known now."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    @abstractmethod
    def compute(
        self, plan: Plan, tasks: deque[Task], *, timeout: float | None = None, alone: bool = False
    ) -> Iterator[tuple[Task, Ended | Died]]:
        """Each task with how it ended, in the order they end; what it stores is then in the results folder of the plan.

        Args:
            plan: that of the tasks.
            tasks: in the order in which they are taken up; more may be added meanwhile.
            timeout: seconds after which a task is ended; None waits for ever.
            alone: one task at a time.
        """
