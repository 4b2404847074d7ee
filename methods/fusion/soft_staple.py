"""STAPLE for raters who say how sure they are."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import numpy.typing as npt

from ...datasets.base import IGNORE, Labels
from ...parameters import Range
from ..base import Ratings
from .engine.em import Prior
from .engine.em_fusion import EMFusion, Iterations, Margin, Pool, Tolerance
from .engine.patterns import Patterns, find_patterns
from .engine.ratings import name_raters
from .engine.region import Region, dilated
from .engine.ties import Ties


class SoftSTAPLE(EMFusion):
    """STAPLE whose raters split their vote over the classes; soft votes can be made of hard masks by a ring around them.

    After Kats, Goldberger and Greenspan (2019), "A soft STAPLE algorithm combined with anatomical knowledge", MICCAI, of which
    only the idea was at hand; the update is ours: a share of a vote is an exponent of that rater's likelihood. On hard votes
    it is STAPLE. With ``ring_radius``, background of a hard rating near one of its foreground classes becomes a vote of
    ``ring_value`` for that class (shared evenly, where several are near), as the authors do with unstated constants. Soft
    ratings get no ring, and raters who agree everywhere are followed without one.

    Args:
        ring_radius: voxels along every axis; 0 for no ring.
        ring_value: share of the vote, from 0 to below 1; 0.5 is ours.
        max_iterations, tolerance, ties, pool, region, margin, prior: as in ``em_fusion.EMFusion``.

    >>> import numpy as np
    >>> from raterbench.methods.fusion.soft_staple import SoftSTAPLE
    >>> sure, unsure, other = np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.4, 0.2, 0, 0]), np.array([1, 0, 1, 0, 0])
    >>> fused = SoftSTAPLE().fuse({"a": sure, "b": np.stack([1 - unsure, unsure]), "c": other}, n_classes=2)
    >>> fused.labels.tolist()
    [1, 1, 0, 0, 0]
    """

    def __init__(
        self,
        *,
        ring_radius: Annotated[int, Range(0)] = 0,
        ring_value: Annotated[float, Range(0, 1, without="high")] = 0.5,
        max_iterations: Iterations = 10_000,
        tolerance: Tolerance = 1e-7,
        ties: Ties = "lowest",
        pool: Pool = "case",
        region: Region = "image",
        margin: Margin = 2,
        prior: Prior = "fixed",
    ) -> None:
        super().__init__(
            max_iterations=max_iterations,
            tolerance=tolerance,
            ties=ties,
            pool=pool,
            region=region,
            margin=margin,
            prior=prior,
        )
        self.ring_radius = ring_radius
        self.ring_value = ring_value

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
    """Soft votes [K, *S] of hard labels [*S]: background within ``radius`` voxels of a class votes for it with ``value``."""
    background = labels == 0
    near = np.stack([dilated(labels == k, radius) & background for k in range(1, n_classes)])
    several = near.sum(axis=0)
    soft = np.stack([labels == k for k in range(n_classes)]).astype(np.float32)
    soft[1:][near] = (np.broadcast_to(value / np.maximum(several, 1), near.shape))[near]
    soft[0, several > 0] = 1 - value
    soft[:, labels == IGNORE] = np.nan
    return soft
