"""Volumes in 3-D: what is prepared comes back, patches hold what they should, windows are MONAI's."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from monai.inferers.utils import sliding_window_inference

from raterbench.benchmark.checks.examples import make_dataset
from raterbench.datasets import IGNORE, Case, Geometry, Preparation, RaterbenchError
from raterbench.methods import METHODS, Budget, ConfusionNetwork, NetworkMethod
from raterbench.methods.learning.augmentation import augment
from raterbench.methods.learning.batches.slices import Batch, PreparedSlices
from raterbench.methods.learning.network import rows_in_chunks
from raterbench.methods.learning.preparation import (
    prepare_image,
    prepare_ratings,
    prepared_shape,
    remove_padding,
    restore_maps,
    restore_prepared,
)
from raterbench.methods.learning.volumes.patches import Patches, marked_voxels, prepare_volume, store_volumes
from raterbench.methods.learning.volumes.resampling import resize_volume

VOLUMES = Preparation(mode="volumes", patch=(32, 32, 32))
CPU = torch.device("cpu")
OFF = {"rotation": 0.0, "translation": 0.0, "scaling": 0.0, "flip": False}


def ball(spacing, extent=(48.0, 40.0, 36.0), radius=9.0, centre=(0.0, 0.0, 0.0), name="one"):
    """A ball, its middle at ``centre`` mm from that of the volume, whatever the voxels."""
    shape = tuple(round(side / step) for side, step in zip(extent, spacing, strict=True))
    axes = [(np.arange(n) + 0.5) * s - n * s / 2 - c for n, s, c in zip(shape, spacing, centre, strict=True)]
    labels = (sum(axis**2 for axis in np.ix_(*axes)) < radius**2).astype(np.uint8)
    image = labels[None].astype(np.float32)
    return Case(name, name, "", image, {"ann": labels}, Geometry.axis_aligned(3, spacing))


def stored(cases, preparation=VOLUMES, targets=None):
    volumes = [prepare_volume(c, targets or c.ratings, ("ann",), 2, preparation, position=i) for i, c in enumerate(cases)]
    return store_volumes(volumes, preparation)


def moments(mass, spacing):
    """Volume, centre and covariance in mm of a map [D, H, W]."""
    places = torch.stack(
        torch.meshgrid(
            *((torch.arange(n) + 0.5) * s - n * s / 2 for n, s in zip(mass.shape, spacing, strict=True)), indexing="ij"
        ),
        dim=-1,
    ).flatten(0, 2)
    weight = mass.flatten() / mass.sum()
    centre = (weight[:, None] * places).sum(dim=0)
    apart = places - centre
    return float(mass.sum()) * np.prod(spacing), centre, (weight[:, None] * apart).T @ apart


@pytest.mark.parametrize("spacing", [(3.0, 1.0, 1.0), (1.5, 2.0, 1.0)], ids=str)
def test_a_ball_of_anisotropic_voxels_is_turned_and_not_sheared(spacing):
    """Its volume, its distance from the middle, and equal variances in all directions stay as they were."""
    case = ball(spacing, radius=10.0, centre=(6.0, -5.0, 3.0))
    image = torch.tensor(case.image)[None]
    batch = Batch(
        image, image.unsqueeze(1).repeat(1, 1, 2, 1, 1, 1), torch.ones(1, 1, *case.shape, dtype=torch.bool), torch.arange(1)
    )
    before, turned = moments(image[0, 0], spacing), []
    for seed in range(3):
        moved = augment(batch, Budget(**OFF | {"rotation": 60.0}), torch.Generator().manual_seed(seed), torch.tensor([spacing]))
        volume, centre, covariance = moments(moved.images[0, 0], spacing)
        assert volume == pytest.approx(before[0], rel=0.03)
        assert centre.norm().item() == pytest.approx(before[1].norm().item(), abs=0.3)
        torch.testing.assert_close(covariance, 20.0 * torch.eye(3), atol=1.5, rtol=0)
        turned.append(centre)
    assert min((one - other).norm() for one in turned for other in turned if one is not other) > 1


def test_without_spacing_a_rotation_would_shear_so_the_test_above_can_fail():
    case = ball((3.0, 1.0, 1.0), radius=10.0)
    image = torch.tensor(case.image)[None]
    batch = Batch(image, image.unsqueeze(1), torch.ones(1, 1, *case.shape, dtype=torch.bool), torch.arange(1))
    moved = augment(batch, Budget(**OFF | {"rotation": 60.0}), torch.Generator().manual_seed(0), torch.ones(1, 3))
    _, _, covariance = moments(moved.images[0, 0], (3.0, 1.0, 1.0))
    assert (covariance - 20 * torch.eye(3)).abs().max() > 5


def test_scaling_shifts_and_mirrors_of_volumes_go_as_far_as_the_budget_says():
    spacing, found = (3.0, 1.0, 1.0), []
    case = ball(spacing, radius=8.0, centre=(0.0, 0.0, 6.0))
    image = torch.tensor(case.image)[None].repeat(12, 1, 1, 1, 1)
    batch = Batch(image, image.unsqueeze(1), torch.ones(12, 1, *case.shape, dtype=torch.bool), torch.arange(12))
    for change in ({"scaling": 0.2}, {"translation": 0.1}, {"flip": True}):
        moved = augment(batch, Budget(**OFF | change), torch.Generator().manual_seed(0), torch.tensor([spacing] * 12))
        found.append([moments(one[0], spacing) for one in moved.images])
    before = moments(image[0, 0], spacing)
    sizes = [float(volume / before[0]) ** (1 / 3) for volume, _, _ in found[0]]
    assert 0.79 < min(sizes) < 0.92 and 1.08 < max(sizes) < 1.21
    shifts = torch.stack([centre - before[1] for _, centre, _ in found[1]]).abs()
    assert (shifts.max(dim=0).values <= 0.1 * torch.tensor([48.0, 40.0, 36.0]) + 0.1).all() and (
        shifts.max(dim=0).values > 1
    ).all()
    sides = {round(float(centre[2])) for _, centre, _ in found[2]}
    assert sides == {-6, 6}


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("spacing", [(3.0, 1.0, 1.0), (1.0, 1.5, 0.75)], ids=str)
def test_resampling_to_a_voxel_size_and_back_keeps_the_geometry(spacing, order):
    case = ball(spacing)
    preparation = replace(VOLUMES, voxel_size=(1.5, 1.0, 1.0), image_order=order)
    assert prepared_shape(case, preparation) == (32, 40, 36)
    ratings, present = prepare_ratings(case, case.ratings, ("ann",), 2, preparation)
    assert ratings.shape == (1, 1, 2, 32, 40, 36) and present.all()
    assert float(ratings[0, 0, 1].sum()) * 1.5 == pytest.approx(case.ratings["ann"].sum() * np.prod(spacing), rel=0.02)
    back = restore_prepared(remove_padding(ratings[:, 0], case, preparation), case.shape, preparation)
    assert back.shape == (2, *case.shape)
    np.testing.assert_allclose(back.sum(axis=0), 1, atol=1e-5)
    drawn, truth = back[1] > 0.5, case.ratings["ann"] == 1
    assert 2 * (drawn & truth).sum() / (drawn.sum() + truth.sum()) > 0.93
    image = restore_maps(prepare_image(case, preparation), case, preparation)[0]
    assert np.corrcoef(image.ravel(), case.image.ravel())[0, 1] > 0.93


def test_what_is_not_resampled_is_restored_exactly_from_a_padded_patch():
    case = ball((3.0, 1.0, 1.0))
    image = prepare_image(case, VOLUMES, (32, 64, 64))
    assert image.shape == (1, 1, 32, 64, 64)
    ratings, _ = prepare_ratings(case, case.ratings, ("ann",), 2, VOLUMES)
    assert ratings.dtype == torch.uint8 and ratings.shape[3:] == case.shape, "volumes in files have no padding"
    np.testing.assert_array_equal(restore_maps(ratings[:, 0], case, VOLUMES)[1], case.ratings["ann"])
    padded = torch.zeros(1, 2, 32, 64, 64)
    padded[..., 8:24, 12:52, 14:50] = ratings[:, 0]
    np.testing.assert_array_equal(remove_padding(padded, case, VOLUMES)[0, 1], case.ratings["ann"])


def test_what_shrinks_is_averaged_along_each_axis():
    volumes = torch.rand(1, 2, 12, 8, 10, generator=torch.Generator().manual_seed(0))
    assert resize_volume(volumes, (12, 8, 10)) is volumes
    for size in ((6, 8, 10), (12, 4, 5), (3, 2, 5)):
        assert resize_volume(volumes, size).shape[2:] == size
        assert resize_volume(volumes, size).mean().item() == pytest.approx(volumes.mean().item(), rel=0.05)
    constant = torch.full((1, 1, 9, 9, 9), 2.0)
    torch.testing.assert_close(resize_volume(constant, (4, 12, 5)), torch.full((1, 1, 4, 12, 5), 2.0))


def test_the_declared_share_of_training_patches_holds_foreground():
    """Foreground is one voxel of a volume of 27 patches, so that a patch elsewhere has it in one of eight cases at most."""
    labels = np.zeros((96, 96, 96), np.uint8)
    labels[2, 90, 50] = 1
    case = Case("a", "a", "", np.zeros((1, 96, 96, 96), np.float32), {"ann": labels}, Geometry.axis_aligned(3, (1, 1, 1)))
    rows, found = torch.zeros(200, dtype=torch.int64), {}
    for share in (0.0, 0.5, 1.0):
        patches, generator = stored([case], replace(VOLUMES, foreground=share)), torch.Generator().manual_seed(0)
        batches = [patches.draw(part, CPU, generator) for part in rows.split(20)]
        found[share] = np.mean([float((one[0, 1] > 0).any()) for batch in batches for one in batch.ratings])
        assert all(batch.images.shape[2:] == (32, 32, 32) for batch in batches)
    assert found[0.0] < 0.15 and 0.4 < found[0.5] < 0.65 and found[1.0] == 1


def test_foreground_is_what_any_rater_marked_whatever_is_learned():
    case = ball((2.0, 1.0, 1.0))
    nobody = np.zeros(case.shape, np.uint8)
    unjudged = np.full(case.shape, IGNORE, np.uint8)
    marked = marked_voxels(replace(case, ratings={"ann": nobody, "bob": case.ratings["ann"], "cal": unjudged}), case.shape, 2)
    assert 0 < len(marked) <= 1000 and (case.ratings["ann"][tuple(marked.T.numpy())] == 1).all()
    fine = marked_voxels(case, tuple(2 * n for n in case.shape), 2)
    assert (case.ratings["ann"][tuple((fine // 2).T.numpy())] == 1).all()
    assert len(marked_voxels(replace(case, ratings={"ann": nobody}), case.shape, 2)) == 0


def test_a_small_class_is_not_lost_in_a_large_one():
    case = ball((1.0, 1.0, 1.0))
    labels = case.ratings["ann"].copy()
    labels[24, 20, 15:20] = 2
    case = replace(case, ratings={"ann": labels})
    found = labels[tuple(marked_voxels(case, case.shape, 3).T.numpy())]
    assert np.bincount(found).tolist() == [0, 1000, 5]


def test_tiles_cover_every_judged_voxel_and_a_small_volume_is_padded():
    case = ball((1.0, 1.0, 1.0), extent=(20.0, 64.0, 70.0))
    patches = stored([case])
    assert patches.sides == (32, 32, 32) and len(patches) == 1 * 2 * 3
    batch = patches.batch(torch.arange(len(patches)), CPU)
    assert int(batch.present.sum()) >= 20 * 64 * 70 and not batch.present[:, :, :6].any()
    assert batch.ratings[:, 0, 1].sum() >= case.ratings["ann"].sum()
    low, high = case.ratings["ann"].copy(), np.full(case.shape, IGNORE, np.uint8)
    high[:, :10] = low[:, :10]
    part = stored([replace(case, ratings={"ann": high})])
    assert len(part) == 3, "tiles that nobody judged are left out"
    assert len(part.only_raters(torch.tensor([False]))) == 0


def test_patches_follow_the_generator_and_their_voxels_have_a_size():
    cases = [ball((2.0, 1.0, 1.0), extent=(80.0, 50.0, 50.0)), ball((1.0, 1.0, 1.0), extent=(50.0, 40.0, 60.0), name="two")]
    patches, rows = stored(cases), torch.arange(6)
    one, same, other = (patches.draw(rows, CPU, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(one.images, same.images) and not torch.equal(one.images, other.images)
    assert patches.spacing[[0, -1]].tolist() == [[2, 1, 1], [1, 1, 1]]
    assert sorted(set(patches.cases.tolist())) == [0, 1]
    fine = stored(cases, replace(VOLUMES, voxel_size=(1.0, 1.0, 2.0)))
    assert fine.spacing[:1].tolist() == [[1, 1, 2]]


def fitted(method=NetworkMethod, shapes=((36, 40, 50),) * 2, preparation=VOLUMES, **budget):
    dataset = make_dataset(shapes=list(shapes))
    dataset.preparation = preparation
    budget = Budget(epochs=1, batch_size=4, features=(4, 4, 4, 4, 4, 4), **budget)
    return method(budget=budget).fit(dataset, dataset, seed=0), dataset


@pytest.mark.parametrize("overlap", [0.25, 0.5])
def test_a_prediction_is_monais_sliding_window_inference(overlap):
    method, dataset = fitted(preparation=replace(VOLUMES, overlap=overlap), backbone="shallow")
    case = dataset[0]
    image = torch.from_numpy((case.image - case.image.mean()) / case.image.std())[None]
    with torch.no_grad():
        logits = sliding_window_inference(image, (32, 32, 32), 2, method.module_, overlap=overlap, mode="gaussian")
    np.testing.assert_allclose(method.predict_proba(case), logits.softmax(dim=1)[0].numpy(), atol=1e-5)


def test_all_outputs_of_a_network_are_blended_alike():
    method, dataset = fitted(ConfusionNetwork, backbone="shallow")
    prediction, n = method.predict(dataset[0].unlabelled()), dataset.n_classes
    for confusion in prediction.rater_confusion.values():
        assert confusion.shape == (n, n, *dataset[0].shape)
        np.testing.assert_allclose(confusion.sum(axis=0), 1, atol=1e-5)
    for reliability in prediction.rater_reliability.values():
        assert reliability.shape == dataset[0].shape and reliability.min() > 0.5


def test_images_and_volumes_cannot_be_mixed_in_3d():
    with pytest.raises(RaterbenchError, match=r"'case 1' has 2 axes, and others have 3.*mode = \"volumes\""):
        fitted(shapes=((32, 32, 32), (32, 32)))


def test_2d_images_are_slices_in_any_case():
    method, dataset = fitted(shapes=((32, 32),) * 2, backbone="shallow")
    assert method.spatial_dims_ == 2 and method.predict_proba(dataset[0]).shape == (2, 32, 32)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "3d"}, "mode = '3d' must be 'slices' or 'volumes' or 'auto'"),
        ({"mode": "volumes", "pixel_size": 1}, r"pixel_size = 1.0 is for slices, and mode = \"volumes\""),
        ({"mode": "volumes", "multiple": 64, "patch": (96, 64, 64)}, r"patch = \(96, 64, 64\) must have sides divisible"),
        ({"patch": (30, 32, 32)}, "patch = .* in steps of 32"),
        ({"crop": (64, 64), "overlap": 0.0}, r"crop = \(64, 64\) is for slices, and overlap = 0.0 for volumes: leave"),
        ({"voxel_size": (1.0, 0.0, 1.0)}, "voxel_size = .* greater than 0"),
    ],
)
def test_settings_that_make_no_sense_are_clear_errors(options, message):
    with pytest.raises(RaterbenchError, match=message):
        Preparation(**options)


def test_a_voxel_size_that_leaves_nothing_is_a_clear_error():
    with pytest.raises(RaterbenchError, match=r"voxel_size = \[100.0, 1.0, 1.0\] makes 0 x 40 x 36 voxels of case 'one'"):
        prepared_shape(ball((1.0, 1.0, 1.0)), replace(VOLUMES, voxel_size=(100, 1, 1)))


@pytest.mark.parametrize("name", ["tgce", "best-rater", "max-mig", "wdnet", "aggnet"])
def test_no_more_patches_are_seen_at_once_than_windows_in_a_prediction(name, monkeypatch):
    """A patch is as large as many slices, so that as many of them would need many times the memory."""
    seen, cut = [], Patches.batch

    def counted(self, rows, device):
        seen.append(len(rows))
        return cut(self, rows, device)

    monkeypatch.setattr(Patches, "batch", counted)
    dataset = make_dataset(shapes=[(32, 32, 96)] * 2, n_raters=3)
    dataset.preparation = VOLUMES
    budget = Budget(**OFF, backbone="shallow", epochs=1, batch_size=1, features=(2,) * 6)
    METHODS.get(name)(budget=budget).fit(dataset, dataset, seed=0)
    assert sum(seen) >= 12 and max(seen) == 4


def test_chunks_of_slices_have_as_many_as_before():
    flat = PreparedSlices(
        torch.zeros(40, 1, 2, 2),
        torch.zeros(40, 1, 2, 2, 2),
        torch.ones(40, 1, 2, 2, dtype=torch.bool),
        torch.arange(40),
        torch.ones(40, 2),
    )
    assert [rows.tolist() for rows in rows_in_chunks(flat)] == [list(range(32)), list(range(32, 40))]
