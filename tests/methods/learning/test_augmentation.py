"""One random map a slice, the same for the image and everything that raters said of it."""

import pytest
import torch
from torch.nn import functional

from raterbench.methods import Budget
from raterbench.methods.learning.augmentation import augment, voxel_grid
from raterbench.methods.learning.batches.slices import Batch

OFF = {"rotation": 0.0, "translation": 0.0, "scaling": 0.0, "flip": False}


def blob(height=64, width=48):
    """A soft disc right of and above the middle, and the ratings of two raters who copy the image; [1, ...]."""
    y, x = torch.meshgrid(torch.arange(height) - height * 0.4, torch.arange(width) - width * 0.6, indexing="ij")
    image = torch.exp(-(x**2 + y**2) / 60)[None, None]
    ratings = torch.stack([1 - image, image], dim=2).expand(-1, 2, -1, -1, -1).clone()
    return image, ratings, torch.ones(1, 2, height, width, dtype=torch.bool)


def augmented(batch, seed=0, spacing=(1.0, 1.0), **options):
    batch = Batch(*batch, cases=torch.arange(len(batch[0])))
    spacing = torch.tensor([spacing] * len(batch.images))
    return augment(batch, Budget(**OFF | options), torch.Generator().manual_seed(seed), spacing)[:3]


def centre(image):
    """Centre of mass (y, x) of [..., H, W]."""
    axes = (torch.arange(n, dtype=torch.float32) for n in image.shape[-2:])
    y, x = torch.meshgrid(*axes, indexing="ij")
    return torch.stack([(image * y).sum(), (image * x).sum()]) / image.sum()


def test_nothing_happens_when_everything_is_off():
    batch = blob()
    assert all(after is before for after, before in zip(augmented(batch), batch, strict=True))


def test_a_map_without_motion_changes_nothing():
    batch = blob()
    for after, before in zip(augmented(batch, rotation=1e-9), batch, strict=True):
        torch.testing.assert_close(after, before, atol=1e-5, rtol=0)


@pytest.mark.parametrize("option", [{"rotation": 90.0}, {"translation": 0.2}, {"scaling": 0.3}, {"flip": True}], ids=str)
def test_image_and_ratings_move_together(option):
    for seed in range(4):
        image, ratings, present = augmented(blob(), seed, **option)
        seen = present[:, 0]
        torch.testing.assert_close(ratings[:, 0, 1][seen], image[:, 0][seen], atol=1e-5, rtol=0)
        torch.testing.assert_close(ratings[:, 0], ratings[:, 1])
        torch.testing.assert_close(ratings.sum(dim=2), present.float())


def test_a_rotation_keeps_areas_and_distances_on_slices_that_are_not_square():
    before, angles = blob(), set()
    middle = torch.tensor([31.5, 23.5])
    for seed in range(5):
        image, _, _ = augmented(before, seed, rotation=180.0)
        assert image.sum().item() == pytest.approx(before[0].sum().item(), rel=0.01)
        there, here = centre(before[0]) - middle, centre(image) - middle
        assert here.norm().item() == pytest.approx(there.norm().item(), abs=0.1)
        angles.add(round(torch.atan2(*here).item(), 1))
    assert len(angles) == 5


@pytest.mark.parametrize(("spacing", "round_"), [((3.0, 1.0), True), ((1.0, 2.0), True), ((1.0, 1.0), False)], ids=str)
def test_a_disc_of_anisotropic_pixels_is_turned_and_not_sheared(spacing, round_):
    """With wrong pixel sizes it is sheared."""
    sizes = (3.0, 1.0) if spacing == (1.0, 1.0) else spacing
    y, x = ((torch.arange(n) - (n - 1) / 2) * step for n, step in zip((96, 96), sizes, strict=True))
    radius = 20 * min(sizes)
    image = torch.exp(-((y[:, None] - radius / 3) ** 2 + x**2) / (2 * (radius / 3) ** 2))[None, None]
    batch = image, torch.stack([1 - image, image], dim=2), torch.ones(1, 1, 96, 96, dtype=torch.bool)
    moved = augmented(batch, 3, spacing, rotation=60.0)[0][0, 0]
    places = torch.stack(torch.meshgrid(y, x, indexing="ij")).flatten(1)
    covariance = torch.cov(places, aweights=moved.flatten().double().clamp(min=0)) / (radius / 3) ** 2
    assert ((covariance - torch.eye(2)).abs().max() < 0.1) == round_


def test_scaling_changes_areas_by_its_square_and_shifts_go_as_far_as_they_may():
    before = blob()
    areas = [augmented(before, seed, scaling=0.2)[0].sum() / before[0].sum() for seed in range(20)]
    assert 0.6 < min(areas) < 0.9 and 1.1 < max(areas) < 1.5
    shifts = torch.stack([centre(augmented(before, seed, translation=0.1)[0]) - centre(before[0]) for seed in range(20)])
    assert shifts[:, 0].abs().max() <= 6.4 + 0.1 and shifts[:, 0].abs().max() > 3
    assert shifts[:, 1].abs().max() <= 4.8 + 0.1 and shifts[:, 1].abs().max() > 2


def test_a_flip_mirrors_left_and_right_of_about_half_of_the_slices():
    image, ratings, present = blob()
    many = [t.expand(40, *t.shape[1:]) for t in (image, ratings, present)]
    found = augmented(many, flip=True)[0]
    kept = [torch.allclose(one, image[0], atol=1e-5) for one in found]
    mirrored = [torch.allclose(one, image[0].flip(-1), atol=1e-5) for one in found]
    assert sum(kept) + sum(mirrored) == 40
    assert 10 < sum(mirrored) < 30


def test_what_nobody_judged_stays_unjudged_and_is_zero():
    image, ratings, present = blob()
    present[:, 1] = False
    present[..., :10] = False
    ratings = ratings * present.unsqueeze(2)
    _, after, seen = augmented((image, ratings, present), rotation=30.0, translation=0.1)
    assert not seen[:, 1].any() and seen[:, 0].any() and not seen[:, 0].all()
    assert not after[~seen.unsqueeze(2).expand_as(after)].any()
    torch.testing.assert_close(after.sum(dim=2), seen.float())


def test_the_same_generator_gives_the_same_map_whatever_the_number_of_raters():
    image, ratings, present = blob()
    one = augmented((image, ratings, present), rotation=20.0)[0]
    other = augmented((image, ratings[:, :1], present[:, :1]), rotation=20.0)[0]
    assert torch.equal(one, other)
    assert not torch.equal(one, augmented((image, ratings, present), 1, rotation=20.0)[0])


@pytest.mark.parametrize("shape", [(64, 64), (96, 80), (1, 7), (16, 24, 32), (1, 5, 6)])
def test_the_grid_of_a_map_is_that_of_pytorch(shape):
    axes = len(shape)
    theta = torch.randn(3, axes, axes + 1, generator=torch.Generator().manual_seed(0))
    expected = functional.affine_grid(theta, [3, 1, *shape], align_corners=False)
    torch.testing.assert_close(voxel_grid(theta, torch.Size(shape)), expected, rtol=0, atol=1e-6)
