"""The field of view: what it looks at, what it leaves alone, and that padding then changes nothing."""

import numpy as np
import pytest

from raterbench.datasets.base import IGNORE, Case, Geometry
from raterbench.errors import RaterbenchError
from raterbench.methods import MAPSTAPLE, STAPLE, ContestedSTAPLE, OneCoinSTAPLE, SpatialSTAPLE

BINARY = np.array(
    [[1, 1, 1, 1, 0, 0, 0, 0, 0, 0], [1, 1, 1, 0, 1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 1, 1, 0, 0, 0]], dtype=np.uint8
)


def named(rows):
    return {f"r{i}": np.asarray(row, dtype=np.uint8) for i, row in enumerate(rows)}


def test_the_union_of_the_masks_is_like_cutting_it_out():
    cut = STAPLE().fuse(named(BINARY[:, :7]), 2)
    fused = STAPLE(region="union", margin=0).fuse(named(BINARY), 2)
    np.testing.assert_array_equal(fused.probability[:, :7], cut.probability)
    np.testing.assert_array_equal(fused.confusion, cut.confusion)
    assert fused.probability[:, 7:].tolist() == [[1, 1, 1], [0, 0, 0]] and fused.labels[7:].tolist() == [0, 0, 0]
    assert fused.region == "union of the masks and 0 voxels around" and STAPLE().fuse(named(BINARY), 2).region == "image"


def test_the_margin_goes_along_every_axis_and_ends_at_the_image():
    masks = np.zeros((2, 9, 9), dtype=np.uint8)
    masks[:, 4, 0:2] = 1
    masks[1, 4, 2] = 1
    cut = STAPLE().fuse(named(masks[:, 2:7, :5]), 2)
    fused = STAPLE(region="union", margin=2).fuse(named(masks), 2)
    np.testing.assert_array_equal(fused.probability[:, 2:7, :5], cut.probability)
    assert fused.log_likelihood == cut.log_likelihood


@pytest.mark.parametrize(
    "fusion",
    [STAPLE(region="union"), OneCoinSTAPLE(region="union"), MAPSTAPLE(region="union"), ContestedSTAPLE()],
    ids=str,
)
def test_padding_changes_nothing(fusion):
    rows = np.vstack([BINARY, [1, 0, 1, 0, 0, 0, 0, 0, 0, 0]])
    near = fusion.fuse(named(np.pad(rows, ((0, 0), (2, 2)))), 2)
    far = fusion.fuse(named(np.pad(rows, ((0, 0), (500, 700)))), 2)
    np.testing.assert_allclose(far.probability[:, 498:-698], near.probability, atol=1e-12)
    assert (far.labels[:498] == 0).all() and (far.probability[0, :498] == 1).all()


def test_padding_changes_nothing_for_windows():
    random = np.random.default_rng(0)
    square = np.zeros((24, 24), dtype=np.uint8)
    square[6:18, 6:18] = 1
    stack = square ^ (random.random((4, 24, 24)) < 0.1)
    near, far = (
        SpatialSTAPLE(radius=3, region="union", margin=1).fuse(named(np.pad(stack, ((0, 0), (n, n), (n, n)))), 2)
        for n in (1, 30)
    )
    np.testing.assert_allclose(far.probability[:, 29:-29, 29:-29], near.probability, atol=1e-6)


def test_what_nobody_judged_stays_so_outside():
    rows = np.pad(BINARY, ((0, 0), (0, 5)))
    rows[:, -1] = IGNORE
    fused = STAPLE(region="union").fuse(named(rows), 2)
    assert fused.labels[-1] == IGNORE and fused.probability[:, -1].tolist() == [0.5, 0.5] and fused.labels[-2] == 0


def test_the_pool_looks_at_each_case_in_its_region():
    def case(name, rows):
        return Case(name, name, "", np.zeros((1, rows.shape[1]), np.float32), named(rows), Geometry.axis_aligned(1))

    fusion = STAPLE(pool="dataset", region="union", margin=1)
    near, far = (
        fusion.fit(
            [case("a", np.pad(BINARY, ((0, 0), (n, n)))), case("b", np.pad(BINARY[::-1], ((0, 0), (n, n))))], 2
        ).confusion_
        for n in (1, 300)
    )
    np.testing.assert_allclose(near, far, atol=1e-12)


def test_errors():
    with pytest.raises(RaterbenchError, match="did you mean 'union'"):
        STAPLE(region="unoin").fuse(named(BINARY), 2)
    with pytest.raises(RaterbenchError, match="margin = -1"):
        STAPLE(region="union", margin=-1).fuse(named(BINARY), 2)
    with pytest.raises(RaterbenchError, match="did you mean 'fixed'"):
        STAPLE(prior="fixd").fuse(named(BINARY), 2)
