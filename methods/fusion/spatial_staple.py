"""STAPLE whose raters may be better in one place than in another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Literal

import numpy as np

from ...datasets.base import IGNORE, Geometry
from ...errors import RaterbenchError
from ...parameters import Range
from ..base import Consensus
from .engine.em import Estimate, Votes
from .engine.em_fusion import EMFusion, Iterations, Margin, Tolerance
from .engine.patterns import Float64s, Patterns
from .engine.performance_field import PerformanceField
from .engine.region import FieldOfView, Region
from .engine.ties import Ties, best_classes, decide
from .staple import STAPLE

LocalPrior = Literal["local", "fixed", "estimated"]
"""How common the classes are: their frequency in each window, or one number for all as in STAPLE (``em.Prior``)."""


class SpatialSTAPLE(EMFusion):
    """STAPLE with a smooth field of performance: at each voxel a rater is as good as in the window around it.

    After Asman and Landman (2012), "Formulating spatially varying performance in the statistical fusion framework", IEEE TMI
    31(6):1326, as "Spatial STAPLE (our constants)": its text was not at hand. Where W is the truth's posterior and B the
    window around voxel v, ``theta(v)[r, i, j] = (lam theta0[r, i, j] + sum of W_j where r says i in B) / (lam + sum of W_j in
    B)``, with theta0 from STAPLE on the whole case. The E-step is STAPLE's with theta(v). Ours are: a box window at every
    voxel, cut off at the edges of the image (or of the region); one ``lam``; the start at STAPLE's posterior; the stop when no
    posterior moves by more than ``tolerance``. Ours are also two anchors, without which a window inside an object, where
    everybody marks everything, cannot tell which class it looks at and drifts to the commoner one: the prior of the classes is
    their frequency in the window, and voxels where all who judged agree are evidence but stay as they are.

    A field of windows maximises no single likelihood, so ``log_likelihood``, that of the contested votes given the field, may
    fall.

    Args:
        radius: of the window, in voxels along every axis.
        radius_mm: the same in mm, from the geometry's spacing, which must be in mm; takes the place of ``radius``.
        lam: how many voxels theta0 counts in every window, greater than 0, since a window that lacks a class knows nothing else
            about it; None is a tenth of the window's voxels.
        field: give ``confusion`` [R, K, K, *S], the field itself, in place of [R, K, K], its summary over all voxels.
        prior: ``"local"``, the frequency of the raters' labels in the window, pulled toward STAPLE's prior as theta is; or one
            for all voxels, ``"fixed"`` or ``"estimated"`` as in STAPLE.
        max_iterations, tolerance, ties, region, margin: as in ``em_fusion.EMFusion``.

    >>> import numpy as np
    >>> from raterbench.methods.fusion.spatial_staple import SpatialSTAPLE
    >>> from raterbench.methods.fusion.staple import STAPLE
    >>> truth, left = np.arange(400) % 2, np.arange(400) < 200
    >>> slips = np.random.default_rng(0).random((4, 400)) < 0.4 * np.stack([left, left, ~left, ~left])
    >>> ratings = dict(zip("abcd", truth ^ slips))  # two are careless on the left, the two others on the right
    >>> [int((fusion.fuse(ratings, 2).labels != truth).sum()) for fusion in (STAPLE(), SpatialSTAPLE(radius=40))]
    [23, 0]
    """

    def __init__(
        self,
        *,
        radius: Annotated[int, Range(0)] = 10,
        radius_mm: Annotated[float, Range(0)] | None = None,
        lam: Annotated[float, Range(0, without="low")] | None = None,
        field: bool = False,
        max_iterations: Iterations = 1000,
        tolerance: Tolerance = 1e-4,
        ties: Ties = "lowest",
        region: Region = "image",
        margin: Margin = 2,
        prior: LocalPrior = "local",
    ) -> None:
        super().__init__(
            max_iterations=max_iterations,
            tolerance=tolerance,
            ties=ties,
            region=region,
            margin=margin,
        )
        self.prior = prior  # type: ignore[assignment]  # one choice more than STAPLE has
        self.radius = radius
        self.radius_mm = radius_mm
        self.lam = lam
        self.field = field

    def reach(self, shape: Sequence[int], geometry: Geometry | None) -> tuple[int, ...]:
        """Radius of the window in voxels along every axis; 0 along one of length 1, so that a slice is what an image is.

        Raises:
            RaterbenchError: ``radius_mm`` is given and the size of a voxel is not known, or the radius is no whole number.
        """
        if self.radius_mm is None:
            radius = (self.radius,) * len(shape)
        elif geometry is None:
            raise RaterbenchError("radius_mm needs the spacing of the voxels: fuse with a geometry, or give radius in voxels")
        elif geometry.unit != "mm":
            raise RaterbenchError(
                f"radius_mm = {self.radius_mm:g} needs the spacing of the voxels in mm, and this geometry is in pixels: give "
                "radius in voxels"
            )
        else:
            radius = tuple(round(self.radius_mm / step) for step in geometry.spacing)
        return tuple(reach if n > 1 else 0 for reach, n in zip(radius, shape, strict=True))

    def _estimate(self, data: Votes) -> Estimate:
        return STAPLE(prior="estimated" if self.prior == "estimated" else "fixed")._estimate(data)

    def _finish(self, patterns: Patterns, view: FieldOfView, estimate: Estimate, geometry: Geometry | None) -> Consensus:
        inside = np.ones(patterns.shape, bool) if view.outside is None else ~view.outside
        radius = self.reach(inside.shape, geometry)
        lam = self.lam if self.lam is not None else 0.1 * math.prod(2 * reach + 1 for reach in radius)
        field = partial(PerformanceField, patterns, inside, anchor=estimate.confusion, lam=lam, radius=radius)
        contested = field(inside & patterns.spread(~patterns.agreed))
        start = np.where(patterns.agreed, patterns.mean, estimate.posterior)
        prior = contested.local_prior(estimate.prior) if self.prior == "local" else estimate.prior  # type: ignore[comparison-overlap]
        posterior, likelihoods, converged = self._iterate(contested, patterns.spread(start), prior)
        if self.field:
            everywhere = field(np.ones_like(inside)).confusion(posterior)
            confusion = everywhere.reshape(*estimate.confusion.shape, *inside.shape)
        else:
            confusion = _summary(patterns, posterior * inside)
        nobody = patterns.spread(patterns.judges == 0)
        fused = Consensus(
            np.where(nobody, 1 / len(posterior), posterior).astype(np.float32),
            np.where(nobody, np.uint8(IGNORE), decide(posterior, self.ties)),
            patterns.raters,
            confusion=confusion,
            log_likelihood=likelihoods,
            iterations=len(likelihoods),
            status=replace(estimate, converged=converged).status,
            region=view.words,
            tied=int(((best_classes(posterior).sum(axis=0) > 1) & ~nobody).sum()),
        )
        return view.clear(fused, patterns)

    def _iterate(
        self, field: PerformanceField, posterior: Float64s, prior: Float64s
    ) -> tuple[Float64s, tuple[float, ...], bool]:
        flat = posterior.reshape(len(posterior), -1)
        likelihoods: list[float] = []
        converged = False
        with np.errstate(divide="ignore"):  # the logarithm of what is impossible
            while not converged and len(likelihoods) < self.max_iterations:
                before = flat[:, field.where]
                flat[:, field.where], likelihood = field.expect(posterior, prior)
                likelihoods.append(likelihood)
                moved = np.abs(flat[:, field.where] - before).max(initial=0.0)
                converged = len(likelihoods) > 1 and bool(moved <= self.tolerance)
        return posterior, tuple(likelihoods), converged


def _summary(patterns: Patterns, mass: Float64s) -> Float64s:
    """One confusion a rater [R, K, K] from the posterior [K, *S] of what is inside; NaN in columns without mass."""
    flat = mass.reshape(len(mass), -1)
    counts = np.array([patterns.spread(votes).reshape(len(votes), -1) @ flat.T for votes in patterns.votes])
    total = counts.sum(axis=1, keepdims=True)
    summary: Float64s = np.divide(counts, total, out=np.full_like(counts, np.nan), where=total > 0)
    return summary
