"""There and back: native geometry to padded slices, and probabilities to native geometry."""

import dataclasses
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from raterbench.benchmark.checks.examples import make_dataset
from raterbench.datasets import IGNORE, Case, Geometry, Preparation, RaterbenchError
from raterbench.datasets.cache.disk_cache import DiskCache
from raterbench.datasets.phantom import Phantom
from raterbench.methods import Budget, FusedLabels, SeparateNetworks
from raterbench.methods.learning.batches.slices import stack, store_slices
from raterbench.methods.learning.preparation import (
    normalise_labels,
    prepare_case,
    prepare_image,
    prepare_ratings,
    prepared_shape,
    remove_padding,
    restore_maps,
    restore_prepared,
)

AXES = {"z": 0, "y": 1, "x": 2}


def make_case(shape, n_classes=3, seed=0, channels=1):
    random = np.random.default_rng(seed)
    image = random.normal(2.0, 3.0, size=(channels, *shape)).astype(np.float32)
    ratings = {rater: random.integers(n_classes, size=shape).astype(np.uint8) for rater in ("ann", "bob")}
    return Case("one", "subject", "centre", image, ratings, Geometry.axis_aligned(len(shape)))


def unjudged(labels, where):
    """The labels of a rater who did not judge the rows ``where``."""
    labels = labels.copy()
    labels[where] = IGNORE
    return labels


def prepared(case, preparation, raters=("ann", "bob"), n_classes=3):
    return prepare_ratings(case, case.ratings, raters, n_classes, preparation)


def restored(probability, case, preparation):
    """Probabilities of padded slices as a map in the geometry of the case."""
    return restore_prepared(remove_padding(probability, case, preparation), case.shape, preparation)


def one_hot(labels, n_classes=3):
    return np.equal(labels, np.arange(n_classes).reshape(-1, *[1] * labels.ndim)).astype(np.float32)


shapes = st.one_of(
    st.tuples(st.integers(1, 70), st.integers(1, 70)), st.tuples(st.integers(1, 5), st.integers(1, 40), st.integers(1, 40))
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(shape=shapes, axis=st.sampled_from("zyx"), multiple=st.sampled_from([1, 16, 32]))
def test_without_resampling_what_is_prepared_is_restored_exactly(shape, axis, multiple):
    preparation, case = Preparation(slice_axis=axis, multiple=multiple), make_case(shape)
    ratings, present = prepared(case, preparation)
    assert ratings.dtype == torch.uint8 and present.dtype == torch.bool
    assert all(side % multiple == 0 for side in ratings.shape[-2:])
    assert present.sum() == 2 * np.prod(shape), "nothing is cropped away, and no padding is judged"
    assert not ratings[~present.unsqueeze(2).expand_as(ratings)].any()
    for r, rater in enumerate(("ann", "bob")):
        np.testing.assert_array_equal(restored(ratings[:, r], case, preparation), one_hot(case.ratings[rater]))


def test_a_digit_of_28_pixels_is_padded_evenly_to_32():
    case, preparation = make_case((28, 28)), Preparation()
    image, (_, present) = prepare_image(case, preparation), prepared(case, preparation)
    assert image.shape == (1, 1, 32, 32)
    assert present[:, :, 2:30, 2:30].all() and present.sum() == 2 * 28 * 28
    torch.testing.assert_close(image[..., :2, 2:30], image[..., 2:3, 2:30].expand(1, 1, 2, 28))
    assert restored(torch.rand(1, 3, 32, 32).softmax(1), case, preparation).shape == (3, 28, 28)


@pytest.mark.parametrize("axis", "zyx")
def test_volumes_are_sliced_along_the_named_axis(axis):
    case, preparation = make_case((3, 5, 7), channels=2), Preparation(slice_axis=axis, multiple=1)
    slices = prepare_image(case, preparation)
    assert slices.shape[:2] == (case.shape[AXES[axis]], 2)
    plane = np.take(case.image, 1, axis=1 + AXES[axis])
    whole = case.image.reshape(2, -1)
    expected = (plane - whole.mean(1)[:, None, None]) / whole.std(1)[:, None, None]
    np.testing.assert_allclose(slices[1], expected, atol=1e-5)


@pytest.mark.parametrize("axis", "zyx")
@pytest.mark.parametrize("thin", [0, 1, 2])
def test_a_volume_of_one_slice_is_learned_as_that_slice(axis, thin):
    flat, preparation = make_case((9, 14)), Preparation(slice_axis=axis, size=(20, 24), multiple=8)
    shape = list(flat.shape)
    shape.insert(thin, 1)
    wrapped = replace(make_case(tuple(shape)), image=flat.image.reshape(1, *shape))
    torch.testing.assert_close(prepare_image(wrapped, preparation), prepare_image(flat, preparation))
    probability = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(0)).softmax(1)
    volume = restored(probability, wrapped, preparation)
    assert volume.shape == (3, *shape)
    np.testing.assert_array_equal(volume.reshape(3, 9, 14), restored(probability, flat, preparation))


def test_an_unknown_axis_is_a_clear_error():
    with pytest.raises(RaterbenchError, match="slice_axis 'w' is unknown"):
        prepare_image(make_case((3, 5, 7)), Preparation(slice_axis="w"))


def test_each_channel_is_normalised_over_the_case_and_a_flat_one_is_zero():
    case = make_case((4, 16, 16), channels=3)
    case = replace(case, image=np.concatenate([case.image[:2], np.full_like(case.image[:1], 7)]))
    slices = prepare_image(case, Preparation(multiple=1))
    torch.testing.assert_close(slices.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(slices.std(dim=(0, 2, 3), correction=0), torch.tensor([1.0, 1.0, 0.0]), atol=1e-5, rtol=0)


def test_absent_raters_and_unjudged_voxels_are_not_present_and_zero():
    case = make_case((20, 24))
    case.ratings["bob"] = unjudged(case.ratings["bob"], slice(5))
    ratings, present = prepared(case, Preparation(), raters=("ann", "bob", "cleo"))
    assert [int(p.sum()) for p in present[0]] == [20 * 24, 15 * 24, 0]
    assert torch.equal(ratings.sum(dim=2), present.to(torch.uint8))


def test_soft_labels_are_kept_and_may_stand_beside_hard_ones():
    soft = np.full((3, 8, 8), 1 / 3, dtype=np.float32)
    soft[:, 0] = 0
    labels = {"ann": np.ones((8, 8), np.uint8), "consensus": soft}
    ratings, present = prepare_ratings(make_case((8, 8)), labels, ("ann", "consensus"), 3, Preparation(multiple=8))
    assert ratings.is_floating_point() and present[0, 0].all()
    assert not present[0, 1, 0].any() and present[0, 1, 1:].all()
    torch.testing.assert_close(ratings[0, 1, :, 1:], torch.full((3, 7, 8), 1 / 3))
    assert (ratings[0, 0, 1] == 1).all()


def blocks(shape):
    """A large rectangle of class 1 in each slice."""
    labels = np.zeros(shape, dtype=np.uint8)
    labels[..., shape[-2] // 4 : -shape[-2] // 4, shape[-1] // 4 : -shape[-1] // 4] = 1
    return labels


@pytest.mark.parametrize("shape", [(37, 53), (64, 64), (3, 40, 24)])
@pytest.mark.parametrize("size", [(32, 32), (48, 80)])
def test_resampled_labels_come_back_in_their_own_geometry(shape, size):
    labels = blocks(shape)
    case = dataclasses.replace(make_case(shape), ratings={"ann": labels})
    preparation = Preparation(size=size)
    ratings, present = prepared(case, preparation, raters=("ann",), n_classes=2)
    assert ratings.shape[-2:] == tuple(-(-side // 32) * 32 for side in size)
    assert int(present[0].sum()) == size[0] * size[1]
    torch.testing.assert_close(ratings.sum(dim=2), present.float())
    p = restored(torch.where(present, ratings[:, 0], 0.5), case, preparation)
    assert p.shape == (2, *shape) and p.dtype == np.float32
    np.testing.assert_allclose(p.sum(axis=0), 1, atol=1e-5)
    hard = p.argmax(axis=0)
    overlap = 2 * (hard & labels).sum() / (hard.sum() + labels.sum())
    assert overlap > 0.93


@settings(max_examples=20, deadline=None, derandomize=True)
@given(shape=shapes, axis=st.sampled_from("zyx"))
def test_maps_are_restored_as_probabilities_are_but_never_rescaled(shape, axis):
    preparation, case = Preparation(slice_axis=axis), make_case(shape)
    ratings, _ = prepared(case, preparation)
    maps = restore_maps(3.0 * ratings, case, preparation)
    assert maps.shape == (2, 3, *shape) and maps.dtype == np.float32 and maps.flags.c_contiguous
    np.testing.assert_array_equal(maps, [3 * one_hot(case.ratings[rater]) for rater in ("ann", "bob")])


@pytest.mark.parametrize("shape", [(37, 53), (3, 40, 24)])
def test_resampled_maps_keep_the_sums_that_they_had(shape):
    preparation, case = Preparation(size=(48, 80)), make_case(shape)
    n = prepare_image(case, preparation).shape[0]
    confusion = torch.randn(n, 4, 3, 3, 64, 96, generator=torch.Generator().manual_seed(0)).softmax(dim=2)
    maps = restore_maps(confusion, case, preparation)
    assert maps.shape == (4, 3, 3, *shape)
    np.testing.assert_allclose(maps.sum(axis=1), 1, atol=1e-5)
    reliability = restore_maps(torch.full((n, 4, 64, 96), 0.3), case, preparation)
    np.testing.assert_allclose(reliability, np.full((4, *shape), 0.3), atol=1e-6)


def test_resampled_unjudged_voxels_do_not_leak_into_labels():
    labels = np.ones((64, 64), dtype=np.uint8)
    labels[:, :31] = IGNORE
    ratings, present = prepare_ratings(make_case((64, 64)), {"ann": labels}, ("ann",), 2, Preparation(size=(32, 32)))
    assert not present[..., :15].any() and present[..., 16:].all()
    torch.testing.assert_close(ratings[:, 0, 1], present[:, 0].float())


def test_interpolated_labels_are_present_where_half_was_judged():
    mixed = torch.tensor([[0.3, 0.1], [0.3, 0.5], [0.0, 0.0], [0.25, 0.75]]).T.view(1, 1, 2, 4)
    present, ratings = normalise_labels(mixed)
    assert present.flatten().tolist() == [False, True, False, True]
    torch.testing.assert_close(ratings[0, 0, 1], torch.tensor([0.0, 0.625, 0.0, 0.75]))


def test_slices_of_many_sizes_are_stacked_without_cropping_and_empty_ones_can_be_left_out():
    preparation, parts = Preparation(), []
    for i, shape in enumerate([(20, 20), (2, 50, 30), (33, 70)]):
        case = make_case(shape, seed=i)
        if i == 1:
            case.ratings.update({rater: unjudged(labels, 0) for rater, labels in case.ratings.items()})
        parts.append(prepare_case(case, case.ratings, ("ann", "bob"), 3, preparation, position=i))
    everything = stack(parts)
    assert everything.images.shape == (4, 1, 64, 96) and everything.ratings.shape == (4, 2, 3, 64, 96)
    assert everything.present.flatten(1).sum(dim=1).tolist() == [2 * 400, 0, 2 * 1500, 2 * 33 * 70]
    judged = store_slices(iter(parts))
    assert len(judged) == 3
    images, ratings, present, cases = judged.batch(torch.tensor([2, 0]), torch.device("cpu"))
    assert cases.tolist() == [2, 0]
    assert torch.equal(images[1], everything.images[0]) and ratings.dtype == torch.float32
    assert torch.equal(present[0], everything.present[3])


def test_second_order_resampling_is_exact_for_a_polynomial_of_second_order():
    y, x = np.mgrid[:40, :48] / 10
    image = (1 + x - 2 * y + 0.5 * x * y + y**2 - 0.7 * x**2).astype(np.float32)
    case = replace(make_case((40, 48)), image=image[None])
    fy, fx = ((np.arange(n) + 0.5) / f - 0.5 for n, f in ((60, 1.5), (96, 2)))
    y, x = fy[:, None] / 10, fx / 10
    exact = (1 + x - 2 * y + 0.5 * x * y + y**2 - 0.7 * x**2 - image.mean()) / image.std()
    inner = np.s_[12:-12, 16:-16]  # a spline does not know how the image goes on beyond its edge
    errors = []
    for order in (1, 2):
        preparation = Preparation(size=(60, 96), image_order=order)
        found = remove_padding(prepare_image(case, preparation), case, preparation)[0, 0]
        errors.append(np.abs(found - exact)[inner].max())
    assert errors[1] < 1e-5 and errors[0] > 1e-4


PHANTOM = Phantom(subjects=3, slices=1, size=96)
CENTRES = Phantom(subjects=4, slices=1, centres=4)
"""One case of each centre: pixels of 0.30, 0.36, 0.30 x 0.36 and 0.15 mm."""


def half(case):
    """Preparations to half the resolution: in pixels of both axes, and to pixels twice as large as those of the first axis."""
    sizes = {"size": tuple(side // 2 for side in case.shape)}, {"pixel_size": 2 * case.geometry.spacing[0]}
    return [Preparation(**size, image_order=order) for size in sizes for order in (1, 2)]


def there_and_back(labels, case, preparation):
    """Labels [*S] or [K, *S] as probabilities, before and after: there and back as a network's prediction is restored."""
    ratings, _ = prepare_ratings(case, {"truth": labels}, ("truth",), 3, preparation)
    return one_hot(labels) if labels.ndim == 2 else labels, restored(ratings[:, 0], case, preparation)


def dice_of(before, after, k):
    first, second = (p.argmax(axis=0) == k for p in (before, after))
    return 2 * (first & second).sum() / (first.sum() + second.sum())


@pytest.mark.parametrize("case", PHANTOM, ids=lambda case: case.centre)
def test_half_the_resolution_and_back_keeps_labels_and_volumes(case):
    for preparation in half(case):
        for labels in (case.truth.labels, case.truth.probability.copy()):
            before, after = there_and_back(labels, case, preparation)
            for k in (1, 2):
                assert dice_of(before, after, k) >= 0.95
                assert after[k].sum() == pytest.approx(before[k].sum(), rel=0.01)


@pytest.mark.parametrize("case", CENTRES, ids=lambda case: case.centre)
def test_at_64_pixels_half_the_resolution_keeps_volumes_and_what_is_not_thin(case):
    for preparation in half(case):
        for labels in (case.truth.labels, case.truth.probability.copy()):
            before, after = there_and_back(labels, case, preparation)
            # Grey matter is 4 to 5 pixels thick in all centres but the finest: half of them cannot show its form.
            for k in (1, 2) if case.centre == "east" else (1,):
                assert dice_of(before, after, k) >= 0.95
            for k in (1, 2):
                assert after[k].sum() == pytest.approx(before[k].sum(), rel=0.01)


@pytest.mark.parametrize("case", PHANTOM, ids=lambda case: case.centre)
@pytest.mark.parametrize("factor", [0.25, 0.5, 1.5])
def test_second_order_resampling_loses_no_more_of_an_image_than_first_order(case, factor):
    size, errors = tuple(round(side * factor) for side in case.shape), []
    whole = prepare_image(case, Preparation(multiple=1))[0]
    for order in (1, 2):
        preparation = Preparation(size=size, image_order=order)
        back = restore_maps(prepare_image(case, preparation), case, preparation)
        errors.append(float(np.square(back - whole.numpy()).mean()))
    assert errors[1] <= errors[0]


@pytest.mark.parametrize("case", CENTRES, ids=lambda case: case.centre)
def test_with_a_pixel_size_too_second_order_loses_no_more_of_an_image(case):
    whole, errors = prepare_image(case, Preparation(multiple=1))[0], []
    for order in (1, 2):
        preparation = Preparation(pixel_size=0.25, image_order=order)
        back = restore_maps(prepare_image(case, preparation), case, preparation)
        errors.append(float(np.square(back - whole.numpy()).mean()))
    assert errors[1] <= errors[0]


def disc(spacing):
    """A disc with a radius of 5 mm in an image of 20 x 24 mm, whatever the spacing."""
    shape = tuple(round(side / step) for side, step in zip((20, 24), spacing, strict=True))
    y, x = ((np.arange(n) + 0.5) * step - side / 2 for n, step, side in zip(shape, spacing, (20, 24), strict=True))
    labels = (np.hypot(y[:, None], x) < 5).astype(np.uint8)
    image = labels[None].astype(np.float32)
    return Case(str(spacing), "subject", "centre", image, {"ann": labels}, Geometry.axis_aligned(2, spacing))


def test_cases_of_different_resolution_get_pixels_of_one_size():
    fine, coarse, oblong = disc((0.1, 0.1)), disc((0.4, 0.4)), disc((0.25, 0.5))
    preparation = Preparation(pixel_size=0.2, multiple=1)
    parts = [prepare_case(case, case.ratings, ("ann",), 2, preparation) for case in (fine, coarse, oblong)]
    for part in parts:
        assert part.images.shape[-2:] == (100, 120)
        area = part.ratings[0, 0, 1].sum() * 0.2**2
        assert area == pytest.approx(np.pi * 25, rel=0.02)
        rows, columns = (part.ratings[0, 0, 1].sum(dim=axis).max() * 0.2 for axis in (0, 1))
        assert rows == pytest.approx(10, abs=0.5) and columns == pytest.approx(10, abs=0.5)
    assert stack(parts).ratings.shape == (3, 1, 2, 100, 120)


def test_the_phantoms_finest_centre_meets_the_others_at_its_own_pixel_size():
    preparation = Preparation(pixel_size=0.15)
    parts = [prepare_case(case, case.ratings, CENTRES.raters, 3, preparation) for case in CENTRES]
    # Sides of 64, 56 x 60, 64 x 56 and 128 pixels, as millimetres in pixels of 0.15 mm, and padded to multiples of 32.
    assert [part.images.shape[-2:] for part in parts] == [(128, 128), (160, 160), (128, 160), (128, 128)]
    assert [int(part.present[0].any(dim=0).sum()) for part in parts] == [128 * 128, 134 * 144, 128 * 134, 128 * 128]
    assert parts[3].ratings.dtype == torch.uint8, "at its own pixel size nothing is resampled"
    assert stack(parts).ratings.dtype == torch.float32


@pytest.mark.parametrize("axis", "zyx")
def test_each_axis_has_its_own_spacing(axis):
    case = replace(make_case((6, 10, 15)), geometry=Geometry.axis_aligned(3, (2.0, 0.5, 0.8)))
    shape = prepared_shape(case, Preparation(slice_axis=axis, pixel_size=1))
    assert shape == {"z": (5, 12), "y": (12, 12), "x": (12, 5)}[axis]


@pytest.mark.parametrize(
    ("preparation", "spacing"),
    [
        (Preparation(), (2.0, 0.5)),
        (Preparation(crop=(8, 8), multiple=32), (2.0, 0.5)),
        (Preparation(size=(20, 12)), (2.0, 1.0)),
        (Preparation(pixel_size=1.0), (1.0, 1.0)),
        (Preparation(slice_axis="x"), (3.0, 2.0)),
        (Preparation(mode="volumes", voxel_size=(3.0, 2.0, 1.0)), (3.0, 2.0, 1.0)),
    ],
    ids=str,
)
def test_the_size_of_voxels_is_known_after_they_are_resampled(preparation, spacing):
    case = replace(make_case((6, 20, 24)), geometry=Geometry.axis_aligned(3, (3.0, 2.0, 0.5)))
    slices = prepare_case(case, case.ratings, ("ann", "bob"), 3, preparation)
    assert slices.spacing.tolist() == [list(spacing)] * len(slices)
    if preparation.mode != "volumes":
        assert torch.equal(store_slices([slices, slices]).spacing, stack([slices, slices]).spacing)


@pytest.mark.parametrize("pixel_size", [0.0001, 100])
def test_a_pixel_size_that_leaves_no_pixel_or_too_many_is_a_clear_error(pixel_size):
    with pytest.raises(RaterbenchError, match=r"pixel_size = \S+ mm makes .* case .*sub-01.*64 x 64 pixels have 0.3 x 0.3 mm"):
        prepare_image(CENTRES[0], Preparation(pixel_size=pixel_size))


def test_size_and_pixel_size_exclude_each_other():
    with pytest.raises(RaterbenchError, match=r"size = \(32, 32\) and pixel_size = 0.5 exclude each other"):
        Preparation(size=(32, 32), pixel_size=0.5)


steps = st.floats(0.2, 3.0)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(shape=shapes, spacing=st.tuples(steps, steps, steps), pixel_size=st.floats(0.4, 1.5), axis=st.sampled_from("zyx"))
def test_probabilities_stay_probabilities_at_any_pixel_size(shape, spacing, pixel_size, axis):
    case = replace(make_case(shape), geometry=Geometry.axis_aligned(len(shape), spacing[: len(shape)]))
    preparation = Preparation(slice_axis=axis, pixel_size=pixel_size, multiple=32)
    extent = [side * step for side, step in zip(shape, spacing, strict=False) if side > 1]
    assume(min(extent, default=0) > pixel_size and min(shape) > 1)
    ratings, present = prepared(case, preparation)
    assert ratings.min() >= 0 and ratings.max() <= 1 + 1e-6
    torch.testing.assert_close(ratings.float().sum(dim=2), present.float())
    slices = remove_padding(ratings[:, 0].float(), case, preparation)
    assert slices.shape[-2:] == prepared_shape(case, preparation)
    # What is stored knows nothing of the pixel size: its own shape is enough.
    p = restore_prepared(slices, case.shape, Preparation(slice_axis=axis))
    assert p.shape == (3, *shape) and p.min() >= 0 and p.max() <= 1 + 1e-6
    np.testing.assert_allclose(p.sum(axis=0), 1, atol=1e-5)


def test_what_is_learned_from_is_cut_around_the_middle_and_smaller_sides_are_padded():
    case, crop = make_case((3, 50, 40)), Preparation(crop=(32, 48))
    cut = prepare_case(case, case.ratings, ("ann", "bob"), 3, crop)
    whole = prepare_case(case, case.ratings, ("ann", "bob"), 3, Preparation(multiple=1))
    assert cut.images.shape == (3, 1, 32, 64) and cut.present.sum() == 2 * 3 * 32 * 40
    for part, full in ((cut.images, whole.images), (cut.ratings, whole.ratings), (cut.present, whole.present)):
        assert torch.equal(part[..., 12:52], full[..., 9:41, :])
        assert part.untyped_storage().nbytes() == part.nbytes, "the rest of the slices is not kept"
    small = make_case((20, 70))
    assert prepare_image(small, Preparation(crop=(60, 48))).shape[-2:] == (64, 64), "smaller sides are padded to the crop"
    assert prepare_image(case, Preparation(crop=(60, 48))).shape[-2:] == (64, 64), "so all cases have one shape"
    # A network that saw the middle alone is not asked about the rest: its prediction is background there, its maps go on.
    probability = torch.rand(3, 3, 32, 64, generator=torch.Generator().manual_seed(0)).softmax(1)
    p, maps = restored(probability, case, crop), restore_maps(probability, case, crop)
    np.testing.assert_array_equal(p[:, :, 9:41], probability.moveaxis(1, 0)[..., 12:52])
    np.testing.assert_array_equal(maps[:, :, 9:41], p[:, :, 9:41])
    for rows, edge in ((slice(9), 9), (slice(41, None), 40)):
        assert (p[0, :, rows] == 1).all() and not p[1:, :, rows].any()
        assert (maps[:, :, rows] == maps[:, :, edge : edge + 1]).all()


def test_a_crop_counts_pixels_after_resampling():
    case = disc((0.1, 0.1))
    cut = prepare_case(case, case.ratings, ("ann",), 2, Preparation(pixel_size=0.25, crop=(64, 64)))
    assert cut.images.shape[-2:] == (64, 64)
    assert cut.ratings[0, 0, 1].sum() * 0.25**2 == pytest.approx(np.pi * 25, rel=0.02), "the disc is in the middle"
    far = replace(case, ratings={"ann": np.roll(case.ratings["ann"], 80, axis=1)})
    lost = prepare_case(far, far.ratings, ("ann",), 2, Preparation(pixel_size=0.25, crop=(32, 32)))
    assert lost.ratings[0, 0, 1].sum() * 0.25**2 < 0.2 * np.pi * 25, "what is far from the middle is cut off"


@pytest.mark.parametrize("cls", [FusedLabels, SeparateNetworks])
def test_a_network_sees_slices_of_one_size_in_training_validation_and_prediction(cls):
    seen = set()

    class Watched(cls):
        def backbone(self, n_channels, n_classes):
            network = super().backbone(n_channels, n_classes)
            network.register_forward_pre_hook(lambda _, inputs: seen.add(tuple(inputs[0].shape[-2:])))
            return network

    small, mixed = make_dataset(shapes=[(32, 32)] * 2), make_dataset(shapes=[(32, 32), (40, 32), (32, 20)])
    method = Watched(budget=Budget(epochs=1, backbone="shallow")).fit(mixed, small, seed=0)
    assert method.predict(small[0]).probability.shape[1:] == (32, 32)
    assert seen == {(64, 32)}
    assert method.predict(make_dataset(shapes=[(70, 20)])[0]).probability.shape[1:] == (70, 20)
    assert seen == {(64, 32), (96, 32)}, "a slice that is larger than those of training is padded to the next multiple"


PREPARATIONS = [
    Preparation(),
    Preparation(size=(40, 40)),
    Preparation(size=(40, 40), image_order=2),
    Preparation(pixel_size=0.5),
    Preparation(crop=(16, 16)),
    Preparation(multiple=64),
]


def test_the_cache_tells_apart_whatever_changes_what_is_prepared(tmp_path, monkeypatch):
    """Images, labels, spacing, settings, classes, and the order of raters; each comes out as without a cache."""
    case = make_case((20, 24))
    finer = replace(case, geometry=replace(case.geometry, spacing=(0.25, 0.25)))
    turned = replace(case, image=case.image[:, ::-1], ratings={rater: labels[::-1] for rater, labels in case.ratings.items()})
    raters, expected = tuple(case.ratings), []
    asked = [
        (one, names, k, p)
        for one in (case, finer, turned)
        for names in (raters, raters[::-1])
        for k in (3, 4)
        for p in PREPARATIONS
    ]
    for cache in (None, DiskCache(tmp_path, worthwhile=False), DiskCache(tmp_path, worthwhile=False)):
        monkeypatch.setattr(DiskCache, "current", cache)
        found = [(prepare_image(one, p), *prepare_ratings(one, one.ratings, names, k, p)) for one, names, k, p in asked]
        expected = expected or found
        for tensors, same in zip(found, expected, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(tensors, same, strict=True))
    assert len(DiskCache(tmp_path).entries()) == 3 * len(PREPARATIONS) + len(asked)
