import re
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from raterbench.datasets import Geometry, RaterbenchError
from raterbench.datasets.images import (
    WITH_GEOMETRY,
    check_agreement,
    image_form,
    read_image,
    read_labels,
    stem_of,
    suffix_of,
    write_labels,
    write_probability,
)

TILTED = Geometry((3.0, 0.5, 0.7), (-10.0, 20.0, 5.5), (0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0))


def save(file: Path, pixels: np.ndarray, geometry: Geometry | None = None, *, colour: bool = False) -> Path:
    image = sitk.GetImageFromArray(pixels, isVector=colour)
    if geometry is not None:
        image.SetSpacing(geometry.spacing[::-1])
        image.SetOrigin(geometry.origin)
        image.SetDirection(geometry.direction)
    sitk.WriteImage(image, str(file))
    return file


def close(one: Geometry, other: Geometry) -> bool:
    return all(np.allclose(getattr(one, f), getattr(other, f), atol=1e-5) for f in ("spacing", "origin", "direction"))


@pytest.mark.parametrize("ending", [".png", ".tif", ".tiff", ".nii", ".nii.gz", ".mha", ".nrrd"])
def test_grey_images_in_two_dimensions(tmp_path, ending):
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    found = read_image(save(tmp_path / f"a{ending}", pixels))
    assert found.pixels.dtype == np.float32
    assert np.array_equal(found.pixels, pixels[None])
    assert image_form(found.file) == (1, 2)


def test_jpeg_is_good_enough_for_an_image(tmp_path):
    found = read_image(save(tmp_path / "a.JPG", np.full((16, 16), 100, np.uint8)))
    assert np.allclose(found.pixels, 100, atol=2)


@pytest.mark.parametrize("ending", [".png", ".tif", ".mha", ".nii.gz"])
def test_colours_become_channels(tmp_path, ending):
    pixels = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    file = save(tmp_path / f"a{ending}", pixels, colour=True)
    assert np.array_equal(read_image(file).pixels, np.moveaxis(pixels, -1, 0))
    assert image_form(file) == (3, 2)


def test_alpha_is_left_out(tmp_path):
    pixels = np.stack([np.full((3, 4), v, np.uint8) for v in (7, 7, 7, 255)], axis=-1)
    file = save(tmp_path / "a.png", pixels, colour=True)
    assert read_image(file).pixels.shape == (3, 3, 4)
    assert image_form(file) == (3, 2)
    assert (read_labels(file).pixels == 7).all()


@pytest.mark.parametrize("ending", WITH_GEOMETRY)
def test_volumes_keep_their_geometry_in_array_order(tmp_path, ending):
    pixels = np.random.default_rng(0).integers(0, 2000, (2, 3, 4)).astype(np.int16)
    found = read_image(save(tmp_path / f"a{ending}", pixels, TILTED))
    assert np.array_equal(found.pixels[0], pixels)
    assert close(found.geometry, TILTED)
    assert image_form(found.file) == (1, 3)


def test_a_volume_of_one_slice_stays_a_volume(tmp_path):
    file = save(tmp_path / "a.nii.gz", np.zeros((1, 3, 4), np.uint8))
    assert read_image(file).pixels.shape == (1, 1, 3, 4)
    assert read_labels(file).pixels.shape == (1, 3, 4)


def test_labels_keep_their_values(tmp_path):
    values = np.array([[0, 255], [1000, 3]], np.int32)
    found = read_labels(save(tmp_path / "a.mha", values)).pixels
    assert found.dtype.kind in "iu"
    assert np.array_equal(found, values)


def test_labels_may_be_stored_as_real_numbers_or_equal_channels(tmp_path):
    assert read_labels(save(tmp_path / "a.nii", np.array([[0.0, 2.0]], np.float32))).pixels.tolist() == [[0, 2]]
    grey = np.repeat(np.array([[[0], [255]]], np.uint8), 3, axis=-1)
    assert read_labels(save(tmp_path / "b.png", grey, colour=True)).pixels.tolist() == [[0, 255]]


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.array([[0, 0.5]], np.float32), "no whole numbers: 0.5"),
        (np.array([[0, np.nan]], np.float32), "no whole numbers: nan"),
    ],
)
def test_labels_that_are_no_whole_numbers_are_named(tmp_path, pixels, words):
    with pytest.raises(RaterbenchError, match=rf"a\.mha.*{words}"):
        read_labels(save(tmp_path / "a.mha", pixels))


def test_coloured_or_lossy_labels_are_refused(tmp_path):
    colours = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    with pytest.raises(RaterbenchError, match=r"a\.png is in colours"):
        read_labels(save(tmp_path / "a.png", colours, colour=True))
    with pytest.raises(RaterbenchError, match=r"a\.jpg is a JPEG"):
        read_labels(save(tmp_path / "a.jpg", np.zeros((8, 8), np.uint8)))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_image_that_is_not_finite_is_named(tmp_path, value):
    with pytest.raises(RaterbenchError, match=rf"a\.nrrd.*{value}"):
        read_image(save(tmp_path / "a.nrrd", np.array([[1, value]], np.float32)))


def test_files_that_cannot_be_read_are_named(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("hello")
    for name, words in (("broken.png", "cannot be read"), ("notes.txt", "known endings"), ("none.nii", "not there")):
        for read in (read_image, read_labels):
            with pytest.raises(RaterbenchError, match=f"{name}.*{words}"):
                read(tmp_path / name)
    with pytest.raises(RaterbenchError, match=r"broken\.png cannot be read"):
        image_form(tmp_path / "broken.png")


def test_four_dimensions_are_too_many(tmp_path):
    file = save(tmp_path / "a.nii", np.zeros((2, 3, 4, 5), np.float32))
    with pytest.raises(RaterbenchError, match="4 dimensions"):
        read_image(file)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"spacing": (3.0, 0.5, 0.71)}, "spacing"),
        ({"origin": (-10.0, 20.0, 6.0)}, "origin"),
        ({"direction": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)}, "direction"),
    ],
)
def test_ratings_that_lie_elsewhere_are_refused(tmp_path, change, words):
    image = read_image(save(tmp_path / "image.nii.gz", np.zeros((2, 3, 4), np.float32), TILTED))
    moved = Geometry(**{**vars(TILTED), **change})
    rating = read_labels(save(tmp_path / "rating.nii.gz", np.zeros((2, 3, 4), np.uint8), moved))
    with pytest.raises(RaterbenchError, match=rf"image\.nii\.gz and .*rating\.nii\.gz differ in {words}"):
        check_agreement(image, rating)


def test_another_size_is_refused_and_float32_rounding_is_not(tmp_path):
    image = read_image(save(tmp_path / "image.mha", np.zeros((2, 3, 4), np.float32), TILTED))
    same = read_labels(save(tmp_path / "same.nii.gz", np.zeros((2, 3, 4), np.uint8), TILTED))
    check_agreement(image, same)
    other = read_labels(save(tmp_path / "other.mha", np.zeros((2, 4, 3), np.uint8), TILTED))
    with pytest.raises(RaterbenchError, match=r"differ in size: \(2, 3, 4\) against \(2, 4, 3\)"):
        check_agreement(image, other)


def test_a_raster_rating_is_held_to_the_size_alone(tmp_path):
    image = read_image(save(tmp_path / "image.mha", np.zeros((3, 4), np.float32), Geometry.axis_aligned(2, (0.5, 0.4))))
    check_agreement(image, read_labels(save(tmp_path / "rating.png", np.zeros((3, 4), np.uint8))))


@pytest.mark.parametrize("ending", [".nii.gz", ".mha", ".nrrd"])
def test_what_is_written_is_read_again(tmp_path, ending):
    labels = np.random.default_rng(0).integers(0, 3, (2, 3, 4)).astype(np.uint8)
    write_labels(tmp_path / f"l{ending}", labels, TILTED)
    found = read_labels(tmp_path / f"l{ending}")
    assert np.array_equal(found.pixels, labels)
    assert close(found.geometry, TILTED)
    probability = np.random.default_rng(0).dirichlet(np.ones(3), (2, 3, 4)).astype(np.float32)
    write_probability(tmp_path / f"p{ending}", np.moveaxis(probability, -1, 0), TILTED)
    again = read_image(tmp_path / f"p{ending}")
    assert np.array_equal(again.pixels, np.moveaxis(probability, -1, 0))
    assert close(again.geometry, TILTED)


def test_labels_are_written_with_the_values_of_their_files(tmp_path):
    write_labels(tmp_path / "l.png", np.array([[0, 1, 255]], np.uint8), Geometry.axis_aligned(2), values=(0, 128))
    assert read_labels(tmp_path / "l.png").pixels.tolist() == [[0, 128, 255]]


def test_what_cannot_be_written_is_named(tmp_path):
    labels = np.zeros((2, 2), np.uint8)
    for name, words in (("a.jpg", "JPEG"), ("a.xyz", "unknown ending"), ("no/such/folder/a.png", "cannot be written")):
        with pytest.raises(RaterbenchError, match=words):
            write_labels(tmp_path / name, labels, Geometry.axis_aligned(2))
    with pytest.raises(RaterbenchError, match="real numbers"):
        write_probability(tmp_path / "a.png", np.zeros((2, 2, 2), np.float32), Geometry.axis_aligned(2))


@settings(max_examples=50, deadline=None)
@given(
    st.text(st.characters(codec="ascii", categories=["L", "N"], include_characters="._-"), min_size=1),
    st.sampled_from([".png", ".nii.gz", ".NII.GZ", ".Tif", ".mha"]),
)
def test_a_name_is_its_stem_and_its_ending(stem, ending):
    file = Path(stem + ending)
    assert stem_of(file) == stem
    assert suffix_of(file) == ending.lower()


def test_no_image_has_no_ending():
    assert suffix_of(Path("notes.txt")) is None
    assert suffix_of(Path(".png")) is None


@pytest.mark.parametrize("stored", [0.99999994, 1.0009, 0.9991])
def test_a_real_number_near_a_label_is_that_label(tmp_path, stored):
    file = save(tmp_path / "a.nii.gz", np.array([[0, stored, 2]], np.float32))
    assert read_labels(file).pixels.tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("stored", ["0.998", "1.0020001", "0.5", "-inf"])
def test_a_value_is_shown_so_that_it_can_be_told_from_the_right_one(tmp_path, stored):
    file = save(tmp_path / "a.mha", np.array([[0, 1, float(stored)]], np.float32))
    with pytest.raises(
        RaterbenchError, match=rf"a\.mha has labels that are no whole numbers: {re.escape(str(np.float32(stored)))};"
    ):
        read_labels(file)


@pytest.mark.parametrize(
    ("kind", "value"),
    [(np.uint64, 2**63), (np.uint64, 2**64 - 1), (np.float32, 1e30), (np.float64, -1e19), (np.float64, 2.0**63)],
)
def test_labels_that_no_integer_holds_are_an_error(tmp_path, kind, value):
    with pytest.raises(RaterbenchError, match=r"a\.mha has the label .*smaller than 2\^63"):
        read_labels(save(tmp_path / "a.mha", np.array([[0, value]], kind)))


def test_large_labels_that_an_integer_holds_stay_exact(tmp_path):
    for kind, value in ((np.uint64, 2**63 - 1), (np.int64, -(2**63)), (np.uint32, 2**32 - 1), (np.float64, 2.0**53)):
        found = read_labels(save(tmp_path / "a.mha", np.array([[0, value]], kind))).pixels
        assert found.tolist() == [[0, int(value)]]
