"""NIfTI, MetaImage and NRRD: what their headers say is read rightly, or refused with the true reason."""

import numpy as np
import pytest

from raterbench.datasets import RaterbenchError
from raterbench.datasets.images import image_form, read_image, read_labels

from .made_files import metaimage, nifti, nrrd

MASK = np.zeros((3, 5, 4), np.uint8)
MASK[1, 1:4, 1:3] = 1


def refused(file, words):
    for read in (read_labels, read_image):
        with pytest.raises(RaterbenchError, match=words) as caught:
            read(file)
        assert str(file.name) in str(caught.value)


@pytest.mark.parametrize("kind", ["u1", "i2", ">i2", "i4", "u2", "u4", "i8", "u8", "f4", ">f4", "f8"])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_nifti_of_any_type_and_byte_order(tmp_path, kind, zipped):
    found = read_labels(nifti(tmp_path / "a.nii", MASK.astype(kind), zipped=zipped))
    assert np.array_equal(found.pixels, MASK)
    assert found.geometry.spacing == (2.0, 1.0, 1.0)


@pytest.mark.parametrize(("name", "zipped"), [("a.nii", True), ("a.nii.gz", False), ("A.NII.GZ", True), ("A.NII", False)])
def test_a_nifti_is_read_by_its_content_whatever_its_ending_says(tmp_path, name, zipped):
    file = nifti(tmp_path / name, MASK, zipped=zipped)
    assert np.array_equal(read_labels(file).pixels, MASK)
    assert image_form(file) == (1, 3)


def test_endings_in_capitals(tmp_path):
    assert np.array_equal(read_labels(metaimage(tmp_path / "A.MHA", MASK)).pixels, MASK)
    assert np.array_equal(read_labels(nrrd(tmp_path / "A.NRRD", MASK)).pixels, MASK)


@pytest.mark.parametrize("tail", [(4, 4, 5, 3, 1, 1, 1, 1), (5, 4, 5, 3, 1, 1, 1, 1)])
def test_further_axes_of_length_one_are_none(tmp_path, tail):
    file = nifti(tmp_path / "a.nii", MASK, patches=[(40, "8h", tail)])
    assert np.array_equal(read_labels(file).pixels, MASK)
    assert image_form(file) == (1, 3)
    four = metaimage(tmp_path / "a.mha", MASK[None])
    assert np.array_equal(read_labels(four).pixels, MASK)
    assert image_form(four) == (1, 3)
    listed = nrrd(tmp_path / "a.nrrd", MASK[..., None], kinds="list domain domain domain")
    assert np.array_equal(read_labels(listed).pixels, MASK)


def test_several_volumes_in_one_file_are_refused(tmp_path):
    both = np.stack([MASK, MASK])
    for file in (
        nifti(tmp_path / "a.nii", both),
        metaimage(tmp_path / "a.mha", both),
        nrrd(tmp_path / "a.nrrd", both),
    ):
        refused(file, r"4 dimensions \(4, 5, 3, 2\).* save each as a file of its own")


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ((0, "i", 349), "does not start with a NIfTI header"),
        ((0, "i", 540), "NIfTI-2"),
        ((344, "4s", b"ni1\0"), "pair of files"),
        ((344, "4s", b"\0\0\0\0"), "ANALYZE"),
        ((40, "h", 0), "0 dimensions"),
        ((40, "h", 9), "9 dimensions"),
        ((42, "h", -4), "sizes"),
        ((42, "h", 0), "sizes"),
        ((70, "h", 1), "single bits"),
        ((70, "h", 32), "complex numbers: save its magnitude"),
        ((70, "h", 9999), "data type 9999"),
        ((72, "h", 7), "7 bits a voxel"),
        ((70, "h", 64), "8 bits a voxel, and a data type of 64"),
        ((80, "f", float("nan")), "spacing .*nan"),
        ((80, "f", float("inf")), "spacing .*inf"),
        ((80, "f", 0.0), "spacing .*0.0"),
        ((80, "f", -1.0), "spacing .*-1.0"),
        ((108, "f", 1e9), "promises"),
        ((108, "f", float("nan")), "start at byte nan"),
        ((108, "f", 400.0), "cut off"),
        ((108, "f", 0.0), "start at byte 0"),
        ((112, "f", float("inf")), "scales values by inf"),
        ((280, "f", float("nan")), "affine matrix"),
        ((284, "f", 0.3), "not at right angles"),
        ((42, "3h", (30000, 30000, 1)), "it holds 60 of the 900000000 bytes"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_a_nifti_header_that_makes_no_sense(tmp_path, patch, words, zipped):
    if zipped:
        words = words.replace("it holds 60 of the", "of the")
        words = words if "promises" not in words else "cut off|promises"
    refused(nifti(tmp_path / "a.nii", MASK, zipped=zipped, patches=[patch]), words)


def test_scaled_storage_gives_the_scaled_values(tmp_path):
    scaled = nifti(tmp_path / "a.nii", MASK, patches=[(112, "2f", (2.0, 1.0))])
    assert np.array_equal(read_labels(scaled).pixels, 2 * MASK + 1)
    unscaled = nifti(tmp_path / "b.nii", MASK, patches=[(112, "f", float("nan"))])
    assert np.array_equal(read_labels(unscaled).pixels, MASK)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"NDims": "1000000"}, "1000000 dimensions"),
        ({"NDims": "0"}, "0 dimensions"),
        ({"NDims": "many"}, "NDims = many"),
        ({"NDims": None}, "NDims"),
        ({"DimSize": "4 5"}, "DimSize = 4 5, where 3 numbers"),
        ({"DimSize": "-4 5 3"}, "sizes"),
        ({"DimSize": "0 0 0"}, "sizes"),
        ({"DimSize": "99999999999999999999 1 1"}, "promises"),
        ({"DimSize": "10000 10000 10000"}, "promises"),
        ({"ElementType": "MET_STRING"}, "type 'MET_STRING'"),
        ({"ElementType": "MET_DOUBLE"}, "60 of the 480 bytes"),
        ({"ElementSpacing": "nan 1 1"}, "spacing"),
        ({"ElementSpacing": "0 1 1"}, "spacing"),
        ({"ElementSpacing": "-1 1 1"}, "spacing"),
        ({"Offset": "nan inf 0"}, "Offset"),
        ({"TransformMatrix": "0 0 0 0 0 0 0 0 0"}, "no direction of axes"),
        ({"TransformMatrix": "1 0.2 0 0 1 0 0 0 1"}, "not at right angles"),
        ({"BinaryData": "False"}, "as text"),
        ({"ElementDataFile": "/etc/passwd"}, "only a file beside the header"),
        ({"ElementDataFile": "../other.raw"}, "only a file beside the header"),
        ({"ElementDataFile": "LIST"}, "several files"),
        ({"ElementDataFile": "slice%03d.raw 1 3 1"}, "several files"),
        ({"ElementDataFile": "gone.raw"}, "gone.raw is not there"),
    ],
)
def test_a_metaimage_header_that_makes_no_sense(tmp_path, changes, words):
    file = metaimage(tmp_path / "a.mha", MASK, **changes)
    with pytest.raises(RaterbenchError, match=words):
        read_labels(file)


def test_a_line_that_comes_twice_is_no_choice(tmp_path):
    file = metaimage(tmp_path / "a.mha", MASK)
    file.write_bytes(file.read_bytes().replace(b"NDims", b"DimSize = 4 5 3\nNDims"))
    refused(file, "two lines 'DimSize'")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dimension": "17"}, "17 dimensions"),
        ({"dimension": "2"}, "for 2 dimensions"),
        ({"sizes": "0 5 3"}, "sizes"),
        ({"sizes": "-4 5 3"}, "sizes"),
        ({"sizes": "10000 10000 10000"}, "promises"),
        ({"type": "block"}, "type 'block'"),
        ({"type": "double"}, "60 of the 480 bytes"),
        ({"encoding": "bzip2"}, "encoding 'bzip2'"),
        ({"encoding": "gzip"}, "compressed data"),
        ({"encoding": "ascii"}, "numbers that its header promises"),
        ({"space": "left-posterior-superior", "space_directions": "(nan,0,0) (0,1,0) (0,0,2)"}, "spacing"),
        ({"space": "left-posterior-superior", "space_directions": "(0,0,0) (0,1,0) (0,0,2)"}, "spacing"),
        ({"space": "left-posterior-superior", "space_directions": "(1,0,0) (1,0,0) (0,0,2)"}, "one direction"),
        ({"space": "left-posterior-superior", "space_directions": "(1,0,0) (0.3,1,0) (0,0,2)"}, "right angles"),
        ({"spacings": "nan 1 1"}, "spacing"),
        ({"data_file": "/etc/passwd"}, "only a file beside the header"),
        ({"data_file": "a.%03d.raw 0 3 1"}, "several files"),
    ],
)
def test_a_nrrd_header_that_makes_no_sense(tmp_path, changes, words):
    with pytest.raises(RaterbenchError, match=words):
        read_labels(nrrd(tmp_path / "a.nrrd", MASK, **changes))


def test_encodings_of_a_nrrd(tmp_path):
    text = " ".join(map(str, MASK.ravel())).encode()
    digits = MASK.tobytes().hex().encode()
    for data, encoding in ((text, "ascii"), (digits, "hex")):
        whole = nrrd(tmp_path / "a.nrrd", MASK, data=data, encoding=encoding)
        assert np.array_equal(read_labels(whole).pixels, MASK)
        cut = nrrd(tmp_path / "a.nrrd", MASK, data=data[:-6], encoding=encoding)
        refused(cut, "cut off")
    skipped = nrrd(tmp_path / "b.nrrd", MASK, data=b"12345" + MASK.tobytes(), byte_skip="5")
    assert np.array_equal(read_labels(skipped).pixels, MASK)


def test_pixels_beside_their_header(tmp_path):
    (tmp_path / "a.raw").write_bytes(b"1234" + MASK.tobytes())
    for size in ("4", "-1"):
        metaimage(tmp_path / "a.mhd", MASK[:0].reshape(0, 5, 4), DimSize="4 5 3", HeaderSize=size, ElementDataFile="a.raw")
        assert np.array_equal(read_labels(tmp_path / "a.mhd").pixels, MASK)
    (tmp_path / "a.raw").write_bytes(MASK.tobytes()[:-1])
    metaimage(tmp_path / "a.mhd", MASK[:0].reshape(0, 5, 4), DimSize="4 5 3", ElementDataFile="a.raw")
    with pytest.raises(RaterbenchError, match=r"a\.raw cannot be read: it holds 59 of the 60 bytes"):
        read_labels(tmp_path / "a.mhd")


def test_layers_of_slicer_are_no_colours(tmp_path):
    for second in (MASK, 1 - MASK):
        layers = np.stack([MASK, second], axis=-1)
        file = nrrd(
            tmp_path / "anna.seg.nrrd",
            layers,
            extra=["Segment0_ID:=Segment_1", "Segment1_ID:=Segment_2"],
            kinds="list domain domain domain",
            space="left-posterior-superior",
            space_directions="none (1,0,0) (0,1,0) (0,0,2)",
        )
        with pytest.raises(RaterbenchError, match=r"holds 2 layers.*export the segmentation as one labelmap"):
            read_labels(file)


def test_an_empty_segmentation_of_slicer_says_so(tmp_path):
    file = nrrd(tmp_path / "a.seg.nrrd", MASK[:1, :1, :1], extra=["Segment0_ID:=Segment_1"])
    with pytest.raises(RaterbenchError, match="empty segmentation, which 3D Slicer saves as one voxel"):
        read_labels(file)


def test_several_numbers_for_a_voxel_are_no_colours(tmp_path):
    five = np.stack([MASK] * 5, axis=-1)
    file = metaimage(tmp_path / "a.mha", five, NDims="3", DimSize="4 5 3", ElementSpacing="1 1 1", ElementNumberOfChannels="5")
    assert image_form(file) == (5, 3)
    assert read_image(file).pixels.shape == (5, 3, 5, 4)
    with pytest.raises(RaterbenchError, match=r"5 numbers for each voxel \(such as layers, vectors or probabilities\)"):
        read_labels(file)
