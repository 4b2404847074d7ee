import shutil
from pathlib import Path

import numpy as np
import pytest

from raterbench.datasets import IGNORE, Folder, Geometry, RaterbenchError, load_dataset

from .written_files import put

MASK = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0]], np.uint8)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Two images, two raters, of whom the second rated one; masks of 0 and 255."""
    root = tmp_path / "nuclei"
    for case in ("a", "b"):
        put(root / "images" / f"{case}.png", MASK * 50 + 10)
        put(root / "ratings" / "anna" / f"{case}.png", MASK * 255)
    put(root / "ratings" / "ben" / "b.png", MASK[::-1] * 255)
    return root


def test_a_folder_needs_nothing_else(folder):
    data = load_dataset(f"folder:{folder}")
    assert isinstance(data, Folder)
    assert (data.name, data.classes, data.raters) == ("nuclei", ("background", "foreground"), ("anna", "ben"))
    assert data.index["raters"].tolist() == [("anna",), ("anna", "ben")]
    assert data.index["subject"].tolist() == ["a", "b"]
    case = data[1]
    assert case.image.shape == (1, 3, 4)
    assert np.array_equal(case.ratings["anna"], MASK)
    assert np.array_equal(case.ratings["ben"], MASK[::-1])
    assert case.truth is None


def test_a_diagnosis_is_read_with_the_case(folder):
    before = Folder(folder)
    assert before.diagnoses == () and before[0].diagnosis is None and "diagnosis" not in before.index
    (folder / "cases.csv").write_text("case,diagnosis\na,well\nb,\n")
    data = Folder(folder)
    assert data.diagnoses == ("well",) and [case.diagnosis for case in data] == [0, None]
    (folder / "dataset.toml").write_text("diagnoses = ['ill', 'well']")
    data = Folder(folder)
    assert data.diagnoses == ("ill", "well") and [case.diagnosis for case in data] == [1, None]
    assert data.subset([0], blind=True)[0].diagnosis is None


def test_hidden_files_and_pixels_beside_a_header_are_passed_over(folder):
    (folder / "images" / ".DS_Store").write_text("x")
    (folder / "ratings" / "anna" / "._a.png").write_text("x")
    (folder / "ratings" / ".git").mkdir()
    put(folder / "images" / "c.mhd", MASK)
    put(folder / "ratings" / "anna" / "c.png", MASK)
    assert len(Folder(folder)) == 3


def test_volumes_with_geometry(tmp_path):
    where = Geometry((2.0, 0.5, 0.4), (1.0, 2.0, 3.0), tuple(np.eye(3).ravel()))
    volume = np.stack([MASK, MASK * 2])
    put(tmp_path / "images" / "sub.01.nii.gz", volume, where)
    put(tmp_path / "ratings" / "r" / "sub.01.nrrd", volume, where)
    data = Folder(tmp_path)
    assert data.classes == ("background", "label 1", "label 2")
    assert data[0].id == "sub.01"
    assert data[0].shape == (2, 3, 4)
    assert np.allclose(data[0].geometry.spacing, where.spacing)
    assert data.grid_at(0) == (data[0].shape, data[0].geometry)
    put(tmp_path / "ratings" / "r" / "sub.01.nrrd", volume, Geometry.axis_aligned(3))
    with pytest.raises(RaterbenchError, match=r"sub\.01\.nii\.gz and .*sub\.01\.nrrd differ in spacing"):
        data[0]


@pytest.mark.parametrize(("image", "rating"), [("nii.gz", "png"), ("png", "nii.gz"), ("png", "png"), ("tif", "mha")])
@pytest.mark.parametrize("spacing", ["", "spacing = [0.5, 0.25]"])
def test_the_grid_of_a_case_is_known_without_reading_it(tmp_path, image, rating, spacing):
    where = Geometry.axis_aligned(2, (0.5, 0.25))
    put(tmp_path / "images" / f"a.{image}", MASK, where if "nii" in image else None)
    put(tmp_path / "ratings" / "r" / f"a.{rating}", MASK, where if rating != "png" else None)
    (tmp_path / "dataset.toml").write_text(spacing)
    data = Folder(tmp_path)
    assert data.grid_at(0) == (data[0].shape, data[0].geometry)


def test_only_headers_are_read_for_the_grids_of_volumes(tmp_path):
    where = Geometry((2.0, 0.5, 0.5), (1.0, 2.0, 3.0), tuple(np.eye(3).ravel()))
    put(tmp_path / "images" / "a.mha", np.stack([MASK, MASK]), where)
    put(tmp_path / "ratings" / "r" / "a.mha", np.stack([MASK, MASK]), where)
    data = Folder(tmp_path)
    whole = (tmp_path / "images" / "a.mha").read_bytes()
    (tmp_path / "images" / "a.mha").write_bytes(whole[:-1] + bytes([whole[-1] ^ 255]))
    assert data.grid_at(0) == ((2, 3, 4), where)
    with pytest.raises(RaterbenchError, match=r"a\.mha"):
        data[0]


def test_the_settings_say_what_values_mean(folder):
    values = np.array([[0, 128, 40, 40], [0, 0, 200, 200], [0, 0, 0, 0]], np.uint8)
    for rater, case in (("anna", "a"), ("anna", "b"), ("ben", "b")):
        put(folder / "ratings" / rater / f"{case}.png", values)
    (folder / "dataset.toml").write_text(
        'name = "mine"\nignore = 128\n[classes]\nbackground = 0\ncore = 200\nrim = 40\n'
        '[preparation]\nslice_axis = "x"\nsize = [64, 96]\n'
    )
    data = Folder(folder)
    assert (data.name, data.classes) == ("mine", ("background", "core", "rim"))
    assert (data.preparation.slice_axis, data.preparation.size) == ("x", (64, 96))
    assert data[0].ratings["anna"].tolist() == [[0, IGNORE, 2, 2], [0, 0, 1, 1], [0, 0, 0, 0]]


def test_the_object_may_be_black(folder):
    (folder / "dataset.toml").write_text("[classes]\nbackground = 255\ncell = 0\n")
    assert np.array_equal(Folder(folder)[0].ratings["anna"], 1 - MASK)


def test_one_tool_may_save_255_where_another_saves_1(folder):
    put(folder / "ratings" / "ben" / "b.png", MASK)
    data = Folder(folder)
    assert data.classes == ("background", "foreground")
    assert np.array_equal(data[1].ratings["anna"], data[1].ratings["ben"])
    put(folder / "ratings" / "ben" / "b.png", np.array([[0, 1, 255, 0]] * 3, np.uint8))
    with pytest.raises(RaterbenchError, match="the value 255"):
        Folder(folder)


@pytest.mark.parametrize("white", [1, 255])
def test_two_named_classes_take_masks_of_one_or_255(folder, white):
    for rater, case in (("anna", "a"), ("anna", "b"), ("ben", "b")):
        put(folder / "ratings" / rater / f"{case}.png", MASK * white)
    (folder / "dataset.toml").write_text('classes = ["background", "cell"]')
    assert np.array_equal(Folder(folder)[0].ratings["anna"], MASK)


def test_an_undeclared_ignore_value_is_no_class_when_declared(folder):
    put(folder / "ratings" / "anna" / "a.png", MASK * 255 + 9 * (MASK == 0).astype(np.uint8))
    with pytest.raises(RaterbenchError, match=r"anna.a\.png has the value 9"):
        Folder(folder)
    (folder / "dataset.toml").write_text("ignore = 9")
    assert set(np.unique(Folder(folder)[0].ratings["anna"])) == {1, IGNORE}


def test_subjects_and_centres_from_the_table(folder):
    (folder / "cases.csv").write_text("\ufeffcase,subject,centre\nb,007,Graz\na,007,Linz\n", encoding="utf-8")
    data = Folder(folder)
    assert data.index["subject"].tolist() == ["007", "007"]
    assert data.index["centre"].tolist() == ["Linz", "Graz"]
    assert data[0].centre == "Linz"
    (folder / "cases.csv").write_text("case,centre\na,Graz\nb,Graz\n")
    assert Folder(folder).index["subject"].tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("case,patient\na,1\nb,1\n", "unknown column 'patient'"),
        ("case,center\na,1\nb,1\n", "did you mean 'centre'"),
        ("subject,centre\n1,1\n1,1\n", "no column 'case'"),
        ("case,subject\na,1\nb,1\nc,2\n", "'c', which has no image"),
        ("case,subject\na,1\n", "no row for the image 'b'"),
        ("case,subject\na,1\na,1\nb,1\n", "'a' 2 times"),
        ("case,subject\na,1\nb,\n", "'b' has an empty cell"),
        ("", "no table"),
    ],
)
def test_a_table_that_does_not_fit_is_named(folder, table, words):
    (folder / "cases.csv").write_text(table)
    with pytest.raises(RaterbenchError, match=rf"cases\.csv.*{words}"):
        Folder(folder)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nmae = 'x'", "unknown key 'nmae'; did you mean 'name'"),
        ("[preparation]\nslice_axes = 'z'", "did you mean 'slice_axis'"),
        ("[preparation]\nslice_axis = 'w'", "'z', 'y' or 'x'"),
        ("[preparation]\nsize = 64", r"\[height, width\]"),
        ("preparation = 1", "must be a table"),
        ("name = ", "no valid TOML"),
        ("name = 3", "text in quotes"),
        ("ignore = 'x'", "whole number"),
        ("[classes]\nbackground = 0", "at least one more"),
        ("[classes]\nbackground = 0\nx = 0", "same value"),
        ("[classes]\nx = 255\nbackground = 0", "must come first"),
        ("[classes]\nbackground = 0\nx = 'white'", "whole number for each"),
        ("ignore = 255\n[classes]\nbackground = 0\nx = 255", "also the value of the class 'x'"),
        ("classes = ['background', 'x', 'x']", "different names"),
        ("classes = 2", "whole number for each"),
    ],
)
def test_settings_that_make_no_sense_are_named(folder, text, words):
    (folder / "dataset.toml").write_text(text)
    with pytest.raises(RaterbenchError, match=rf"dataset\.toml.*{words}"):
        Folder(folder)


def test_values_outside_the_classes_are_named(folder):
    (folder / "dataset.toml").write_text("[classes]\nbackground = 0\nx = 1\n")
    with pytest.raises(RaterbenchError, match=r"anna.a\.png has the value 255 in \d+ voxels.*known are \[0, 1\]"):
        Folder(folder)[0]


def test_ratings_that_are_all_empty_leave_the_classes_unknown(folder):
    for rater, case in (("anna", "a"), ("anna", "b"), ("ben", "b")):
        put(folder / "ratings" / rater / f"{case}.png", MASK * 0)
    with pytest.raises(RaterbenchError, match="declare the classes"):
        Folder(folder)
    (folder / "dataset.toml").write_text("classes = ['background', 'cell']")
    assert not Folder(folder)[0].ratings["anna"].any()


def test_files_that_do_not_fit_the_layout_are_named(folder):
    def fails(words: str) -> None:
        with pytest.raises(RaterbenchError, match=words):
            Folder(folder)

    stray = folder / "ratings" / "anna" / "bb.png"
    put(stray, MASK)
    fails(r"bb\.png is the rating of no image")
    stray.unlink()
    put(folder / "ratings" / "c.png", MASK)
    fails(r"c\.png belongs into the folder of its rater")
    (folder / "ratings" / "c.png").unlink()
    put(folder / "images" / "a.tif", MASK)
    fails(r"a\.png and .*a\.tif are both called 'a'")
    (folder / "images" / "a.tif").unlink()
    (folder / "images" / "notes.txt").write_text("x")
    fails(r"notes\.txt is no image")
    (folder / "images" / "notes.txt").unlink()
    put(folder / "images" / "lonely.png", MASK)
    fails("'lonely' has no rater at all")
    (folder / "images" / "lonely.png").unlink()
    (folder / "ratings" / "carl").mkdir()
    fails("carl is empty")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(RaterbenchError, match="images is missing"):
        Folder(tmp_path)
    put(tmp_path / "images" / "a.png", MASK)
    with pytest.raises(RaterbenchError, match="ratings is missing"):
        Folder(tmp_path)
    with pytest.raises(RaterbenchError, match="is no folder"):
        Folder(tmp_path / "none")


def test_sizes_and_channels_must_agree(folder):
    data = Folder(folder)
    put(folder / "ratings" / "anna" / "a.png", MASK.T * 255)
    with pytest.raises(RaterbenchError, match="differ in size"):
        data[0]
    put(folder / "images" / "b.mha", np.stack([MASK, MASK]))
    (folder / "images" / "b.png").unlink()
    with pytest.raises(RaterbenchError, match=r"b\.mha has 1 channels and 3 dimensions"):
        Folder(folder)[1]


def test_the_fingerprint_sees_the_content_of_every_file(tmp_path, files_seen):
    root = tmp_path / "mine"
    for case in ("a", "b"):
        put(root / "images" / f"{case}.mhd", MASK * 50)
        put(root / "ratings" / "anna" / f"{case}.nii", MASK)
        put(root / "truth" / f"{case}.nrrd", MASK)
        put(root / "ignored" / f"{case}.mha", MASK * 0)
    put(root / "ratings" / "ben" / "b.png", MASK)
    (root / "cases.csv").write_text("case,subject\na,1\nb,2\n")
    (root / "dataset.toml").write_text("[classes]\nbackground = 0\nthing = 1\n# by hand ")
    (root / "images" / ".hidden").write_text("x")
    every = {file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file()}
    assert len(every) == 14
    assert files_seen(Folder(root), root) == every - {"images/.hidden"}


def test_the_fingerprint_sees_files_and_settings_but_not_where_the_folder_lies(folder, tmp_path):
    first = Folder(folder).fingerprint()
    (tmp_path / "elsewhere").mkdir()
    moved = shutil.copytree(folder, tmp_path / "elsewhere" / "nuclei")
    assert Folder(moved).fingerprint() == first
    (folder / "dataset.toml").write_text("[classes]\nbackground = 255\nforeground = 0\n")
    swapped = Folder(folder).fingerprint()
    (folder / "dataset.toml").unlink()
    put(folder / "ratings" / "ben" / "b.png", np.array([[0, 255, 0, 255], [255, 0, 0, 255], [0, 0, 0, 255]], np.uint8))
    assert len({first, swapped, Folder(folder).fingerprint()}) == 3
