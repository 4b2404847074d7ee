"""STAPLE with weighted raters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...errors import RaterbenchError
from .engine.em_fusion import EMFusion
from .engine.patterns import Float64s


@dataclass(kw_only=True, eq=False, repr=False)
class LogOpinionPoolSTAPLE(EMFusion):
    """STAPLE as a weighted logarithmic opinion pool: each rater's weight is the exponent of the rater's likelihood.

    After Akhondi-Asl, Hoyte, Lockhart and Warfield (2014), "A logarithmic opinion pool based STAPLE algorithm for the fusion of
    segmentations with associated reliability weights", IEEE TMI 33(10):1997, whose text was not available. Their weights may
    differ between voxels; these belong to a rater, and doubt about a voxel is a soft rating. A weight of 2 is the same as two
    raters with the same labels, in prior, initialisation and likelihood.

    Args:
        weights: from the name of a rater to a weight above 0. Raters without one have weight 1; None is STAPLE.
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

    weights: Mapping[str, float] | None = None

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
