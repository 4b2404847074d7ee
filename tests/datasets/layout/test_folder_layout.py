from pathlib import Path

import numpy as np
import pytest

from raterbench.datasets import IGNORE, Folder, Geometry, RaterbenchError, RatingFolder
from raterbench.datasets.images import write_labels
from raterbench.datasets.label_files.rating_files import find_cases
from raterbench.datasets.layout.file_patterns import FilePattern
from raterbench.datasets.layout.layout_hints import mend_for_lonely_raters, wrong_layout

MASK = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0]], np.uint8)


def put(file: Path, pixels: np.ndarray = MASK, geometry: Geometry | None = None) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    # Written beside and renamed, since a writer knows no ending in capitals.
    plain = file.with_name(f"tmp{''.join(file.suffixes[-2:] if '.nii' in file.suffixes else file.suffixes[-1:])}".lower())
    write_labels(plain, pixels, geometry or Geometry.axis_aligned(pixels.ndim))
    plain.rename(file)


def fill(root: Path, names: list[str], layout: str = "") -> Path:
    for name in names:
        put(root / name)
    if layout:
        (root / "dataset.toml").write_text(f"[layout]\n{layout}\n")
    return root


LAYOUTS = {
    "a word before the case": ('ratings = "ratings/{rater}/seg_{case}"', "ratings/{r}/seg_{c}.png"),
    "the case's folder first": ('ratings = "ratings/{case}/{rater}"', "ratings/{c}/{r}.png"),
    "the rater in the name": ('ratings = "ratings/{rater}/{case}_{rater}.*"', "ratings/{r}/{c}_{r}.png"),
    "all in one folder": ('ratings = "ratings/{case}_{rater}.png"', "ratings/{c}_{r}.png"),
    "no folder at all": ('ratings = "{case}_{rater}"\nimages = "images/{case}"', "{c}_{r}.png"),
    "wildcards": ('ratings = "ratings/*/rater-?_{rater}_*_{case}"', "ratings/batch/rater-1_{r}_v2_{c}.png"),
    "capitals": ('ratings = "ratings/{rater}/SEG-{case}.PNG"', "ratings/{r}/seg-{c}.Png"),
    "brackets": ('ratings = "ratings/{rater}/[{case}]"', "ratings/{r}/[{c}].png"),
    "a folder within": ('ratings = "ratings/{case}/masks/{rater}"', "ratings/{c}/masks/{r}.png"),
    "other folders": ('ratings = "labels/{rater}/{case}"', "labels/{r}/{c}.png"),
}


@pytest.mark.parametrize(("layout", "name"), LAYOUTS.values(), ids=LAYOUTS)
def test_patterns_say_how_files_are_called(tmp_path, layout, name):
    ratings = [name.format(c=c, r=r) for c, r in (("01", "ada"), ("01", "ben"), ("02", "ben"))]
    fill(tmp_path, [*ratings, "images/01.png", "images/02.png"], layout)
    for kind in (Folder, RatingFolder):
        data = kind(tmp_path)
        assert data.index["case"].tolist() == ["01", "02"]
        assert data.index["raters"].tolist() == [("ada", "ben"), ("ben",)]
        assert np.array_equal(data[0].ratings["ada"], MASK)


def test_images_and_ratings_of_a_case_may_lie_together(tmp_path):
    names = [
        f"train/case{c}/{file}"
        for c in "12"
        for file in ("image.png", "task01_seg01.png", "task01_seg02.png", "task02_seg01.png")
    ]
    layout = 'images = "train/{case}/image"\nratings = "train/{case}/task01_{rater}"'
    fill(tmp_path, names, layout)
    with pytest.raises(RaterbenchError, match=r"task02_seg01\.png does not fit .*skip in \[layout\]"):
        Folder(tmp_path)
    fill(tmp_path, [], layout + '\nskip = ["task02_*"]')
    assert Folder(tmp_path).raters == ("seg01", "seg02")
    fill(tmp_path, [], layout + '\nskip = ["train/*/task02_seg01.png"]')
    assert len(Folder(tmp_path)) == 2


def test_images_may_have_an_end_of_their_own(tmp_path):
    fill(tmp_path, ["images/a_GT.png", "ratings/ada/a.png", "ratings/ben/a.png"], 'images = "images/{case}_GT"')
    assert Folder(tmp_path)[0].id == "a"


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        ('ratings = "ratings/{case}"', r"must have \{case\} and \{rater\}"),
        ('images = "images/{case}_{rater}"', r"must have \{case\}"),
        ('ratings = "ratings/{subject}/{rater}"', r"unknown field \{subject\}; known: case, rater"),
        ('ratings = "ratings/{case}{rater}"', "two fields side by side"),
        ('ratings = "../{case}_{rater}"', "is no pattern"),
        ('ratings = "/data/{case}_{rater}"', "is no pattern"),
        ("ratings = 'ratings\\{case}_{rater}'", "is no pattern"),
        ('ratings = "ratings/**/{case}_{rater}"', "is no pattern"),
        ('ratings = ""', "is no pattern"),
        ('ratings = "ratings/{case_{rater}"', "a brace that belongs to no field"),
        ("ratings = 3", "must be a pattern in quotes"),
        ('rating = "x"', "unknown key 'rating'; did you mean 'ratings'"),
        ('skip = "x"', "must be a list of names"),
        ('raters = ["ada", 1]', "must be a list of names"),
        ('raters = ["ada", "ben", "eve"]', "'eve', of whom there is no file"),
        ('ratings = "{rater}/{case}"\nskip = ["images"]', r"ada is no image file .*is 'ratings/\{rater\}/\{case\}' meant"),
        ('ratings = "masks/{rater}/{case}"', r"masks is missing: .*is 'ratings/masks/\{rater\}/\{case\}' meant"),
        (
            'ratings = "ratings/{rater}/seg_{case}"',
            r"ratings/ada/a\.png does not fit ratings = 'ratings/\{rater\}/seg_\{case\}'",
        ),
    ],
)
def test_a_layout_that_makes_no_sense_is_named(tmp_path, layout, words):
    fill(tmp_path, ["images/a.png", "ratings/ada/a.png", "ratings/ben/a.png"], layout)
    with pytest.raises(RaterbenchError, match=words):
        Folder(tmp_path)


def test_a_name_that_can_be_read_in_two_ways_is_an_error_until_it_is_decided(tmp_path):
    names = ["ratings/c_1_dr_smith.png", "ratings/c_1_eve.png"]
    fill(tmp_path, names, 'ratings = "ratings/{case}_{rater}"')
    with pytest.raises(RaterbenchError, match=r"c_1_dr_smith\.png can be read as .* or as .*name the raters"):
        find_cases(tmp_path)
    fill(tmp_path, [], 'ratings = "ratings/{case}_{rater}"\nraters = ["dr_smith", "eve"]')
    assert [(files.case, list(files.ratings)) for files in find_cases(tmp_path)] == [("c_1", ["dr_smith", "eve"])]
    fill(tmp_path, ["images/c_1.png"], 'ratings = "ratings/{case}_{rater}"')
    assert Folder(tmp_path).raters == ("dr_smith", "eve")


def test_two_files_of_one_rater_and_case_are_named(tmp_path):
    fill(tmp_path, ["ratings/x/c1_ada.png", "ratings/y/c1_ada.png"], 'ratings = "ratings/*/{case}_{rater}"')
    with pytest.raises(RaterbenchError, match=r"x/c1_ada\.png and .*y/c1_ada\.png are both called 'c1' and of rater 'ada'"):
        find_cases(tmp_path)


def test_a_field_that_comes_twice_is_the_same_both_times():
    pattern = FilePattern("ratings/{rater}/{case}_{rater}")
    assert pattern.match(("ratings", "ada", "c_1_Ada.nii.gz")) == {"rater": "ada", "case": "c_1"}
    assert pattern.match(("ratings", "ada", "c_1_ben.nii.gz")) is None


def test_one_rater_written_in_two_ways_is_named(tmp_path):
    fill(tmp_path, ["ratings/c1/Ada.png", "ratings/c2/ada.png", "ratings/c2/ben.png"], 'ratings = "ratings/{case}/{rater}"')
    with pytest.raises(RaterbenchError, match=r"'Ada' .* and 'ada' .* look alike and share no case"):
        find_cases(tmp_path)
    put(tmp_path / "ratings" / "c1" / "ada.png")
    assert len(find_cases(tmp_path)) == 2


RATERS, CASES = ("anna", "ben", "eve"), ("c1", "c2", "c3")
WRONG = {
    "the rater at the end of the name": ("ratings/{r}/{c}_{r}.png", "ratings/{rater}/{case}_{rater}"),
    "the rater at the start": ("ratings/{r}/{r}-{c}.png", "ratings/{rater}/{rater}-{case}"),
    "words between": ("ratings/{r}/{c}_seg-manual-{r}.png", "ratings/{rater}/{case}_seg-manual-{rater}"),
    "words behind": ("ratings/{r}/{c}.{r}.mask.png", "ratings/{rater}/{case}.{rater}.mask"),
    "the rater's initial": ("ratings/{r}/{c}_{r[0]}.png", "ratings/{rater}/{case}_*"),
    "initials in front": ("ratings/{r}/{r[0]}_{c}.png", "ratings/{rater}/*_{case}"),
}


@pytest.mark.parametrize(("name", "pattern"), WRONG.values(), ids=WRONG)
def test_names_that_differ_between_raters_are_no_cases(tmp_path, name, pattern):
    fill(tmp_path, [name.format(r=r, c=c) for r in RATERS for c in CASES])
    found = find_cases(tmp_path)
    assert f'ratings = "{pattern}"' in wrong_layout(found)
    fill(tmp_path, [f"images/{c}.png" for c in CASES])
    with pytest.raises(RaterbenchError, match=r"the rating of no image: write|the rating of no image .*: write") as caught:
        Folder(tmp_path)
    assert f'ratings = "{pattern}"' in str(caught.value)
    fill(tmp_path, [], f'ratings = "{pattern}"')
    assert Folder(tmp_path).index["raters"].tolist() == [RATERS] * 3
    assert wrong_layout(find_cases(tmp_path)) is None


def test_images_called_like_the_ratings_do_not_hide_a_wrong_layout(tmp_path):
    fill(tmp_path, [f"{part}/{c}_{r}.png" for r in RATERS for c in CASES for part in ("images", f"ratings/{r}")])
    with pytest.raises(RaterbenchError, match="no case has two raters"):
        Folder(tmp_path)


@pytest.mark.parametrize(
    ("raters", "cases"),
    [
        (("case1", "case2"), ("rater1", "rater2")),
        (("patient_07", "patient_08"), ("ada", "ben")),
        (("x", "y"), ("expert-1", "expert-2")),
    ],
)
def test_cases_taken_for_raters_are_named(tmp_path, raters, cases):
    fill(tmp_path, [f"ratings/{r}/{c}.png" for r in raters for c in cases])
    found = find_cases(tmp_path)
    assert "seem to be cases, not raters" in wrong_layout(found)
    assert 'ratings = "ratings/{case}/{rater}"' in wrong_layout(found)
    fill(tmp_path, [f"images/{r}.png" for r in raters])
    with pytest.raises(RaterbenchError, match=r'the rating of no image.*ratings = "ratings/\{case\}/\{rater\}"'):
        Folder(tmp_path)
    fill(tmp_path, [], 'ratings = "ratings/{case}/{rater}"')
    assert Folder(tmp_path).raters == tuple(cases)
    assert wrong_layout(find_cases(tmp_path)) is None


def test_a_single_rater_can_be_trained_on_but_not_compared(tmp_path):
    fill(tmp_path, [f"{part}/{c}.png" for part in ("images", "ratings/anna") for c in CASES])
    assert len(Folder(tmp_path)) == 3
    assert mend_for_lonely_raters(find_cases(tmp_path)) == ""
    other = fill(tmp_path / "other", [f"ratings/all/{c}_{r}.png" for c in CASES for r in RATERS])
    assert 'ratings = "ratings/all/{case}_{rater}"' in mend_for_lonely_raters(find_cases(other))


def test_each_case_may_have_another_rater(tmp_path):
    names = [("ratings/anna", "c1"), ("ratings/ben", "c2"), ("ratings/eve", "c3")]
    fill(tmp_path, [f"{part}/{c}.png" for part, c in names] + [f"images/{c}.png" for c in CASES])
    assert len(Folder(tmp_path)) == 3


@pytest.mark.parametrize("file", ["ratings/notes.txt", "ratings/ada/notes.txt", "ratings/ada/inner/a.png", "truth/notes.txt"])
def test_a_file_that_has_no_place_is_named_and_can_be_skipped(tmp_path, file):
    fill(tmp_path, [f"{part}/a.png" for part in ("images", "ratings/ada", "truth")])
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text("x")
    with pytest.raises(RaterbenchError, match=file.split("/")[2 if "inner" in file else -1]):
        Folder(tmp_path)
    fill(tmp_path, [], 'skip = ["notes.txt", "ratings/ada/inner"]')
    assert len(Folder(tmp_path)) == 1


def test_the_truth_is_known_and_no_rater(tmp_path):
    truth = np.array([[0, 1, 1, 2], [0, 1, 1, 2], [0, 0, 0, 9]], np.uint8)
    fill(tmp_path, ["images/a.png", "ratings/ada/a.png", "ratings/ben/a.png"])
    before = Folder(tmp_path)
    assert before[0].truth is None
    put(tmp_path / "truth" / "a.nii.gz", truth)
    (tmp_path / "dataset.toml").write_text("ignore = 9")
    data = Folder(tmp_path)
    assert data.raters == ("ada", "ben")
    assert data.classes == ("background", "label 1", "label 2")
    found = data[0].truth
    assert found.labels.tolist() == [[0, 1, 1, 2], [0, 1, 1, 2], [0, 0, 0, IGNORE]]
    assert found.probability.shape == (3, 3, 4)
    assert np.array_equal(found.probability[:, :2].argmax(axis=0), truth[:2])
    assert found.probability[:, 2, 3] == pytest.approx([1 / 3] * 3)
    assert data.fingerprint() != before.fingerprint()
    assert RatingFolder(tmp_path).raters == ("ada", "ben")
    put(tmp_path / "truth" / "a.nii.gz", truth.T.copy())
    with pytest.raises(RaterbenchError, match=r"a\.nii\.gz.* differ in size|differ in size.*a\.nii\.gz"):
        data[0]


def test_a_truth_of_no_case_or_of_some_is_named(tmp_path):
    fill(tmp_path, [f"{part}/{c}.png" for part in ("images", "ratings/ada") for c in CASES] + ["truth/c1.png"])
    with pytest.raises(RaterbenchError, match="a truth of 1 cases, but none of 'c2' and 1 others"):
        Folder(tmp_path)
    put(tmp_path / "truth" / "c4.png")
    with pytest.raises(RaterbenchError, match=r"c4\.png is the truth of no case; did you mean 'c"):
        Folder(tmp_path)


def test_an_ignored_region_is_judged_by_nobody(tmp_path):
    fill(tmp_path, [f"{part}/{c}.png" for part in ("images", "ratings/ada", "ratings/ben", "truth") for c in ("a", "b")])
    region = np.zeros_like(MASK)
    region[0, 1:3] = 7
    before = Folder(tmp_path).fingerprint()
    put(tmp_path / "ignored" / "a.png", region)
    expected = np.where(region > 0, IGNORE, MASK)
    for kind in (Folder, RatingFolder):
        data = kind(tmp_path)
        assert all(np.array_equal(data[0].ratings[rater], expected) for rater in ("ada", "ben"))
        assert np.array_equal(data[1].ratings["ada"], MASK)
    truth = Folder(tmp_path)[0].truth
    assert np.array_equal(truth.labels, expected)
    assert (truth.probability[:, region > 0] == 0.5).all()
    assert Folder(tmp_path).fingerprint() != before
    put(tmp_path / "ignored" / "a.png", region + 1)
    with pytest.raises(RaterbenchError, match=r"a\.png is nowhere 0"):
        Folder(tmp_path)[0]


def test_the_settings_give_a_spacing_where_files_have_none(tmp_path):
    fill(tmp_path, ["images/a.png", "ratings/ada/a.tif", "ratings/ben/a.png"])
    before = Folder(tmp_path)
    assert (before.unit, before[0].geometry.unit, before[0].geometry.spacing) == ("pixel", "pixel", (1.0, 1.0))
    (tmp_path / "dataset.toml").write_text("spacing = [2, 0.5]")
    for kind in (Folder, RatingFolder):
        data = kind(tmp_path)
        assert (data.unit, data[0].geometry.unit, data[0].geometry.spacing) == ("mm", "mm", (2.0, 0.5))
    assert Folder(tmp_path).fingerprint() != before.fingerprint()
    (tmp_path / "dataset.toml").write_text("spacing = [2, 0.5, 1]")
    with pytest.raises(RaterbenchError, match=r"spacing \(2, 0\.5, 1\), but .*a\.\w+ has 2 axes"):
        Folder(tmp_path)[0]


def test_a_spacing_that_a_file_contradicts_is_named(tmp_path):
    for name in ("images/a.nii.gz", "ratings/ada/a.nii.gz"):
        put(tmp_path / name, MASK, Geometry.axis_aligned(2, (2.0, 0.5)))
    (tmp_path / "dataset.toml").write_text("spacing = [2.0, 0.5]")
    assert Folder(tmp_path)[0].geometry.spacing == (2.0, 0.5)
    (tmp_path / "dataset.toml").write_text("spacing = [0.5, 2.0]")
    with pytest.raises(RaterbenchError, match=r"dataset\.toml gives .*\(0\.5, 2\) mm, but .*a\.nii\.gz says \(2, 0\.5\)"):
        Folder(tmp_path)[0]


def test_a_data_set_has_one_unit(tmp_path):
    where = Geometry.axis_aligned(2, (2.0, 0.5))
    put(tmp_path / "images" / "a.nii.gz", MASK, where)
    put(tmp_path / "ratings" / "ada" / "a.nii.gz", MASK, where)
    assert (Folder(tmp_path).unit, Folder(tmp_path)[0].geometry.spacing) == ("mm", (2.0, 0.5))
    fill(tmp_path, ["images/b.png", "ratings/ada/b.png"])
    data = Folder(tmp_path)
    assert [data.unit, data[0].geometry.unit, data[1].geometry.unit] == ["pixel"] * 3
    assert data[0].geometry.spacing == (1.0, 1.0)
    (tmp_path / "dataset.toml").write_text("spacing = [2.0, 0.5]")
    data = Folder(tmp_path)
    assert [data.unit, data[0].geometry.spacing, data[1].geometry.spacing] == ["mm", (2.0, 0.5), (2.0, 0.5)]


def test_anonymous_raters_are_declared(tmp_path):
    fill(tmp_path, ["images/a.png", "ratings/1/a.png", "ratings/2/a.png"])
    assert not Folder(tmp_path).anonymous_raters
    before = Folder(tmp_path).fingerprint()
    (tmp_path / "dataset.toml").write_text("anonymous_raters = true")
    data = Folder(tmp_path)
    assert data.anonymous_raters
    assert data[:1].anonymous_raters
    assert RatingFolder(tmp_path).anonymous_raters
    assert data.fingerprint() != before
