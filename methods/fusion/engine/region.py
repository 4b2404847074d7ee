"""The field of view of a fusion: background far from every mask is a vote about how rare the foreground is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ....errors import RaterbenchError, nearest
from ...base import Consensus
from .patterns import Patterns
from .vote_encoding import count

Region = Literal["image", "union"]
"""Where voxels count as evidence: everywhere, or near what any rater marked."""


@dataclass(frozen=True, eq=False)
class FieldOfView:
    """What part of a case is looked at.

    ``counts`` [P] voxels of each pattern inside; ``outside`` [*S] bool, all of it unanimous background or judged by nobody,
    or None where nothing is left out; ``words`` says so to people.
    """

    counts: npt.NDArray[np.int64]
    outside: npt.NDArray[np.bool_] | None
    words: str

    def clear(self, fused: Consensus, patterns: Patterns) -> Consensus:
        """The consensus with what lies outside as exactly background, written into it; what nobody judged stays so."""
        if self.outside is not None:
            judged = self.outside & patterns.spread(patterns.judges > 0)
            fused.probability[:, judged] = (np.arange(len(fused.probability)) == 0)[:, None]
            fused.labels[judged] = 0
        return fused


def field_of_view(patterns: Patterns, region: Region, margin: int) -> FieldOfView:
    """The field of view of a case: its image, or the union of all masks and ``margin`` voxels around it along every axis.

    Raises:
        RaterbenchError: the region is unknown, or the margin negative.
    """
    if region not in get_args(Region):
        raise RaterbenchError(f"there is no region called {region!r}{nearest(str(region), get_args(Region))}")
    if not isinstance(margin, int) or margin < 0:
        raise RaterbenchError(f"margin = {margin!r} must be a whole number of voxels, 0 or more")
    if region == "image":
        return FieldOfView(patterns.counts, None, "image")
    marked = patterns.votes[:, 1:].sum(axis=(0, 1)) > 0
    outside = ~dilated(patterns.spread(marked), margin)
    left_out = count(patterns.key[outside.reshape(-1)], int(patterns.place[-1]) + 1)[patterns.place]
    words = f"union of the masks and {margin} voxel{'s' * (margin != 1)} around"
    return FieldOfView(patterns.counts - left_out, outside, words)


def dilated(mask: npt.NDArray[np.bool_], margin: int) -> npt.NDArray[np.bool_]:
    """All voxels within ``margin`` voxels of a mask [*S] along every axis."""
    grown: npt.NDArray[np.bool_] = ndimage.maximum_filter(mask, size=2 * margin + 1, mode="constant") if margin else mask
    return grown
