"""Times functions alternately."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence


def compare(
    one: Callable[[], object], other: Callable[[], object], repeats: int, *, calls: tuple[int, int] = (1, 1)
) -> list[float]:
    """Ratios of seconds, one / other, measured alternately; each time is the median of ``calls`` in a row."""
    first, second = alternately([one, other], repeats, calls=calls)
    return [a / b for a, b in zip(first, second, strict=True)]


def alternately(
    works: Sequence[Callable[[], object]], repeats: int, *, calls: Sequence[int] | None = None
) -> list[list[float]]:
    """Seconds of each work in each round, ``[work][round]``; in a round all works follow one another."""
    counts = calls or [1] * len(works)
    rounds = [[seconds(work, n) for work, n in zip(works, counts, strict=True)] for _ in range(repeats)]
    return [list(taken) for taken in zip(*rounds, strict=True)]


def seconds(work: Callable[[], object], calls: int = 1) -> float:
    """Wall-clock seconds of one call, the median of ``calls``."""
    taken = []
    for _ in range(calls):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)
