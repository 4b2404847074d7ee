from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from raterbench.datasets import IGNORE, Geometry, RaterbenchError, RatingFolder
from raterbench.datasets.images import write_labels
from raterbench.datasets.label_files.label_values import count_values, parse_classes
from raterbench.datasets.label_files.rating_files import find_cases, label_code, load, one_case, rater_names
from raterbench.datasets.label_files.value_counts import look_at_case

FILE = Path("a.png")


def code(*values, **more):
    """The code of raters who use each of these sets of values in four voxels a value."""
    files = {str(k): Path(f"{k}.png") for k in range(len(values))}
    found = {str(k): np.tile(sorted(v), 4) for k, v in enumerate(values)}
    return label_code([look_at_case("c", files, found)], **more)


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["ada.nii.gz", "ben.nii.gz"], ["ada", "ben"]),
        (["ada/case1.png", "ben/case1.png"], ["ada", "ben"]),
        (["one/ada/c.png", "one/ben/c.png", "two/ada/c.png"], ["one/ada", "one/ben", "two/ada"]),
        (["x/ada.png", "ben.png"], ["ada", "ben"]),
        (["a.png"], ["a"]),
        (["a.png", "a.tif"], ["a.png", "a.tif"]),
    ],
)
def test_raters_are_called_by_what_tells_their_paths_apart(files, names):
    assert rater_names([Path(f) for f in files]) == names


def test_a_file_that_comes_twice_is_named(tmp_path):
    (tmp_path / "a.png").touch()
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    with pytest.raises(RaterbenchError, match=r"a\.png is given twice"):
        one_case([tmp_path / "a.png"] * 2, "c")
    with pytest.raises(RaterbenchError, match=r"b\.png and .*a\.png are the same file"):
        one_case([tmp_path / "a.png", tmp_path / "b.png"], "c")
    with pytest.raises(RaterbenchError, match="no rating"):
        one_case([], "c")


@settings(max_examples=60, deadline=None)
@given(arrays(st.sampled_from([np.uint8, np.int16, np.int64]), st.integers(1, 40)))
def test_values_are_counted_as_by_sorting(values):
    found, number = np.unique(values, return_counts=True)
    assert count_values(values) == dict(zip(found.tolist(), number.tolist(), strict=True))


def test_every_value_is_a_class_and_zero_the_background():
    found = code({0, 100}, {0, 200})
    assert (found.values, found.labels.classes) == ((0, 100, 200), ("background", "label 100", "label 200"))
    assert code({255}).values == (0, 255)
    assert code({0}).values == (0, 1)
    assert code({0, 1}, {0, 255}).values == (0, 255)
    assert code({0, 1}).values == (0, 1)
    assert code({0, 1, 255}).values == (0, 1, 255)
    assert code({0, 1, 255}, ignore=255).values == (0, 1)
    assert code({-1, 0, 7}).values == (0, -1, 7)


def test_what_has_no_label_gets_a_value_that_is_no_class():
    assert [code(v).undecided for v in ({0, 1}, {0, 255}, {0, 128, 255})] == [255, 128, 254]
    assert code({0, 1, 9}, ignore=9).undecided == 9
    written = code({0, 255}).write(np.array([0, 1, IGNORE], np.uint8))
    assert (written.tolist(), written.dtype) == ([0, 255, 128], np.uint8)
    assert code({0, 1000}).write(np.array([1], np.uint8)).dtype == np.uint16
    assert code({0, -1}).write(np.array([1], np.uint8)).tolist() == [-1]


@pytest.mark.parametrize("values", [{0, 255}, {0, 1}, {0, 100, 200}])
def test_a_value_that_is_not_judged_must_leave_one_for_each_class(values):
    with pytest.raises(RaterbenchError, match="no value is left for the class 'background' where 0 means not judged"):
        code(values, ignore=0)


def test_declared_classes_are_kept_and_others_refused():
    declared = parse_classes("nothing=0, lesion=7", ignore=9)
    found = code({0, 7, 9}, declared=declared, ignore=9)
    assert found.labels.classes == ("nothing", "lesion")
    assert found.labels.indices(np.array([0, 7, 9]), FILE).tolist() == [0, 1, IGNORE]
    with pytest.raises(
        RaterbenchError, match=r"a\.png has the value 3 in 1 voxel, which stand for no class.*lesion = \[7, 3\].*ignore = 3"
    ):
        found.labels.indices(np.array([0, 3]), FILE)
    assert parse_classes("0,100").classes == ("background", "label 100")


@pytest.mark.parametrize(
    ("text", "words"),
    [("0", "at least one more"), ("0,x", "no whole number"), ("0,0", "once"), ("a=0,a=1", "once"), ("", "no whole")],
)
def test_classes_of_another_form_are_explained(text, words):
    with pytest.raises(RaterbenchError, match=words):
        parse_classes(text)


def test_an_image_is_no_label_map():
    with pytest.raises(RaterbenchError, match=r"0\.png has 300 different values from 0 to 299.*grey image.*threshold = 150"):
        code(set(range(300)))


def test_a_folder_of_ratings_needs_no_images(tmp_path):
    for rater, value in (("ada", 100), ("ben", 200)):
        for case in ("c1", "c2") if rater == "ada" else ("c2",):
            (tmp_path / "ratings" / rater).mkdir(parents=True, exist_ok=True)
            labels = np.eye(5, dtype=np.uint8) * value
            write_labels(tmp_path / "ratings" / rater / f"{case}.nii.gz", labels, Geometry.axis_aligned(2, (2.0, 0.5)))
    data = RatingFolder(tmp_path)
    assert data.index["case"].tolist() == ["c1", "c2"]
    assert data[0].image.shape == (0, 5, 5)
    assert data[0].shape == (5, 5)
    assert data[0].geometry.spacing == (2.0, 0.5)
    assert set(data[1].ratings) == {"ada", "ben"}
    assert data[1].ratings["ben"].max() == 2
    (tmp_path / "images").mkdir()
    write_labels(tmp_path / "images" / "c2.nii.gz", np.ones((5, 5), np.uint8), Geometry.axis_aligned(2, (2.0, 0.5)))
    assert RatingFolder(tmp_path)[1].image.shape == (1, 5, 5)
    (tmp_path / "cases.csv").write_text("case,subject\nc1,s\nc2,s\n")
    assert [RatingFolder(tmp_path).index["subject"].tolist(), RatingFolder(tmp_path)[1].subject] == [["s", "s"], "s"]
    (tmp_path / "cases.csv").write_text("case,subject\nc1,s\nc3,s\n")
    with pytest.raises(RaterbenchError, match="'c3', which has no rating"):
        RatingFolder(tmp_path)
    (tmp_path / "cases.csv").unlink()
    write_labels(tmp_path / "images" / "c2.nii.gz", np.ones((5, 5), np.uint8), Geometry.axis_aligned(2, (2.0, 0.6)))
    with pytest.raises(RaterbenchError, match="spacing"):
        RatingFolder(tmp_path)[1]
    with pytest.raises(RaterbenchError, match="is no folder"):
        find_cases(tmp_path / "nowhere")


def test_a_png_takes_the_geometry_of_the_others(tmp_path):
    write_labels(tmp_path / "a.png", np.eye(4, dtype=np.uint8), Geometry.axis_aligned(2))
    write_labels(tmp_path / "b.mha", np.eye(4, dtype=np.uint8), Geometry.axis_aligned(2, (3.0, 2.0)))
    loaded = load(one_case([tmp_path / "a.png", tmp_path / "b.mha"], "c"))
    assert loaded.geometry.spacing == (3.0, 2.0)
