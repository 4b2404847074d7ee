"""Runs work on large arrays in threads. Voxels are independent, so the number of threads does not change the result."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")

LARGE = 1 << 20
"""Number of voxels from which starting threads saves time."""


def n_threads() -> int:
    """Number of threads for large arrays: ``OMP_NUM_THREADS`` where it is set, else the processors that may be used."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(wanted)) if wanted.isdecimal() else usable


def map_threads(work: Callable[[S], T], items: Sequence[S], n_voxels: int) -> list[T]:
    """Apply ``work`` to each item of ``n_voxels`` voxels, in threads if that is large; results in the order of the items."""
    threads = n_threads() if n_voxels >= LARGE else 1
    if threads == 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, items))


def map_ranges(work: Callable[[int, int], T], n_voxels: int) -> list[T]:
    """Apply ``work(first, last)`` to equal parts of ``range(n_voxels)``, one for each thread."""
    threads = n_threads() if n_voxels >= LARGE else 1
    edges = [n_voxels * part // threads // 64 * 64 for part in range(threads)] + [n_voxels]
    return map_threads(lambda ends: work(*ends), list(pairwise(edges)), n_voxels)
