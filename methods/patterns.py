"""Votes as patterns: millions of voxels show few different combinations of votes, so fusions work on those.

Every voxel gets a key, a number in mixed radix with one digit a rater. What a fusion decides for a pattern
is written back to all its voxels by a table look-up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .base import Ratings
from .ratings import Column, read_ratings

DENSE = 1 << 20
"""Largest number of possible keys that is counted in one table; beyond, keys are renumbered on the way."""
BLOCK = 1 << 15
"""Voxels handled at a time, so that what is worked on stays in the processor's cache."""
PAIRED = 1 << 17
"""Number of voxels from which byte keys are read two at a time: the table of all pairs is then worth making."""

Float64s = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Patterns:
    """The different combinations of votes in one case, P of them, and where they are.

    ``votes`` [R, K, P] float64: what each rater says in each pattern, one-hot or soft, zeros where not judged.
    ``counts`` [P] int64: how many voxels show it. ``key`` [N] unsigned, ``place`` [P]: pattern p is where ``key == place[p]``.
    """

    raters: tuple[str, ...]
    shape: tuple[int, ...]
    votes: Float64s
    counts: npt.NDArray[np.int64]
    key: npt.NDArray[Any]
    place: npt.NDArray[np.int64]

    @cached_property
    def judges(self) -> Float64s:
        """How many raters judged each pattern [P]."""
        judges: Float64s = self.votes.sum(axis=(0, 1)).round()
        return judges

    @cached_property
    def mean(self) -> Float64s:
        """Mean vote of the raters who judged [K, P]; uniform where nobody did."""
        return mean_vote(self.votes)

    @property
    def unanimous(self) -> bool:
        """Whether those who judged agree completely, at every voxel."""
        return bool((self.mean[:, self.judges > 0].max(axis=0) > 1 - 1e-12).all())

    def spread(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Write a value [P] of every pattern, or rows of them [K, P], to its voxels: [*S] or [K, *S]."""
        table = np.zeros((*values.shape[:-1], int(self.place[-1]) + 1), dtype=values.dtype)
        table[..., self.place] = values
        spread = np.empty((*values.shape[:-1], len(self.key)), dtype=values.dtype)
        for row, out in zip(table.reshape(-1, table.shape[-1]), spread.reshape(-1, len(self.key)), strict=True):
            _look_up(row, self.key, out)
        return spread.reshape(*values.shape[:-1], *self.shape)


def find_patterns(ratings: Ratings, n_classes: int) -> Patterns:
    """Reduce the ratings of a case to its vote patterns, the raters sorted by name.

    Raises:
        RaterbenchError: there is no rating, shapes differ, or a label is no class.
    """
    raters, shape, columns = read_ratings(ratings, n_classes)
    key, place, codes, counts = _encode([c.codes for c in columns], [max(2, len(c.votes)) for c in columns])
    return Patterns(raters, shape, _votes(columns, codes, len(raters)), counts, key, place)


def mean_vote(votes: Float64s) -> Float64s:
    """Mean [K, P] of the votes [R, K, P] of those who judged; uniform where nobody did."""
    total: Float64s = votes.sum(axis=0)
    judges = total.sum(axis=0)
    return np.where(judges > 0, total / np.where(judges > 0, judges, 1.0), 1.0 / len(total))


def _votes(columns: Sequence[Column], codes: npt.NDArray[np.int64], n_raters: int) -> Float64s:
    votes = np.zeros((n_raters, columns[0].votes.shape[1], codes.shape[1]))
    for column, code in zip(columns, codes, strict=True):
        votes[column.rater] += column.votes[code].T
    total = votes.sum(axis=1, keepdims=True)  # soft votes sum to 1 only nearly, after interpolation in float32
    np.divide(votes, total, out=votes, where=total > 0)
    return votes


def _encode(
    columns: list[npt.NDArray[Any]], bases: list[int]
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Number the different combinations of the columns' codes: key [N], place [P], codes [C, P], counts [P]."""
    known: npt.NDArray[np.int64] | None = None  # what the first column stands for, once it holds renumbered keys
    while True:
        take = 1
        while take < len(bases) and (take < 2 or math.prod(bases[: take + 1]) <= DENSE):
            take += 1
        key, table = _number(columns[:take], bases[:take])
        place = np.flatnonzero(table)
        codes = np.array(np.unravel_index(place, bases[:take]), dtype=np.int64)
        codes = codes if known is None else np.vstack([known[:, codes[0]], codes[1:]])
        if take == len(bases):
            return key, place, codes, table[place]
        rank = np.zeros(len(table), dtype=np.min_scalar_type(len(place)))
        rank[place] = np.arange(len(place))
        merged = np.empty(len(key), dtype=rank.dtype)
        _look_up(rank, key, merged)
        columns, bases, known = [merged, *columns[take:]], [max(2, len(place)), *bases[take:]], codes


def _number(columns: Sequence[npt.NDArray[Any]], bases: Sequence[int]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Horner's rule on the codes of every voxel, and how often each number occurs."""
    space = math.prod(bases)
    key = np.empty(len(columns[0]), dtype=np.min_scalar_type(space - 1))
    for start in range(0, len(key), BLOCK):
        block = slice(start, start + BLOCK)
        part = key[block]
        part[...] = columns[0][block]
        for column, base in zip(columns[1:], bases[1:], strict=True):
            np.multiply(part, key.dtype.type(base), out=part)
            np.add(part, column[block], out=part)
    return key, _count(key, space)


def _count(key: npt.NDArray[Any], space: int) -> npt.NDArray[np.int64]:
    if _in_pairs(key):
        even = len(key) // 2 * 2
        pairs = _count(key[:even].view(np.uint16), 1 << 16)
        counts = np.bincount(key[even:], minlength=256)
        np.add.at(counts, _PAIRS, pairs[:, None])
        return counts[:space]
    counts = np.zeros(space, dtype=np.int64)
    step = max(BLOCK, space)
    for start in range(0, len(key), step):
        counts += np.bincount(key[start : start + step], minlength=space)
    return counts


def _look_up(table: npt.NDArray[Any], key: npt.NDArray[Any], out: npt.NDArray[Any]) -> None:
    """``out[...] = table[key]``, for byte keys two voxels at a time."""
    if _in_pairs(key) and table.itemsize <= 4:
        even = len(key) // 2 * 2
        out[even:] = table[key[even:]]
        full = np.zeros(256, dtype=table.dtype)
        full[: len(table)] = table
        wide = np.dtype(f"u{2 * table.itemsize}")
        table, key, out = full[_PAIRS].view(wide)[:, 0], key[:even].view(np.uint16), out[:even].view(wide)
    for start in range(0, len(key), BLOCK):
        block = slice(start, start + BLOCK)
        np.take(table, key[block], out=out[block], mode="clip")  # "clip" because the default copies the output


_PAIRS = np.arange(1 << 16, dtype=np.uint16).view(np.uint8).reshape(-1, 2)


def _in_pairs(key: npt.NDArray[Any]) -> bool:
    return key.dtype == np.uint8 and len(key) > PAIRED
