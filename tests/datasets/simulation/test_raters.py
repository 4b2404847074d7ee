import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raterbench.datasets import IGNORE, Case, Geometry, RaterbenchError, SimulatedRater, Truth, pooled_confusion, true_confusion
from raterbench.datasets.simulation.raters import (
    LESION_RATERS,
    MORPHOLOGICAL_RATERS,
    BoundaryBias,
    BoundaryJitter,
    InventedPart,
    MissedPart,
    MorphologicalRater,
    VoxelFlips,
    labels_of,
)

SPACING = (0.5, 0.25)


def discs(outer: float = 8.0, inner: float = 4.0, shape: tuple[int, int] = (60, 120)) -> np.ndarray:
    y, x = (np.arange(shape[0]) * SPACING[0])[:, None], (np.arange(shape[1]) * SPACING[1])[None]
    radius = np.hypot(y - 15, x - 15)
    return np.stack([outer - radius, inner - radius]).astype(np.float32)


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def radius(labels: np.ndarray, k: int) -> float:
    return float(np.sqrt((labels >= k).sum() * SPACING[0] * SPACING[1] / np.pi))


def case_of(truth: np.ndarray, ratings: dict[str, np.ndarray], n_classes: int = 2) -> Case:
    one_hot = np.stack([truth == k for k in range(n_classes)]).astype(np.float32)
    image = np.zeros((1, *truth.shape), np.float32)
    return Case("a", "a", "here", image, ratings, Geometry.axis_aligned(truth.ndim), Truth(truth.astype(np.uint8), one_hot))


def test_labels_count_nested_structures():
    labels = labels_of(np.array([[1, 1, -1, -1], [1, -1, 1, -1]], np.float32))
    assert labels.tolist() == [2, 1, 0, 0]
    assert labels.dtype == np.uint8


@pytest.mark.parametrize("offset", [-1.0, 0.0, 1.5])
def test_bias_moves_the_outline_by_as_many_millimetres(offset):
    labels = SimulatedRater("r", (BoundaryBias((offset, -offset)),)).rate(discs(), SPACING, random())
    assert radius(labels, 1) == pytest.approx(8 + offset, abs=0.05)
    assert radius(labels, 2) == pytest.approx(4 - offset, abs=0.05)


@pytest.mark.parametrize("smoothness", [0.6, 1.5])
def test_jitter_has_the_size_it_says_on_every_grid(smoothness):
    flat = np.zeros((1, 300, 300), np.float32)
    for spacing in ((0.3, 0.3), (0.5, 0.25)):
        field = BoundaryJitter(0.4, smoothness)(flat, spacing, random())[0]
        assert field.std() == pytest.approx(0.4, rel=0.08)
        steps = [np.diff(field, axis=a).std() / step for a, step in enumerate(spacing)]
        # The slope of a Gaussian-smoothed field is size / (sqrt(2) smoothness): smooth in mm, not in pixels.
        assert np.allclose(steps, 0.4 / (np.sqrt(2) * smoothness), rtol=0.15)


def test_a_part_is_missed_or_invented_as_often_as_said():
    truth = labels_of(discs())
    draws = random(1)
    missed = [labels_of(MissedPart(1, 0.3, 1.0)(discs(), SPACING, draws)) for _ in range(200)]
    invented = [labels_of(InventedPart(1, 0.6, 1.0)(discs(), SPACING, draws)) for _ in range(200)]
    assert np.mean([(m < truth).any() for m in missed]) == pytest.approx(0.3, abs=0.1)
    assert np.mean([(i > truth).any() for i in invented]) == pytest.approx(0.6, abs=0.1)
    assert not any((m > truth).any() for m in missed)
    assert not any((i < truth).any() for i in invented)


def test_nothing_to_miss_is_no_error():
    empty = np.full((1, 5, 5), -9, np.float32)
    assert MissedPart(0, 1.0, 1.0)(empty, (1, 1), random()) is empty
    assert InventedPart(0, 1.0, 1.0)(empty, (1, 1), random()) is empty


def test_one_effect_does_not_shift_the_random_numbers_of_the_next():
    jitter = BoundaryJitter(0.5, 1.0)
    never, always = (SimulatedRater("r", (MissedPart(1, p, 1.0), jitter)).rate(discs(), SPACING, random()) for p in (0, 1))
    assert np.array_equal(never >= 1, always >= 1)


def test_flips_follow_their_confusion():
    confusion = ((0.9, 0.2, 0.0), (0.1, 0.7, 0.5), (0.0, 0.1, 0.5))
    truth = np.repeat(np.arange(3, dtype=np.uint8), 20000).reshape(3, -1)
    found = true_confusion(case_of(truth, {"r": VoxelFlips(confusion)(truth, random())}, 3))["r"]
    assert np.allclose(found, confusion, atol=0.015)


@pytest.mark.parametrize("bad", [((0.9, 0.2), (0.2, 0.8)), ((1.0, 0.0, 0.0), (0.0, 1.0, 1.0)), ((1.5, 0.0), (-0.5, 1.0))])
def test_a_confusion_whose_columns_do_not_sum_to_one_is_an_error(bad):
    with pytest.raises(RaterbenchError, match="column"):
        VoxelFlips(bad)


def test_true_confusion_by_hand():
    truth, said = (np.array([[int(c) for c in text]], np.uint8) for text in ("0000001111", "0000101101"))
    found = true_confusion(case_of(truth, {"r": said}))["r"]
    assert np.allclose(found, [[5 / 6, 1 / 4], [1 / 6, 3 / 4]])


def test_a_class_that_the_truth_lacks_is_nan_and_unjudged_voxels_are_left_out():
    said = np.array([[0, 1, IGNORE, IGNORE]], np.uint8)
    found = true_confusion(case_of(np.zeros((1, 4), np.uint8), {"r": said}))["r"]
    assert found[:, 0].tolist() == [0.5, 0.5]
    assert np.isnan(found[:, 1]).all()


def test_pooled_confusion_counts_every_voxel_once():
    one = case_of(np.array([[0, 0, 0, 1]]), {"r": np.array([[0, 0, 0, 0]], np.uint8)})
    other = case_of(
        np.array([[0, 1, 1, 1]]), {"r": np.array([[1, 1, 1, 1]], np.uint8), "s": np.array([[0, 1, 1, 1]], np.uint8)}
    )
    found = pooled_confusion([one, other])
    assert np.allclose(found["r"], [[3 / 4, 1 / 4], [1 / 4, 3 / 4]])
    assert np.allclose(found["s"], np.eye(2))


def test_without_truth_there_is_no_true_confusion():
    with pytest.raises(RaterbenchError, match="'a' is not known"):
        true_confusion(case_of(np.zeros((2, 2)), {"r": np.zeros((2, 2), np.uint8)}).blind())


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 4))
def test_every_column_of_a_true_confusion_sums_to_one_or_is_nan(seed, n_classes):
    draws = random(seed)
    truth, said = (draws.integers(0, n_classes, (3, 4, 5)).astype(np.uint8) for _ in range(2))
    said[draws.random(said.shape) < 0.3] = IGNORE
    sums = true_confusion(case_of(truth, {"r": said}, n_classes))["r"].sum(axis=0)
    assert (np.isnan(sums) | np.isclose(sums, 1)).all()


def test_morphology_of_a_square():
    square = np.zeros((9, 9), np.uint8)
    square[3:6, 3:6] = 255
    areas = {r.name: int(r.rate(square, random()).sum()) for r in MORPHOLOGICAL_RATERS}
    assert areas["good"] == 9
    assert areas["over"] == 37
    assert areas["under"] == 1
    assert areas["blank"] == 0
    assert MorphologicalRater("once", dilations=1).rate(square, random()).sum() == 21


def test_a_fracture_cuts_across_the_stroke_two_pixels_wide():
    stroke = np.zeros((28, 28), np.uint8)
    stroke[12:16, 4:24] = 255
    drawn = MorphologicalRater("cut", fractures=1).rate(stroke, random(3))
    assert (stroke > 0).sum() - drawn.sum() == 2 * 4
    gone = np.unique(np.nonzero((stroke > 0) & (drawn == 0))[1])
    assert len(gone) == 2


def test_an_empty_digit_breaks_nothing():
    for rater in MORPHOLOGICAL_RATERS:
        assert not rater.rate(np.zeros((28, 28), np.uint8), random()).any()


def test_missed_runs_are_a_share_of_the_ink_in_reading_order():
    ink = np.full((8, 8), 255, np.uint8)
    gone = MorphologicalRater("careless", missed=0.5, run=8).rate(ink, random(1)) == 0
    assert gone.all(axis=1).sum() == 4 and gone.sum() == 32
    ink[0, :4] = 0
    gone = (MorphologicalRater("careless", missed=1.0, run=8).rate(ink, random(1)) == 0)[ink > 0]
    assert gone.all() and gone.size == 60


def test_raters_of_lesions_draw_in_the_plane_of_a_mask():
    square = np.zeros((9, 9), np.uint8)
    square[3:6, 3:6] = 255
    areas = {r.name: int(r.rate(square, random(1)).sum()) for r in LESION_RATERS}
    assert (areas["good"], areas["over"], areas["under"], areas["blank"]) == (9, 37, 1, 0)
    assert 21 - 9 <= areas["wrong"] < 21
