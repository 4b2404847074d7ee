"""STAPLE for small objects: raters are believed to be mostly right until many voxels say otherwise."""

from __future__ import annotations

from typing import Annotated

from ...parameters import Range
from .engine.em import Prior
from .engine.em_fusion import EMFusion, Iterations, Margin, Pool, Tolerance
from .engine.rater_models import BetaPrior, RaterModel
from .engine.region import Region
from .engine.ties import Ties

AboveOne = Annotated[float, Range(1, without="low")]
"""The prior has a mode only where its parameters are greater than 1."""


class MAPSTAPLE(EMFusion):
    """STAPLE with a Beta prior on every rater's performance: the maximum a posteriori in place of the largest likelihood.

    Commowick and Warfield (2010), "Incorporating priors on expert performance parameters for segmentation validation and label
    fusion: a maximum a posteriori STAPLE", MICCAI. Where a class has few voxels, the largest likelihood is often a rater of
    sensitivity exactly 1 or 0; the prior holds it back. The defaults are the numbers of Anima's ``animaStaple``: Beta(5, 1.5)
    on the diagonal and Beta(1.5, 5) off it, weighted by one half, which for two classes is Beta(5, 1.5) on sensitivity and
    specificity. For more classes ours is a Dirichlet distribution on each column: ``alpha - 1`` pseudo-voxels on the diagonal,
    and ``beta - 1`` shared evenly by the others. ``log_likelihood`` has the logarithm of the prior added (without its
    constant): it is this sum that never falls. Where votes alone determine no rater, as those of two raters, it is the prior
    that decides, and the status is still "ok". Other parameters: ``em_fusion.EMFusion``.

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

    def __init__(
        self,
        *,
        alpha: AboveOne = 5.0,
        beta: AboveOne = 1.5,
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
        self.alpha = alpha
        self.beta = beta

    def rater_model(self) -> RaterModel:
        return BetaPrior(self.alpha, self.beta)
