"""STAPLE with a rater performance that varies over the image."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Literal

import numpy as np

from ...datasets.base import IGNORE, Geometry
from ...errors import RaterbenchError
from ...parameters import Range
from ..base import Consensus
from .engine.em import EMEstimate, Votes
from .engine.em_fusion import EMFusion, Pool
from .engine.patterns import Float64s, Patterns
from .engine.performance_field import PerformanceField
from .engine.rater_models import normalise_columns
from .engine.region import FieldOfView
from .engine.ties import best_classes, break_ties
from .staple import STAPLE

LocalPrior = Literal["local", "fixed", "estimated"]
"""The prior of the classes: their frequency in each window, or the same at all voxels as in STAPLE (``em.Prior``)."""


@dataclass(kw_only=True, eq=False, repr=False)
class SpatialSTAPLE(EMFusion):
    """STAPLE with a confusion matrix at each voxel, estimated in the window around it.

    After Asman and Landman (2012), "Formulating spatially varying performance in the statistical fusion framework", IEEE TMI
    31(6):1326, whose text was not available. With W the posterior of the truth and B the window around voxel v,
    ``theta(v)[r, i, j] = (lam theta0[r, i, j] + sum of W_j over voxels in B where r says i) / (lam + sum of W_j over B)``,
    where theta0 is STAPLE's estimate on the whole case. The E-step is that of STAPLE with theta(v).

    Our choices are: a box window at each voxel, cut off at the edge of the image or region; one ``lam`` for all; initialisation
    with STAPLE's posterior; a stop when no posterior changes by more than ``tolerance``. Two more keep a window inside an
    object, where all raters mark all voxels, from drifting to the more frequent class: the prior of the classes is their
    frequency in the window, and voxels on which all raters who judged agree are evidence, but keep their class.

    ``log_likelihood`` is that of the contested votes. It may decrease, because the windows do not maximise one likelihood.

    Args:
        radius: of the window, in voxels along every axis.
        radius_mm: of the window, in mm, used instead of ``radius``; needs a geometry in mm.
        lam: weight of theta0 in each window, in voxels, above 0; it alone decides on classes that the window lacks. None is a
            tenth of the window's voxels.
        field: return ``confusion`` [R, K, K, *S] of each voxel instead of [R, K, K], the estimate over all voxels.
        prior: ``"local"``, the frequency of the raters' labels in the window, with STAPLE's prior added like theta0; or the
            same at all voxels, ``"fixed"`` or ``"estimated"`` as in STAPLE.
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

    radius: Annotated[int, Range(0)] = 10
    radius_mm: Annotated[float, Range(0)] | None = None
    lam: Annotated[float, Range(0, without="low")] | None = None
    field: bool = False
    max_iterations: Annotated[int, Range(1)] = 1000
    tolerance: Annotated[float, Range(0)] = 1e-4
    prior: LocalPrior = "local"  # type: ignore[assignment]  # one choice more than the other fusions have
    pool: Pool = dataclasses.field(init=False, repr=False, default="case")  # no parameter: theta0 is that of the case

    def window_radius(self, shape: Sequence[int], geometry: Geometry | None) -> tuple[int, ...]:
        """Radius of the window in voxels along each axis; 0 along axes of length 1, so a slice gives the same as an image.

        Raises:
            RaterbenchError: ``radius_mm`` is given, and there is no geometry or it is not in mm.
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
        return tuple(length if n > 1 else 0 for length, n in zip(radius, shape, strict=True))

    def estimate(self, data: Votes) -> EMEstimate:
        """Run STAPLE on the whole case."""
        return STAPLE(prior="estimated" if self.prior == "estimated" else "fixed").estimate(data)

    def to_consensus(self, patterns: Patterns, view: FieldOfView, estimate: EMEstimate, geometry: Geometry | None) -> Consensus:
        """Estimate the confusion matrices of the windows, starting from STAPLE's estimate, and make the consensus."""
        inside = np.ones(patterns.shape, bool) if view.outside is None else ~view.outside
        radius = self.window_radius(inside.shape, geometry)
        lam = self.lam if self.lam is not None else 0.1 * math.prod(2 * length + 1 for length in radius)
        field = partial(PerformanceField, patterns, inside, anchor=estimate.confusion, lam=lam, radius=radius)
        contested = field(inside & patterns.spread(~patterns.agreed))
        start = np.where(patterns.agreed, patterns.mean, estimate.posterior)
        prior = contested.local_prior(estimate.prior) if self.prior == "local" else estimate.prior
        posterior, likelihoods, converged = self._iterate(contested, patterns.spread(start), prior)
        if self.field:
            everywhere = field(np.ones_like(inside)).confusion(posterior)
            confusion = everywhere.reshape(*estimate.confusion.shape, *inside.shape)
        else:
            # Over all voxels of the field; NaN in columns without mass.
            mass = (posterior * inside).reshape(len(posterior), -1)
            counts = [patterns.spread(votes).reshape(len(votes), -1) @ mass.T for votes in patterns.votes]
            confusion = normalise_columns(np.array(counts))
        nobody = patterns.spread(patterns.judges == 0)
        fused = Consensus(
            np.where(nobody, 1 / len(posterior), posterior).astype(np.float32),
            np.where(nobody, np.uint8(IGNORE), break_ties(posterior, self.ties)),
            patterns.raters,
            confusion=confusion,
            log_likelihood=likelihoods,
            iterations=len(likelihoods),
            status=replace(estimate, converged=converged).status,
            region=view.words,
            tied=int(((best_classes(posterior).sum(axis=0) > 1) & ~nobody).sum()),
        )
        return view.set_background(fused, patterns)

    def _iterate(
        self, field: PerformanceField, posterior: Float64s, prior: Float64s
    ) -> tuple[Float64s, tuple[float, ...], bool]:
        """The final posterior [K, *S], the log-likelihood of each iteration, and whether it converged."""
        flat = posterior.reshape(len(posterior), -1)
        likelihoods: list[float] = []
        converged = False
        with np.errstate(divide="ignore"):  # the logarithm of what is impossible
            while not converged and len(likelihoods) < self.max_iterations:
                before = flat[:, field.where]
                flat[:, field.where], likelihood = field.expect(posterior, prior)
                likelihoods.append(likelihood)
                change = np.abs(flat[:, field.where] - before).max(initial=0.0)
                converged = len(likelihoods) > 1 and bool(change <= self.tolerance)
        return posterior, tuple(likelihoods), converged
