"""Keys: a number for every combination of votes, counted and looked up at the speed of memory.

Raters' labels are large and simple arrays, so what costs is reading and writing them. They are walked through in blocks that
stay in the processor's cache; several keys are compared at a time, and byte keys are looked up in pairs. Large arrays are
shared out among threads, of which every voxel is a matter of its own: their number changes no result.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Counts = npt.NDArray[np.int64]
S = TypeVar("S")
T = TypeVar("T")

DENSE = 1 << 20
"""Largest number of possible keys that is counted in one table; beyond, keys are renumbered on the way."""
BLOCK = 1 << 19
"""Voxels handled at a time, so that what is worked on stays in the processor's cache."""
LOOKED_UP = 1 << 16
"""Voxels looked up at a time: fewer, since NumPy makes eight bytes of every key."""
PAIRED = 4
"""How many times more voxels than possible pairs of byte keys there must be for a table of the pairs to be worth making."""
SHARED = 1 << 20
"""Number of voxels from which threads are worth starting."""


def encode(columns: list[Array], bases: list[int]) -> tuple[Array, Counts, Counts, Counts]:
    """Number the different combinations of the columns' codes: key [N], place [P], codes [C, P], counts [P].

    Key and place as in ``Patterns``; ``codes[c, p]``, below ``bases[c]``, is what column c says in pattern p.
    """
    known: Counts | None = None  # what the first column stands for, once it holds renumbered keys
    while True:
        take = 1
        while take < len(bases) and (take < 2 or math.prod(bases[: take + 1]) <= DENSE):
            take += 1
        key = _number(columns[:take], bases[:take])
        table = count(key, math.prod(bases[:take]))
        place = np.flatnonzero(table)
        codes = np.array(np.unravel_index(place, bases[:take]), dtype=np.int64)
        codes = codes if known is None else np.vstack([known[:, codes[0]], codes[1:]])
        if take == len(bases):
            return key, place, codes, table[place]
        rank = np.zeros(len(table), dtype=np.min_scalar_type(len(place)))
        rank[place] = np.arange(len(place))
        merged = np.empty(len(key), dtype=rank.dtype)
        look_up([rank], key, [merged])
        columns, bases, known = [merged, *columns[take:]], [max(2, len(place)), *bases[take:]], codes


def _number(columns: Sequence[Array], bases: Sequence[int]) -> Array:
    """Horner's rule on the codes of every voxel."""
    key = np.empty(len(columns[0]), dtype=np.min_scalar_type(math.prod(bases) - 1))

    def number(first: int, last: int) -> None:
        for start in range(first, last, BLOCK):
            block = slice(start, min(start + BLOCK, last))
            part = key[block]
            part[...] = columns[0][block]
            for column, base in zip(columns[1:], bases[1:], strict=True):
                if base == 2:
                    np.add(part, part, out=part)  # unlike a product of bytes, a sum is one instruction for many
                else:
                    np.multiply(part, key.dtype.type(base), out=part)
                np.add(part, column[block], out=part)

    _share_out(number, len(key))
    return key


def count(key: Array, space: int) -> Counts:
    """How often each key below ``space`` occurs."""

    def part(first: int, last: int) -> Counts:
        counts = np.zeros(space, dtype=np.int64)
        step = max(BLOCK, space)
        for start in range(first, last, step):
            _count_runs(key[start : min(start + step, last)], counts)
        return counts

    counts: Counts = np.sum(_share_out(part, len(key)), axis=0)
    return counts


def _count_runs(key: Array, counts: Counts) -> None:
    """Add how often each key occurs. Most words of memory hold one key several times, above all the key 0: counted at once."""
    several, bits = 8 // key.itemsize, 8 * key.itemsize
    even, space = len(key) // several * several, len(counts)
    words = key[:even].view(np.uint64)
    rest = words[words != 0]
    first = rest.view(key.dtype)[::several]
    alike = np.uint64(sum(1 << bits * place for place in range(several)))
    mixed = rest[rest != np.multiply(first, alike, dtype=np.uint64)].view(key.dtype)
    counts += several * (np.bincount(first, minlength=space) - np.bincount(mixed[::several], minlength=space))
    counts += np.bincount(mixed, minlength=space) + np.bincount(key[even:], minlength=space)
    counts[0] += even - several * len(rest)


def look_up(tables: Sequence[Array], key: Array, outs: Sequence[Array]) -> None:
    """``out[...] = table[key]`` for every table [space] and its out [N], for byte keys two voxels at a time."""
    narrow = key.dtype == np.uint8 and all(table.itemsize <= 4 for table in tables)
    if narrow and len(key) > PAIRED * 256 * len(tables[0]):
        for table, out in zip(tables, outs, strict=True):
            out[-1] = table[key[-1]]  # of an odd number of voxels, the one left over
        even = len(key) // 2 * 2
        outs = [out[:even].view(f"u{2 * out.itemsize}") for out in outs]
        tables, key = [_of_pairs(table) for table in tables], key[:even].view("<u2")

    def part(first: int, last: int) -> None:
        for start in range(first, last, LOOKED_UP):
            block = slice(start, min(start + LOOKED_UP, last))
            place = key[block].astype(np.intp)
            for table, out in zip(tables, outs, strict=True):
                table.take(place, out=out[block], mode="clip")  # "clip" because the default copies the output

    _share_out(part, len(key))


def _of_pairs(table: Array) -> Array:
    """What to write for two voxels at once: at ``first + 256 * second``, both values as one number of twice the size."""
    pairs = np.empty((len(table), 256, 2), dtype=table.dtype)
    pairs[:, : len(table), 0] = table
    pairs[:, : len(table), 1] = table[:, None]
    return pairs.reshape(-1, 2).view(f"u{2 * table.itemsize}")[:, 0]


def every(work: Callable[[S], T], items: Sequence[S], size: int) -> list[T]:
    """``work`` on all items, each of ``size`` voxels, in as many threads as there may be."""
    threads = n_threads() if size >= SHARED else 1
    if threads == 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, items))


def _share_out(work: Callable[[int, int], T], size: int) -> list[T]:
    """What ``work(first, last)`` gives for equal parts of ``range(size)``, one a thread; NumPy lets them run together."""
    threads = n_threads() if size >= SHARED else 1
    edges = [size * part // threads // 64 * 64 for part in range(threads)] + [size]
    return every(lambda ends: work(*ends), list(pairwise(edges)), size)


def n_threads() -> int:
    """How many threads large arrays are shared out among: ``OMP_NUM_THREADS`` where it is set, else the processors at hand."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(wanted)) if wanted.isdecimal() else usable
