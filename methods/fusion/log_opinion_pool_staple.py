"""STAPLE with raters who count more or less than one vote."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ...errors import RaterbenchError
from .engine.em import Prior
from .engine.em_fusion import EMFusion, Iterations, Margin, Pool, Tolerance
from .engine.patterns import Float64s
from .engine.region import Region
from .engine.ties import Ties


class LogOpinionPoolSTAPLE(EMFusion):
    """STAPLE as a weighted logarithmic opinion pool: each rater's likelihood is raised to a power, the rater's weight.

    After Akhondi-Asl, Hoyte, Lockhart and Warfield (2014), "A logarithmic opinion pool based STAPLE algorithm for the fusion of
    segmentations with associated reliability weights", IEEE TMI 33(10):1997. Their weights may differ from voxel to voxel; ours
    belong to a rater, and a rater's doubt about a voxel is a soft rating. The original's text was not at hand, so the rest is
    ours: a weight of 2 is exactly two raters who say the same, for prior, start and likelihood alike.

    Args:
        weights: rater to weight, greater than 0; raters without one, and all by default, have 1. None is STAPLE.
        max_iterations, tolerance, ties, pool, region, margin, prior: as in ``em_fusion.EMFusion``.

    >>> import numpy as np
    >>> from raterbench.methods.fusion.log_opinion_pool_staple import LogOpinionPoolSTAPLE
    >>> ratings = {"a": np.array([1, 1, 0, 0, 0]), "b": np.array([1, 0, 0, 0, 0]), "c": np.array([1, 0, 1, 0, 0])}
    >>> LogOpinionPoolSTAPLE().fuse(ratings, n_classes=2).labels.tolist()
    [1, 0, 0, 0, 0]
    >>> fused = LogOpinionPoolSTAPLE(weights={"a": 4}).fuse(ratings, n_classes=2)
    >>> fused.labels.tolist(), fused.weights.tolist()
    ([1, 1, 0, 0, 0], [4.0, 1.0, 1.0])
    """

    def __init__(
        self,
        *,
        weights: Mapping[str, float] | None = None,
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
        self.weights = weights

    def check_parameters(self) -> None:
        """Check every parameter; errors as in ``Fusion.check_parameters``."""
        super().check_parameters()
        for rater, weight in (self.weights or {}).items():
            if not (math.isfinite(weight) and weight > 0):
                raise RaterbenchError(f"rater {rater!r} has weight {weight!r}: it must be a finite number greater than 0")

    def rater_weights(self, raters: tuple[str, ...]) -> Float64s | None:
        if self.weights is None:
            return None
        return np.array([float(self.weights.get(rater, 1.0)) for rater in raters])
