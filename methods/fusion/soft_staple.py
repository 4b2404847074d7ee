"""STAPLE for soft ratings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt

from ...datasets.base import IGNORE, Labels
from ...parameters import Range
from ..base import Ratings
from .engine.em_fusion import EMFusion
from .engine.patterns import Patterns, find_patterns
from .engine.ratings import name_raters
from .engine.region import dilated


@dataclass(kw_only=True, eq=False, repr=False)
class SoftSTAPLE(EMFusion):
    """STAPLE whose raters split their vote over the classes; a ring around hard masks can make them soft.

    After Kats, Goldberger and Greenspan (2019), "A soft STAPLE algorithm combined with anatomical knowledge", MICCAI, whose
    update rule was not available; here the share of a vote is an exponent of the rater's likelihood. On hard votes it is
    STAPLE. With ``ring_radius``, background voxels of a hard rating near one of its foreground classes vote for that class
    with ``ring_value``, shared evenly where several are near. Soft ratings get no ring, and no rating does if all raters agree
    everywhere.

    Args:
        ring_radius: in voxels along every axis; 0 for no ring.
        ring_value: share of the vote, from 0 to below 1. The paper does not state it; 0.5 is our choice.
        max_iterations, tolerance, ties, pool, region, margin, prior: as in ``em_fusion.EMFusion``.

    >>> import numpy as np
    >>> from raterbench.methods.fusion.soft_staple import SoftSTAPLE
    >>> sure, unsure, other = np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.4, 0.2, 0, 0]), np.array([1, 0, 1, 0, 0])
    >>> fused = SoftSTAPLE().fuse({"a": sure, "b": np.stack([1 - unsure, unsure]), "c": other}, n_classes=2)
    >>> fused.labels.tolist()
    [1, 1, 0, 0, 0]
    """

    ring_radius: Annotated[int, Range(0)] = 0
    ring_value: Annotated[float, Range(0, 1, without="high")] = 0.5

    def read(self, ratings: Ratings, n_classes: int) -> Patterns:
        ratings = name_raters(ratings)
        patterns = find_patterns(ratings, n_classes)
        if self.ring_radius == 0 or patterns.unanimous:
            return patterns
        arrays = {rater: np.asarray(said) for rater, said in ratings.items()}
        softened = {
            rater: said if said.dtype.kind == "f" else with_ring(said, n_classes, self.ring_radius, self.ring_value)
            for rater, said in arrays.items()
        }
        return find_patterns(softened, n_classes)


def with_ring(labels: Labels, n_classes: int, radius: int, value: float) -> npt.NDArray[np.float32]:
    """Make soft votes [K, *S] of hard labels [*S]: background within ``radius`` voxels of a class votes ``value`` for it."""
    background = labels == 0
    near = np.stack([dilated(labels == k, radius) & background for k in range(1, n_classes)])
    n_near = near.sum(axis=0)
    soft = np.stack([labels == k for k in range(n_classes)]).astype(np.float32)
    soft[1:][near] = (np.broadcast_to(value / np.maximum(n_near, 1), near.shape))[near]
    soft[0, n_near > 0] = 1 - value
    soft[:, labels == IGNORE] = np.nan
    return soft
