"""A rating is held to its image: an axis of length 1 is no axis, exchanged axes are named."""

import numpy as np
import pytest
from PIL import Image

from raterbench.benchmark.labels.fuse import fuse_files
from raterbench.benchmark.labels.fuse_plan import fuse_plan
from raterbench.datasets import Folder, Geometry, RaterbenchError
from raterbench.datasets.images import Picture, check_agreement, read_labels, write_labels
from raterbench.datasets.label_files.rating_files import RatedFiles, load
from raterbench.methods.fusion.majority import MajorityVote

PIXELS = np.arange(20, dtype=np.uint8).reshape(4, 5)
MM = (1.0, 2.0, 3.0)


def picture(name, pixels, spacing=None):
    return Picture(pixels, Geometry.axis_aligned(pixels.ndim, spacing), name)


def image(tmp_path, name, shape, spacing=None):
    return Picture(np.zeros((1, *shape), np.float32), Geometry.axis_aligned(len(shape), spacing), tmp_path / name)


@pytest.mark.parametrize(("axis", "ending"), [(0, ".nii.gz"), (1, ".mha"), (2, ".nrrd"), (0, ".tif")])
def test_a_slice_and_a_picture_have_the_same_pixels(tmp_path, axis, ending):
    rating = picture(tmp_path / f"r{ending}", np.expand_dims(PIXELS, axis), MM)
    flat = image(tmp_path, "i.png", (4, 5))
    found = check_agreement(flat, rating)
    assert np.array_equal(found.pixels, PIXELS)
    assert found.geometry == flat.geometry
    thin = image(tmp_path, "i.nii.gz", np.expand_dims(PIXELS, axis).shape, MM)
    back = check_agreement(thin, picture(tmp_path / "r.png", PIXELS))
    assert np.array_equal(back.pixels, np.expand_dims(PIXELS, axis))
    assert back.geometry == thin.geometry


def test_slices_along_different_axes_are_different_slices(tmp_path):
    with pytest.raises(RaterbenchError, match="differ in size"):
        check_agreement(image(tmp_path, "i.nii", (1, 4, 5), MM), picture(tmp_path / "r.nii", PIXELS[:, None], MM))


def test_a_plane_and_a_slice_with_geometry_must_have_one_spacing(tmp_path):
    flat = image(tmp_path, "i.nii", (4, 5), (2.0, 3.0))
    assert check_agreement(flat, picture(tmp_path / "r.nii", PIXELS[None], (9.0, 2.0, 3.0))).pixels.shape == (4, 5)
    with pytest.raises(RaterbenchError, match=r"differ in spacing: \(2, 3\) against \(2, 4\)"):
        check_agreement(flat, picture(tmp_path / "r.nii", PIXELS[None], (9.0, 2.0, 4.0)))


@pytest.mark.parametrize(
    ("size", "pixels", "words"),
    [
        (
            (5, 4),
            PIXELS,
            r"\(5, 4\) against \(4, 5\); the axes look exchanged: save the rating with its axes in the order \[y, x\]",
        ),
        ((4, 5), PIXELS.T[None], r"axes look exchanged.*\[z, y, x\]"),
        ((2, 4, 5), np.zeros((5, 4, 2)), "axes look exchanged"),
        ((4, 6), PIXELS, r"\(4, 6\) against \(4, 5\)$"),
        ((2, 4, 5), PIXELS, "differ in size"),
    ],
)
def test_exchanged_axes_are_named(tmp_path, size, pixels, words):
    with pytest.raises(RaterbenchError, match=words):
        check_agreement(image(tmp_path, "i.png", size), picture(tmp_path / "r.nii", pixels))


def test_the_region_that_slicer_saves_alone(tmp_path):
    with pytest.raises(RaterbenchError, match="3D Slicer saves the region around the segments alone"):
        check_agreement(image(tmp_path, "i.nrrd", (4, 9, 9)), picture(tmp_path / "r.seg.nrrd", np.zeros((4, 5, 5))))


def test_files_of_one_case_in_different_forms(tmp_path):
    write_labels(tmp_path / "flat.png", PIXELS, Geometry.axis_aligned(2))
    write_labels(tmp_path / "thin.nii.gz", PIXELS[None], Geometry.axis_aligned(3, MM))
    files = {"flat": tmp_path / "flat.png", "thin": tmp_path / "thin.nii.gz"}
    loaded = load(RatedFiles("case", files, tmp_path / "flat.png"))
    assert all(np.array_equal(values, PIXELS[None]) for values in loaded.values.values())
    assert loaded.image.pixels.shape == (1, 1, 4, 5)
    assert loaded.geometry.spacing == MM


def test_a_folder_of_pictures_and_ratings_of_one_slice(tmp_path):
    mask = (PIXELS > 9).astype(np.uint8)
    for place in ("images", "ratings/anna", "ratings/ben"):
        (tmp_path / place).mkdir(parents=True)
    write_labels(tmp_path / "images/a.png", PIXELS, Geometry.axis_aligned(2))
    write_labels(tmp_path / "ratings/anna/a.nii.gz", mask[None], Geometry.axis_aligned(3, MM))
    write_labels(tmp_path / "ratings/ben/a.png", mask, Geometry.axis_aligned(2))
    case = Folder(tmp_path)[0]
    assert case.image.shape == (1, 4, 5)
    assert all(np.array_equal(rating, mask) for rating in case.ratings.values())


@pytest.mark.parametrize("ending", [".pgm", ".bmp"])
def test_pictures_in_which_no_labels_are_written_become_png(tmp_path, ending):
    mask = Image.fromarray((255 * (PIXELS > 9)).astype(np.uint8))
    for rater in ("anna", "ben"):
        (tmp_path / "d" / "ratings" / rater).mkdir(parents=True)
        mask.save(tmp_path / "d" / "ratings" / rater / f"case{ending}")
    fuse_files(MajorityVote(), fuse_plan([tmp_path / "d"], tmp_path / "out"))
    assert np.array_equal(read_labels(tmp_path / "out" / "case.png").pixels, 255 * (PIXELS > 9))


def test_links_that_go_round_in_a_circle(tmp_path):
    (tmp_path / "a.png").symlink_to("a.png")
    write_labels(tmp_path / "b.png", PIXELS, Geometry.axis_aligned(2))
    with pytest.raises(RaterbenchError, match=r"a\.png cannot be read"):
        fuse_files(MajorityVote(), fuse_plan([tmp_path / "a.png", tmp_path / "b.png"], tmp_path / "out.png"))
