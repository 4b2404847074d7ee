"""STAPLE with a prior on the raters' performance, for small objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ...parameters import Range
from .engine.em_fusion import EMFusion
from .engine.rater_models import BetaPrior, RaterModel

AboveOne = Annotated[float, Range(1, without="low")]
"""The prior has a mode only where its parameters are greater than 1."""


@dataclass(kw_only=True, eq=False, repr=False)
class MAPSTAPLE(EMFusion):
    """STAPLE with a Beta prior on each rater's performance: maximum a posteriori instead of maximum likelihood.

    Commowick and Warfield (2010), "Incorporating priors on expert performance parameters for segmentation validation and label
    fusion: a maximum a posteriori STAPLE", MICCAI. Where a class has few voxels, the maximum of the likelihood is often a
    sensitivity of exactly 1 or 0, which the prior prevents. ``log_likelihood`` includes the logarithm of the prior, without
    its constant; this sum never decreases. Where the votes do not identify the raters, as with two raters, the prior does,
    and the status is "ok".

    Args:
        alpha, beta: of the Beta prior on sensitivity and specificity, each above 1. For more than two classes, a Dirichlet
            prior on each column with ``alpha - 1`` pseudo-voxels for the diagonal entry and ``beta - 1`` shared evenly among
            the others (our choice). The defaults are those of Anima's ``animaStaple``: Beta(5, 1.5) on the diagonal and
            Beta(1.5, 5) off it, weighted by one half, which for two classes is Beta(5, 1.5).
        max_iterations, tolerance, ties, pool, region, margin, prior: as in ``em_fusion.EMFusion``.

    >>> import numpy as np
    >>> from raterbench.methods.fusion.map_staple import MAPSTAPLE
    >>> a, b, c = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0], [1, 1, 1, 0, 1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 1, 1, 0, 0, 0]
    >>> fused = MAPSTAPLE().fuse({"a": np.array(a), "b": np.array(b), "c": np.array(c)}, n_classes=2)
    >>> fused.labels.tolist(), fused.status
    ([1, 1, 1, 0, 0, 0, 0, 0, 0, 0], 'ok')
    >>> fused.confusion[:, 1, 1].round(3).tolist()  # sensitivity; by STAPLE 1, 1 and 0.68
    [0.913, 0.913, 0.788]
    """

    name = "map-staple"

    alpha: AboveOne = 5.0
    beta: AboveOne = 1.5

    def rater_model(self) -> RaterModel:
        return BetaPrior(self.alpha, self.beta)
