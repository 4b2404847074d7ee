"""Votes as patterns: millions of voxels show few different combinations of votes, so fusions work on those.

Every voxel gets a key, a number in mixed radix with one digit a rater. What a fusion decides for a pattern
is written back to all its voxels by a table look-up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ...base import Ratings
from .ratings import Column, read_ratings
from .vote_encoding import encode, look_up

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

    @cached_property
    def agreed(self) -> npt.NDArray[np.bool_]:
        """Patterns [P] in which those who judged agree completely, or nobody did."""
        agreed: npt.NDArray[np.bool_] = (self.mean.max(axis=0) > 1 - 1e-12) | (self.judges == 0)
        return agreed

    @property
    def unanimous(self) -> bool:
        """Whether those who judged agree completely, at every voxel."""
        return bool(self.agreed.all())

    def spread(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Write a value [P] of every pattern, or rows of them [K, P], to its voxels: [*S] or [K, *S]."""
        return self.spread_all(values)[0]

    def spread_all(self, *values: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        """Several ``spread`` at once, which is faster."""
        spread = [np.empty((*value.shape[:-1], len(self.key)), dtype=value.dtype) for value in values]
        tables = [np.zeros((*value.shape[:-1], int(self.place[-1]) + 1), dtype=value.dtype) for value in values]
        for table, value in zip(tables, values, strict=True):
            table[..., self.place] = value
        rows = [row for table in tables for row in table.reshape(-1, table.shape[-1])]
        look_up(rows, self.key, [row for out in spread for row in out.reshape(-1, len(self.key))])
        return [out.reshape(*out.shape[:-1], *self.shape) for out in spread]


def find_patterns(ratings: Ratings, n_classes: int) -> Patterns:
    """Reduce the ratings of a case to its vote patterns, the raters sorted by name.

    Raises:
        RaterbenchError: there is no rating, shapes differ, or a label is no class.
    """
    raters, shape, columns = read_ratings(ratings, n_classes)
    key, place, codes, counts = encode([c.codes for c in columns], [max(2, len(c.votes)) for c in columns])
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
