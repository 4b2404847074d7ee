"""What is written is read back; a file is there whole, or not at all."""

import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from raterbench.datasets import Geometry, RaterbenchError
from raterbench.datasets.images import read_image, read_labels, write_labels, write_probability

FLAT, DEEP = Geometry.axis_aligned(2), Geometry.axis_aligned(3, (1.0, 2.0, 3.0))
LABELS = np.random.default_rng(0).integers(0, 3, (4, 5, 6)).astype(np.uint8)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".tif"])
@pytest.mark.parametrize("kind", ["u1", "i2", "i4", "i8"])
def test_labels_of_any_type_come_back(tmp_path, ending, kind):
    write_labels(tmp_path / f"a{ending}", LABELS.astype(kind), DEEP)
    assert np.array_equal(read_labels(tmp_path / f"a{ending}").pixels, LABELS)
    assert not [entry for entry in tmp_path.iterdir() if entry.name.startswith(".")]


def test_a_png_holds_what_fits_into_it(tmp_path):
    write_labels(tmp_path / "a.png", LABELS[0].astype(np.int64) * 30000, FLAT)
    assert np.array_equal(read_labels(tmp_path / "a.png").pixels, LABELS[0].astype(int) * 30000)
    for wrong in (LABELS[0].astype(int) * 40000, LABELS[0].astype(int) - 1):
        with pytest.raises(RaterbenchError, match="a PNG holds labels from 0 to 65535"):
            write_labels(tmp_path / "b.png", wrong, FLAT)
    assert not (tmp_path / "b.png").exists()


def test_a_volume_of_one_slice_is_a_picture(tmp_path):
    write_labels(tmp_path / "a.png", LABELS[:1], DEEP)
    assert np.array_equal(read_labels(tmp_path / "a.png").pixels, LABELS[0])
    with pytest.raises(RaterbenchError, match="a PNG holds no volume"):
        write_labels(tmp_path / "b.png", LABELS, DEEP)


def broken_writer(monkeypatch, spoil):
    """A writer that says nothing, and leaves something else in the file, as SimpleITK does with NIfTI on a full disk."""
    right = sitk.WriteImage

    def write(image, name, **options):
        right(image, name, **options)
        spoil(name)

    monkeypatch.setattr(sitk, "WriteImage", write)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".mha", ".nrrd", ".png", ".tif"])
def test_a_file_that_was_written_in_part_is_an_error_and_gone(tmp_path, monkeypatch, ending):
    labels, geometry = (LABELS[0], FLAT) if ending in (".png", ".tif") else (LABELS, DEEP)
    (tmp_path / f"a{ending}").write_bytes(b"what was there before")
    broken_writer(monkeypatch, lambda name: os.truncate(name, Path(name).stat().st_size - 20))
    with pytest.raises(RaterbenchError, match=rf"a\{ending} cannot be written"):
        write_labels(tmp_path / f"a{ending}", labels, geometry)
    assert [entry.name for entry in tmp_path.iterdir()] == [f"a{ending}"]
    assert (tmp_path / f"a{ending}").read_bytes() == b"what was there before"


def test_other_values_than_those_to_write_are_an_error(tmp_path, monkeypatch):
    broken_writer(monkeypatch, lambda name: sitk.ImageFileWriter().Execute(sitk.GetImageFromArray(LABELS + 1), name, True, -1))
    with pytest.raises(RaterbenchError, match="values read back differ"):
        write_labels(tmp_path / "a.nii.gz", LABELS, DEEP)
    with pytest.raises(RaterbenchError, match="cannot be written"):
        write_probability(tmp_path / "a.mha", np.full((1, 4, 5, 6), 0.5, np.float32), DEEP)
    assert not list(tmp_path.iterdir())


def test_probabilities_come_back_bit_by_bit(tmp_path):
    probability = np.moveaxis(np.random.default_rng(0).dirichlet(np.ones(3), (4, 5, 6)), -1, 0)
    for ending in (".nii.gz", ".mha", ".mhd", ".nrrd"):
        write_probability(tmp_path / f"p{ending}", probability, DEEP)
        assert np.array_equal(read_image(tmp_path / f"p{ending}").pixels, probability.astype(np.float32))
    write_probability(tmp_path / "p.tif", probability[:1], DEEP)
    assert np.array_equal(read_image(tmp_path / "p.tif").pixels, probability[:1].astype(np.float32))


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(RaterbenchError, match=r"cannot be written: No such file or directory; is the folder there"):
        write_labels(tmp_path / "no" / "a.png", LABELS[0], FLAT)
