"""Which voxels count as evidence: distant background lowers the prior of the foreground, so a fusion may leave it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ....errors import RaterbenchError, nearest
from ...base import Consensus
from .patterns import Bools, Patterns

Region = Literal["image", "union"]
"""The voxels that count as evidence: the whole image, or the union of all masks and a margin around it."""


@dataclass(frozen=True, eq=False)
class FieldOfView:
    """The voxels of a case that count as evidence.

    ``counts`` [P] voxels of each pattern inside; ``outside`` [*S], where all raters who judged say background, or None where
    no voxel is left out; ``words`` describes it for tables and reports.
    """

    counts: npt.NDArray[np.int64]
    outside: Bools | None
    words: str

    def set_background(self, fused: Consensus, patterns: Patterns) -> Consensus:
        """Set judged voxels outside to background in a consensus, which is changed and returned."""
        if self.outside is not None:
            judged = self.outside & patterns.spread(patterns.judges > 0)
            fused.probability[:, judged] = (np.arange(len(fused.probability)) == 0)[:, None]
            fused.labels[judged] = 0
        return fused


def field_of_view(patterns: Patterns, region: Region, margin: int) -> FieldOfView:
    """Find the field of view of a case; ``margin`` in voxels along every axis.

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
    codes = patterns.code[outside.reshape(-1)].astype(np.intp)
    left_out = np.bincount(codes, minlength=int(patterns.pattern_code[-1]) + 1)[patterns.pattern_code]
    words = f"union of the masks and {margin} voxel{'s' * (margin != 1)} around"
    return FieldOfView(patterns.counts - left_out, outside, words)


def dilated(mask: Bools, margin: int) -> Bools:
    """All voxels within ``margin`` voxels of a mask [*S] along every axis."""
    grown: Bools = ndimage.maximum_filter(mask, size=2 * margin + 1, mode="constant") if margin else mask
    return grown
