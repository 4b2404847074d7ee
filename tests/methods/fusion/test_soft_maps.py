"""Large soft maps, in which nearly every voxel has votes of its own: results against plain NumPy, in bounded memory."""

import tracemalloc

import numpy as np
import pytest

from raterbench.benchmark.perf.spatial import window_loop
from raterbench.methods import (
    FUSIONS,
    MAPSTAPLE,
    SIMPLE,
    STAPLE,
    AtLeast,
    ContestedSTAPLE,
    Intersection,
    LogOpinionPoolSTAPLE,
    MajorityVote,
    OneCoinSTAPLE,
    SingleRater,
    SoftAverage,
    SoftSTAPLE,
    SpatialSTAPLE,
    Union,
)

SHAPE, RATERS = (512, 512), 4
MOST_MEMORY = 24
"""Peak memory as a multiple of the ratings in float32: the votes in float64 are 2, and there are a few copies of them."""


def soft_maps():
    """A disc whose edge each rater draws elsewhere and more or less softly; [R, 2, *S] float32."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[-1 : 1 : SHAPE[0] * 1j, -1 : 1 : SHAPE[1] * 1j]
    depth = 0.6 - np.hypot(y, x)
    edge = [1 / (1 + np.exp(-(depth + 0.05 * random.normal()) / (0.05 + 0.05 * random.random()))) for _ in range(RATERS)]
    foreground = np.clip(np.stack(edge) + 0.02 * random.normal(size=(RATERS, *SHAPE)), 0, 1).astype(np.float32)
    return np.stack([1 - foreground, foreground], axis=1)


MAPS = soft_maps()
VOTES = MAPS.reshape(RATERS, 2, -1).astype(np.float64)
VOTES = VOTES / VOTES.sum(axis=1, keepdims=True)
ITERATIONS = 3


def two(foreground):
    return np.stack([1 - foreground, foreground])


def full(mass):
    return mass / mass.sum(axis=1, keepdims=True)


def one_coin(mass):
    accuracy = (np.trace(mass, axis1=1, axis2=2) / mass.sum(axis=(1, 2)))[:, None, None]
    return np.where(np.eye(2, dtype=bool), accuracy, 1 - accuracy)


def with_beta_prior(mass):
    return full(mass + np.where(np.eye(2, dtype=bool), 4.0, 0.5))


def plain_em(votes, m_step=full):
    """The posterior [2, N] after some iterations, every voxel by itself."""
    prior = votes.sum(axis=(0, 2)) / votes.sum()
    posterior = votes.sum(axis=0) / votes.sum(axis=(0, 1))
    for _ in range(ITERATIONS):
        theta = m_step(np.einsum("rin,jn->rij", votes, posterior))
        joint = np.log(prior)[:, None] + np.einsum("rin,rij->jn", votes, np.log(theta))
        posterior = np.exp(joint - np.logaddexp(*joint))
    return posterior


def plain_contested(votes):
    """The same on the voxels at which the raters do not agree completely; the others keep the mean."""
    mean = votes.mean(axis=0)
    contested = mean.max(axis=0) < 1
    assert 0.5 < contested.mean() < 1
    mean[:, contested] = plain_em(votes[:, :, contested])
    return mean


def plain_simple(votes):
    """SIMPLE that drops nobody: the votes weighted by the overlap with the last labels."""
    share = votes.mean(axis=0)
    for _ in range(ITERATIONS):
        labels = share[1] > share[0] + 1e-9
        overlap = 2 * (votes[:, 1] * labels).sum(axis=1) / (votes[:, 1].sum(axis=1) + labels.sum())
        share = np.average(votes, axis=0, weights=overlap)
    return share


SUM = VOTES.sum(axis=0)
WEIGHTS = np.array([3.0, 1.0, 0.5, 1.0])
EM = {"max_iterations": ITERATIONS}
PLAIN = [
    (SoftAverage(), lambda: SUM / RATERS),
    (MajorityVote(), lambda: two(SUM[1] > SUM[0] + 1e-9)),
    (SingleRater(rater="rater 2"), lambda: VOTES[1]),
    (AtLeast(votes=2), lambda: two(SUM[1] >= 2 - 1e-9)),
    (AtLeast(share=0.3), lambda: two(SUM[1] >= 0.3 * RATERS - 1e-9)),
    (Intersection(), lambda: two(VOTES[:, 1].min(axis=0))),
    (Union(), lambda: two(VOTES[:, 1].max(axis=0))),
    (SIMPLE(keep=RATERS, max_iterations=ITERATIONS), lambda: plain_simple(VOTES)),
    (STAPLE(**EM), lambda: plain_em(VOTES)),
    (SoftSTAPLE(**EM), lambda: plain_em(VOTES)),
    (ContestedSTAPLE(**EM), lambda: plain_contested(VOTES)),
    (OneCoinSTAPLE(**EM), lambda: plain_em(VOTES, one_coin)),
    (MAPSTAPLE(**EM), lambda: plain_em(VOTES, with_beta_prior)),
    (
        LogOpinionPoolSTAPLE(weights={f"rater {r + 1}": weight for r, weight in enumerate(WEIGHTS)}, **EM),
        lambda: plain_em(VOTES * WEIGHTS[:, None, None]),
    ),
]


def fuse_in_bounded_memory(fusion):
    tracemalloc.start()
    try:
        fused = fusion.fuse(MAPS, 2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MOST_MEMORY * MAPS.nbytes, f"{peak / MAPS.nbytes:.1f} times the ratings"
    return fused


@pytest.mark.parametrize(("fusion", "plain"), PLAIN, ids=lambda value: type(value).__name__)
def test_a_large_soft_map_is_fused_as_by_plain_numpy(fusion, plain):
    fused = fuse_in_bounded_memory(fusion)
    np.testing.assert_allclose(fused.probability.reshape(2, -1), plain(), atol=2e-6)


def test_a_large_soft_map_in_windows():
    """The first iteration at some contested voxels, against the loop over windows."""
    fused = fuse_in_bounded_memory(SpatialSTAPLE(radius=3, prior="fixed", max_iterations=1))
    start = STAPLE().fuse(MAPS, 2)
    contested = np.argwhere(VOTES.mean(axis=0).max(axis=0).reshape(SHAPE) < 1)
    voxels = contested[:: len(contested) // 50]
    votes = VOTES.reshape(RATERS, 2, *SHAPE)
    prior = np.tile(VOTES.sum(axis=(0, 2)) / VOTES.sum(), (len(voxels), 1))
    posterior = start.probability.astype(np.float64)
    expected = window_loop(votes, posterior, voxels, prior=prior, anchor=start.confusion, lam=4.9, radius=3)
    np.testing.assert_allclose(fused.probability[:, *voxels.T], expected.T, atol=1e-4)


def test_every_fusion_is_here():
    here = {type(fusion) for fusion, _ in PLAIN} | {SpatialSTAPLE}
    assert here == {FUSIONS.get(name) for name in FUSIONS.names()}
