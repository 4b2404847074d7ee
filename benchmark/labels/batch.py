"""Applies the same function to many cases, in this process or in several, with identical results."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from threadpoolctl import threadpool_limits

from ...errors import RaterbenchError
from ...steps import step
from ..runner.workers import Died, side_by_side

T = TypeVar("T")
R = TypeVar("R")

IMPORTS = (f"{__package__}.describe", f"{__package__}.fuse")
"""What is imported once, before processes are forked: else each task would import scikit-learn, which takes seconds."""


def over_cases(tasks: Sequence[T], work: Callable[[T], R], words: str, jobs: int) -> list[R]:
    """Apply ``work`` to each task, with one thread each; results in the order of the tasks.

    Raises:
        RaterbenchError: raised by ``work``, or a process ended early.
    """
    # Windows cannot fork: cases are then worked on one by one.
    jobs = min(jobs, len(tasks)) if "forkserver" in multiprocessing.get_all_start_methods() else 1
    with step(words, len(tasks)) as shown:
        if jobs <= 1:
            results = []
            with threadpool_limits(1):
                for task in tasks:
                    results.append(work(task))
                    shown.done += 1
            return results
        found: dict[int, R] = {}
        numbered = list(enumerate(tasks))
        for (number, _), result in side_by_side(numbered, _Numbered(work), jobs, imports=IMPORTS):
            if isinstance(result, Died):
                raise RaterbenchError(
                    f"{words}: a process ended early ({result.how}), perhaps because memory ran out: use fewer jobs"
                )
            found[number] = result
            shown.done += 1
        return [found[number] for number in range(len(tasks))]


class _Numbered(Generic[T, R]):
    def __init__(self, work: Callable[[T], R]) -> None:
        self.work = work

    def __call__(self, task: tuple[int, T]) -> R:
        return self.work(task[1])
