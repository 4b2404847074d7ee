"""Patterns of votes: the different combinations of votes in a case, which are few, so that fusions compute with them.

What a fusion decides for a pattern is then written to all voxels that show it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ...base import Ratings
from .ratings import HardRating, read_ratings
from .vote_encoding import encode_hard, encode_soft, in_table, look_up

Float64s = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Patterns:
    """The P different combinations of votes in one case, and the voxels that show them.

    Args:
        raters: the names of the R raters, sorted.
        shape: spatial shape *S of the case, N voxels.
        votes: [R, K, P], what each rater says in each pattern, one-hot or soft; zeros where not judged.
        counts: [P], how many voxels show each pattern.
        code: [N] integers; voxels with the same code show the same pattern.
        pattern_code: [P] ascending, the code of each pattern.
    """

    raters: tuple[str, ...]
    shape: tuple[int, ...]
    votes: Float64s
    counts: npt.NDArray[np.int64]
    code: npt.NDArray[Any]
    pattern_code: npt.NDArray[np.int64]

    @cached_property
    def judges(self) -> Float64s:
        """Number of raters who judged each pattern [P]."""
        judges: Float64s = self.votes.sum(axis=(0, 1)).round()
        return judges

    @cached_property
    def mean(self) -> Float64s:
        """Mean vote of the raters who judged [K, P]; uniform where nobody did."""
        return mean_vote(self.votes)

    @cached_property
    def agreed(self) -> Bools:
        """Patterns [P] in which all raters who judged agree completely, or nobody judged."""
        agreed: Bools = (self.mean.max(axis=0) > 1 - 1e-12) | (self.judges == 0)
        return agreed

    @property
    def unanimous(self) -> bool:
        """Whether the raters who judged agree completely at every voxel."""
        return bool(self.agreed.all())

    def pattern_at(self, voxels: npt.NDArray[np.intp]) -> npt.NDArray[np.int64]:
        """The pattern that each of some voxels [V] shows, by their flat indices."""
        patterns: npt.NDArray[np.int64] = in_table(self.pattern_code, np.arange(len(self.counts)))[self.code[voxels]]
        return patterns

    def spread(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Write the value of each pattern, [P] or [K, P], to its voxels: [*S] or [K, *S]."""
        return self.spread_all(values)[0]

    def spread_all(self, *values: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        """Like ``spread`` for several arrays in one pass over the voxels, which is faster."""
        spread = [np.empty((*value.shape[:-1], len(self.code)), dtype=value.dtype) for value in values]
        tables = [in_table(self.pattern_code, value) for value in values]
        rows = [row for table in tables for row in table.reshape(-1, table.shape[-1])]
        look_up(rows, self.code, [row for out in spread for row in out.reshape(-1, len(self.code))])
        return [out.reshape(*out.shape[:-1], *self.shape) for out in spread]


def find_patterns(ratings: Ratings, n_classes: int) -> Patterns:
    """Reduce the ratings of a case to its patterns of votes, the raters sorted by name.

    Raises:
        RaterbenchError: there is no rating, shapes differ, or a label is no class.
    """
    raters, shape, found = read_ratings(ratings, n_classes)
    hard = [rating for rating in found if isinstance(rating, HardRating)]
    if len(hard) == len(found):
        code, pattern_code, digits, counts = encode_hard([r.digits for r in hard], [max(2, len(r.votes)) for r in hard])
        seen: list[Float64s] = [rating.votes[row].T for rating, row in zip(hard, digits, strict=True)]
    else:
        code, voxel, counts = encode_soft([column for rating in found for column in rating.sortable()])
        pattern_code = np.arange(len(voxel))
        seen = [rating.votes_at(voxel) for rating in found]
    votes = np.empty((len(found), n_classes, len(counts)))  # in C order, which sums of many patterns need to be fast
    for rater, said in enumerate(seen):
        votes[rater] = said
    return Patterns(raters, shape, votes, counts, code, pattern_code)


def mean_vote(votes: Float64s) -> Float64s:
    """Mean [K, P] of the votes [R, K, P] of those who judged; uniform where nobody did."""
    total: Float64s = votes.sum(axis=0)
    judges = total.sum(axis=0)
    return np.where(judges > 0, total / np.where(judges > 0, judges, 1.0), 1.0 / len(total))
