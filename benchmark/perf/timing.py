"""Times functions alternately."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence


def compare(
    one: Callable[[], object],
    other: Callable[[], object],
    repeats: int,
    *,
    calls: tuple[int, int] = (1, 1),
    clock: Callable[[], float] = time.perf_counter,
) -> list[float]:
    """Ratios of seconds, one / other, measured alternately; each time is the median of ``calls`` in a row.

    ``clock`` is ``time.process_time`` for work of one thread: seconds of the processor, without those in which others had it.
    """
    first, second = alternately([one, other], repeats, calls=calls, clock=clock)
    return [a / b for a, b in zip(first, second, strict=True)]


def alternately(
    works: Sequence[Callable[[], object]],
    repeats: int,
    *,
    calls: Sequence[int] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> list[list[float]]:
    """Seconds of each work in each round, ``[work][round]``; in a round all works follow one another."""
    counts = calls or [1] * len(works)
    rounds = [[seconds(work, n, clock) for work, n in zip(works, counts, strict=True)] for _ in range(repeats)]
    return [list(taken) for taken in zip(*rounds, strict=True)]


def seconds(work: Callable[[], object], calls: int = 1, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of one call, the median of ``calls``."""
    taken = []
    for _ in range(calls):
        start = clock()
        work()
        taken.append(clock() - start)
    return statistics.median(taken)
