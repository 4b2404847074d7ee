"""Times two functions alternately."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def compare(
    one: Callable[[], object], other: Callable[[], object], repeats: int, *, calls: tuple[int, int] = (1, 1)
) -> list[float]:
    """Ratios of seconds, one / other, measured alternately; each time is the median of ``calls`` in a row."""
    return [seconds(one, calls[0]) / seconds(other, calls[1]) for _ in range(repeats)]


def seconds(work: Callable[[], object], calls: int = 1) -> float:
    """Wall-clock seconds of one call, the median of ``calls``."""
    taken = []
    for _ in range(calls):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def summarise(ratios: list[float]) -> str:
    """The median and range of ratios as text."""
    return f"{statistics.median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f}, {len(ratios)} pairs)"
