"""Spatial STAPLE against its worked numbers and against a loop over windows."""

import numpy as np
import pytest

from raterbench.benchmark.checks.fusions import make_example
from raterbench.benchmark.perf.spatial import window_loop
from raterbench.datasets.base import IGNORE, Geometry
from raterbench.errors import RaterbenchError
from raterbench.methods import STAPLE, SpatialSTAPLE
from raterbench.methods.fusion.engine.em import Votes
from raterbench.methods.fusion.engine.patterns import find_patterns
from raterbench.methods.fusion.engine.performance_field import PerformanceField
from raterbench.methods.fusion.engine.windows import box_sums

BINARY = np.array(
    [[1, 1, 1, 1, 0, 0, 0, 0, 0, 0], [1, 1, 1, 0, 1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 1, 1, 0, 0, 0]], dtype=np.uint8
)
ANCHOR = np.array([[[q, 1 - p], [1 - q, p]] for p, q in ((0.9, 0.9), (0.9, 0.9), (0.7, 0.8))])
PRIOR = np.array([0.6, 0.4])


def named(rows):
    return {f"r{i}": np.asarray(row, dtype=np.uint8) for i, row in enumerate(rows)}


def field_of(rows, *, lam, radius, anchor=ANCHOR):
    patterns = find_patterns(named(rows), 2)
    everywhere = np.ones(patterns.shape, bool)
    field = PerformanceField(patterns, everywhere, everywhere, anchor=anchor, lam=lam, radius=radius)
    return field, patterns.spread(patterns.mean)


def test_a_window_that_holds_everything_is_one_step_of_staple():
    field, start = field_of(BINARY, lam=1e-12, radius=(99,))
    expected = STAPLE(max_iterations=1).fuse(named(BINARY), 2)
    np.testing.assert_allclose(field.expect(start, PRIOR)[0], expected.probability, atol=1e-7)
    np.testing.assert_allclose(field.confusion(start)[..., 4], expected.confusion, atol=1e-9)


def test_a_strong_anchor_is_all_there_is():
    field, start = field_of(BINARY, lam=1e12, radius=(1,))
    expected = [0.9947368421] * 2 + [0.9529411765] + [0.2] * 2 + [0.028] * 2 + [0.0030769231] * 3
    np.testing.assert_allclose(field.expect(start, PRIOR)[0][1], expected, atol=1e-8)


def test_one_step_with_small_windows():
    field, start = field_of(BINARY, lam=1.0, radius=(1,))
    confusion = field.confusion(start)
    sensitivity = [0.9666667, 0.9727273, 0.9666667, 0.8142857, 0.6166667, 0.45, 0.54, 0.675, 0.9, 0.9]
    specificity = [0.8, 0.85, 0.9, 0.925, 0.7111111, 0.4888889, 0.54, 0.7636364, 0.95, 0.9333333]
    np.testing.assert_allclose(confusion[0, 1, 1], sensitivity, atol=1e-7)
    np.testing.assert_allclose(confusion[2, 0, 0], specificity, atol=1e-7)
    truth = [0.9964454976, 0.9670156284, 0.6901827454, 0.2394366997, 0.3602148532, 0.2070601439, 0.2108970954]
    np.testing.assert_allclose(field.expect(start, PRIOR)[0][1], [*truth, 0.0214570052, 0.0022097158, 0.0022879417], atol=1e-9)


@pytest.mark.parametrize(("shape", "radius"), [((13,), (2,)), ((9, 12), (2, 0)), ((4, 16, 5), (1, 20, 2))])
def test_box_sums_are_sums_over_boxes(shape, radius):
    values = np.random.default_rng(0).random(shape)
    sums = box_sums(values, radius)
    for voxel in np.ndindex(shape):
        box = tuple(slice(max(0, v - r), v + r + 1) for v, r in zip(voxel, radius, strict=True))
        assert sums[voxel] == pytest.approx(values[box].sum(), abs=1e-12)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize(("shape", "classes"), [((11, 14), 2), ((5, 6, 7), 3)])
def test_every_step_is_that_of_a_loop_over_windows(shape, classes, soft):
    example = make_example(1, n_raters=4, n_classes=classes, shape=shape, missing=0.1)
    votes = np.stack([np.stack([labels == k for k in range(classes)]) for labels in example.ratings.values()]).astype(float)
    ratings = example.ratings
    if soft:
        votes = 0.8 * votes + 0.2 / classes * votes.sum(axis=1, keepdims=True)
        ratings = {r: np.where(v.sum(axis=0) > 0, v, np.nan) for r, v in zip(ratings, votes, strict=True)}
    fused = SpatialSTAPLE(radius=2, lam=3.0, max_iterations=2, tolerance=0).fuse(ratings, classes)
    start = STAPLE().fuse(ratings, classes)
    patterns = find_patterns(ratings, classes)
    estimate = STAPLE().estimate(Votes(patterns.votes, patterns.counts))
    posterior = patterns.spread(np.where(patterns.agreed, patterns.mean, estimate.posterior))
    voxels = np.argwhere(patterns.spread(~patterns.agreed))
    judged = patterns.spread((patterns.judges > 0).astype(float))
    counts = np.stack(
        [
            3.0 * p + box_sums(m * judged, [2] * len(shape))
            for p, m in zip(estimate.prior, patterns.spread(patterns.mean), strict=True)
        ]
    )
    prior = (counts / counts.sum(axis=0))[:, *voxels.T].T
    for _ in range(2):
        posterior[:, *voxels.T] = window_loop(
            votes, posterior, voxels, prior=prior, anchor=estimate.confusion, lam=3.0, radius=2
        ).T
    assert start.status == "ok" and len(voxels) > 20
    everyone = patterns.spread(patterns.judges > 0)
    np.testing.assert_allclose(fused.probability[:, everyone], posterior[:, everyone], atol=1e-6)


def test_raters_who_are_good_in_one_place_are_believed_there():
    random = np.random.default_rng(1)
    truth = (np.add.outer(np.arange(40), np.arange(60)) // 4 % 2).astype(np.uint8)
    left = np.broadcast_to(np.arange(60) < 30, truth.shape)
    slips = random.random((4, *truth.shape)) < 0.4 * np.stack([left, left, ~left, ~left])
    ratings = named(truth ^ slips)
    wrong = [(fusion.fuse(ratings, 2).labels != truth).mean() for fusion in (STAPLE(), SpatialSTAPLE(radius=6))]
    assert wrong[1] < 0.2 * wrong[0]
    fused = SpatialSTAPLE(radius=6, field=True).fuse(ratings, 2)
    assert fused.confusion.shape == (4, 2, 2, 40, 60) and np.allclose(fused.confusion.sum(axis=1), 1)
    accuracy = fused.confusion[0, [0, 1], [0, 1]].mean(axis=0)
    assert accuracy[:, :20].mean() < 0.75 and accuracy[:, -20:].mean() > 0.95


def test_large_windows_are_staple_on_the_whole():
    example = make_example(2, n_raters=5, n_classes=2, shape=(20, 20))
    fused = SpatialSTAPLE(radius=50, prior="fixed", tolerance=1e-9).fuse(example.ratings, 2)
    expected = STAPLE().fuse(example.ratings, 2)
    assert (fused.labels != expected.labels).mean() < 0.01 and fused.status == "ok"
    np.testing.assert_allclose(fused.confusion, expected.confusion, atol=0.03)


def test_nobody_and_idle_raters():
    rows = np.tile(BINARY, 3)
    rows[:, -1] = IGNORE
    idle = {**named(rows), "idle": np.full(30, IGNORE, dtype=np.uint8)}
    fused = SpatialSTAPLE(radius=3).fuse(idle, 2)
    assert fused.labels[-1] == IGNORE and np.isnan(fused.confusion[fused.raters.index("idle")]).all()


def test_windows_in_millimetres():
    fusion = SpatialSTAPLE(radius_mm=6.0)
    assert fusion.window_radius((9, 9, 9), Geometry.axis_aligned(3, (3.0, 1.0, 1.5))) == (2, 6, 4)
    with pytest.raises(RaterbenchError, match="needs the spacing"):
        fusion.fuse(named(BINARY), 2)
    with pytest.raises(RaterbenchError, match="radius_mm = 6 needs the spacing of the voxels in mm, and this geometry"):
        fusion.fuse(named(BINARY), 2, geometry=Geometry.axis_aligned(1))


@pytest.mark.parametrize("thin", [(0,), (1,), (2,), (0, 1)])
@pytest.mark.parametrize("radius", [{"radius": 3}, {"radius_mm": 3.0}])
def test_a_volume_of_one_slice_is_fused_like_the_image(thin, radius):
    rng = np.random.default_rng(0)
    truth = np.indices((24, 30)).sum(axis=0) < 25
    rows = [(truth ^ (rng.random(truth.shape) < error)).astype(np.uint8) for error in (0.1, 0.2, 0.3, 0.1)]
    spacing = [1.0, 1.0]
    for axis in thin:
        spacing.insert(axis, 1.0)
    fusion = SpatialSTAPLE(**radius)
    flat = fusion.fuse(named(rows), 2, geometry=Geometry.axis_aligned(2, (1.0, 1.0)))
    wrapped = {rater: np.expand_dims(labels, thin) for rater, labels in named(rows).items()}
    fused = fusion.fuse(wrapped, 2, geometry=Geometry.axis_aligned(len(spacing), spacing))
    np.testing.assert_allclose(fused.probability.reshape(flat.probability.shape), flat.probability, atol=1e-6)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"lam": 0.0}, "lam = 0.0"),
        ({"radius": -1}, "radius"),
        ({"prior": "lokal"}, "did you mean 'local'"),
        ({"radius": 1.5}, "whole"),
    ],
)
def test_errors(wrong, words):
    with pytest.raises(RaterbenchError, match=words):
        SpatialSTAPLE(**wrong).fuse(named(BINARY), 2)
