"""Times Spatial STAPLE against a loop over windows that follows its definition."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import numpy.typing as npt

from ...methods.fusion.spatial_staple import SpatialSTAPLE
from ...methods.fusion.staple import STAPLE
from .examples import outlines
from .table import Row, Target, ratio_row
from .timing import seconds

Float64s = npt.NDArray[np.float64]

EVERY = 40
"""The loop is timed on one of this many contested voxels, because all of them take minutes."""


def spatial(repeats: int, side: int = 512) -> Iterator[Row]:
    """Time a whole fusion against as many iterations of the loop."""
    ratings = outlines((side, side), n_raters=5)
    fusion, start = SpatialSTAPLE(), STAPLE().fuse(ratings, 2)
    assert start.confusion is not None
    votes = np.stack([np.stack([labels == 0, labels == 1]) for labels in ratings.values()]).astype(float)
    voxels = np.argwhere(votes.any(axis=0).all(axis=0))[::EVERY]
    loop = partial(
        window_loop,
        votes,
        start.probability.astype(float),
        voxels,
        prior=np.tile(votes.mean(axis=(0, 2, 3)), (len(voxels), 1)),
        anchor=start.confusion,
        lam=0.1 * (2 * fusion.radius + 1) ** 2,
        radius=fusion.radius,
    )
    iterations = fusion.fuse(ratings, 2).iterations
    ratios = [seconds(loop) * EVERY * iterations / seconds(lambda: fusion.fuse(ratings, 2)) for _ in range(repeats)]
    yield ratio_row(
        f"SpatialSTAPLE, 2 classes, 5 raters, {side}x{side}: how many times faster",
        "a loop over windows",
        ratios,
        Target("at least", 50),
        f"{iterations} iterations; the loop timed on one in {EVERY} of the contested voxels",
    )


def window_loop(
    votes: Float64s,
    posterior: Float64s,
    voxels: npt.NDArray[np.int64],
    *,
    prior: Float64s,
    anchor: Float64s,
    lam: float,
    radius: int,
) -> Float64s:
    """The next posterior [V, K] of some voxels [V, ndim], by the definition of ``SpatialSTAPLE``, one window at a time.

    ``votes`` [R, K, *S], zeros where not judged; ``posterior`` [K, *S] of the last iteration; ``prior`` [V, K];
    ``anchor`` [R, K, K], which counts as ``lam`` voxels in each window.
    """
    following = np.log(prior)
    for v, voxel in enumerate(voxels):
        window = tuple(slice(max(0, place - radius), place + radius + 1) for place in voxel)
        truth = posterior[:, *window].reshape(len(posterior), -1)
        for said, theta in zip(votes, anchor, strict=True):
            counts = lam * theta + said[:, *window].reshape(len(posterior), -1) @ truth.T
            judged = said[:, *window].any(axis=0).reshape(-1)
            following[v] += said[:, *voxel] @ np.log(counts / (lam + truth[:, judged].sum(axis=1)))
        following[v] = np.exp(following[v] - following[v].max())
    following /= following.sum(axis=1, keepdims=True)
    return following
