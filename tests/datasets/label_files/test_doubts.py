"""Values that cannot be classes are refused, and doubtful ones are asked about, whoever opens the files."""

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from raterbench.benchmark.labels.describe import find_data
from raterbench.datasets import IGNORE, Folder, Geometry, RaterbenchError, RatingFolder, load_dataset
from raterbench.datasets.images import read_labels, write_labels
from raterbench.datasets.label_files.doubts import copies, questions
from raterbench.datasets.label_files.label_values import LabelValues
from raterbench.datasets.label_files.value_counts import look_at_case
from raterbench.datasets.label_files.vocabulary import find_classes

Y, X = np.mgrid[:64, :64]


def disc(radius=12, y=32, x=32):
    return (Y - y) ** 2 + (X - x) ** 2 < radius**2


def smooth(mask, factor=4):
    """A mask [64, 64] drawn ``factor`` times too large and shrunk by averaging, as paint programs save it."""
    large = ndimage.zoom(mask.astype(float), factor, order=1) > 0.5
    return np.round(255 * large.reshape(64, factor, 64, factor).mean(axis=(1, 3))).astype(np.uint8)


def cases(*ratings):
    """Each case's masks by rater, counted; the files are called <case>/<rater>."""
    found = []
    for n, masks in enumerate(ratings):
        names = masks if isinstance(masks, dict) else dict(zip("abcdefgh", masks, strict=False))
        found.append(look_at_case(f"c{n}", {r: Path(f"c{n}/{r}") for r in names}, {r: np.asarray(m) for r, m in names.items()}))
    return found


def asked(found, declared=None, ignore=None):
    return questions(found, find_classes(found, declared, ignore), declared=declared is not None)


def refused(found, **more):
    with pytest.raises(RaterbenchError) as error:
        find_classes(found, **more)
    return str(error.value)


GOOD = [[disc(12 + k, 30 + n) * 255 for k in range(3)] for n in range(4)]


def test_plain_masks_raise_no_question():
    assert asked(cases(*GOOD)) == ()
    assert asked(cases(*[[mask // 255 for mask in masks] for masks in GOOD])) == ()
    three = [[disc(20) * 1 + disc(8 + k, x=30 + n) for k in range(3)] for n in range(3)]
    assert asked(cases(*three)) == ()
    # Masks of 0 and 1 beside masks of 0 and 255 are one convention, and empty masks are none.
    assert asked(cases([disc() * 1, disc(10) * 255, disc() * 0])) == ()
    # The wall of a vessel lies along the edge of the inside, but it is no rare value.
    assert asked(cases([disc(14) * 1 + disc(9 + k) for k in range(3)])) == ()


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.random.default_rng(0).integers(0, 256, (64, 64)), ["256 different values from 0 to 255", "grey image", "= 128"]),
        (np.arange(4096).reshape(64, 64) % 200, ["200 different values", "grey image", "threshold = 100"]),
        (
            ndimage.gaussian_filter(disc() * 100.0, 5).round().astype(int),
            ["from 0 to 94", "map of probabilities", "threshold = 47"],
        ),
        (smooth(disc(20), 16), ["smooth edges", "threshold = 128"]),
        (np.repeat(np.arange(64), 64).reshape(64, 64), ["64 different values", "numbers of regions or objects", "= 1 "]),
        ((np.repeat(np.arange(64), 64).reshape(64, 64) - 20) * 500, ["-10000", "declare them"]),
    ],
    ids=["noise", "levels", "probabilities", "smooth", "regions", "wide"],
)
def test_too_many_values_are_refused_with_the_file_the_cause_and_the_mend(mask, words):
    said = refused(cases([disc() * 1, mask], [disc() * 1, disc() * 1]))
    assert all(word in said for word in ["c0/b has", *words, "[classes]"])
    labels = LabelValues(("background", "object"), {0: 0, 255: 1}, threshold=4)
    assert find_classes(cases([disc() * 1, mask]), labels) is labels


def test_few_grey_levels_along_edges_are_smooth_masks():
    said = refused(cases(*[[disc(12, 30 + n) * 255, smooth(disc(14, 30 + n), 3)] for n in range(4)]))
    assert "c0/b has the values 28 (14 voxels), 57 (8 voxels) and 85 (6 voxels)" in said
    assert "threshold = 128" in said
    # With a single level it may be a thin class, so it is only asked.
    rim = np.where(disc(13) & ~disc(12), 128, disc(12) * 255)
    said = asked(cases(*[[rim, rim.T] for _ in range(2)]))
    assert any("the value 128 in" in line and "on edges" in line and "threshold = 128" in line for line in said)


def test_three_stray_voxels_and_other_conventions_are_named():
    masks = [list(case) for case in GOOD]
    masks[3][2] = masks[3][2].copy()
    masks[3][2][0, :3] = 11
    (said,) = asked(cases(*masks))
    assert "c3/c has the value 11 in 3 voxels, and no rater but c uses it: for voxels that were marked by mistake" in said
    assert "foreground = [255, 11]" in said
    said = asked(cases(*[[disc() * 100, disc(11) * 200] for _ in range(3)]))
    assert any("no rater but a uses it: for the same class under another value" in line for line in said)
    assert any("no rater but b uses it" in line for line in said)
    # A rater who is alone with a case tells nothing about the others.
    assert not any("no rater but" in line for line in asked(cases([disc() * 1, disc() * 1], {"b": disc() + disc(5)})))


def objects(rng, n, shuffle):
    """Squares that are numbered from 1 on, in an order of their own."""
    labels, order = np.zeros((64, 64), int), rng.permutation(n) if shuffle else np.arange(n)
    for k in range(n):
        row, column = divmod(k, 5)
        labels[2 + 12 * row :, 2 + 12 * column :][:8, :8] = order[k] + 1
    return labels


def test_numbers_of_objects_are_no_classes():
    rng = np.random.default_rng(1)
    said = refused(cases(*[[objects(rng, 12, shuffle=True) for _ in range(3)] for _ in range(2)]))
    assert "do not mean the same by a value" in said
    assert "threshold = 1 in dataset.toml" in said
    (said,) = asked(cases(*[[objects(rng, n, shuffle=False) for _ in range(3)] for n in (12, 9, 7)]))
    assert "c0/a has the values 1 to 12, and other files stop at 7, 9, 12" in said


def test_two_classes_that_a_rater_exchanged():
    right, wrong = disc(20) * 1 + disc(10), disc(20) * 2 - disc(10)
    said = asked(cases(*[[right, right.T, wrong] for _ in range(3)]))
    assert any("c mostly has 'label 2', and the reverse" in line for line in said)


@pytest.mark.parametrize("white", [1, 255])
@pytest.mark.parametrize("radius", [8, 29])
def test_inverted_masks_are_asked_about(white, radius):
    inverted = [[~disc(radius - k, 30 + n % 3) * white for k in range(2)] for n in range(6)]
    (said,) = asked(cases(*inverted))
    assert "'foreground' fills most of the image or all of its outline in every case" in said
    assert "darker = true" in said
    dark = LabelValues(("background", "object"), {0: 0, 255: 1}, darker=True)
    labels = find_classes(cases(*inverted), dark)
    assert np.array_equal(labels.indices(inverted[0][0], "x"), disc(radius, 30))
    assert questions(cases(*inverted), labels, declared=True) == ()


def test_declared_values_that_are_exchanged_are_asked_about_and_right_ones_are_not():
    exchanged = LabelValues(("background", "lesion"), {255: 0, 0: 1})
    (said,) = asked(cases(*GOOD), exchanged)
    assert "'lesion' fills most" in said
    assert "exchange the values in [classes]" in said
    dark_object = [[255 - mask for mask in masks] for masks in GOOD]
    assert asked(cases(*dark_object), exchanged) == ()
    # The largest value comes first, and what it stands for does not fill the image: its outline tells nothing here.
    half = np.where(X < 34, 255, 0)
    (said,) = asked(cases([half, half.T], [255 - half, half]), exchanged)
    assert "declared as the largest value (255)" in said


def test_one_inverted_rater_is_named_and_a_generous_one_is_not():
    masks = [[a, b, 255 - c] for a, b, c in GOOD]
    said = asked(cases(*masks))
    assert any("the foreground of c fills most" in line for line in said)
    assert asked(cases([disc(20) * 1, disc(22) * 1, disc(30) * 1])) == ()


def test_without_background_the_smallest_value_may_be_it():
    said = asked(cases(*[[1 + disc(12 + k) for k in range(2)] for _ in range(3)]))
    assert any("no rating has the value 0" in line and "background = 1 in [classes]" in line for line in said)


def test_masks_that_hardly_overlap_are_of_other_images():
    places = [(12, 12), (50, 50), (12, 50), (50, 12), (32, 32)]
    (said,) = asked(cases([disc(6, *place) * 1 for place in places]))
    assert "hardly overlap (mean Dice 0.00)" in said
    assert "not ratings/<case>/<rater>" in said


def test_copies_are_named_and_empty_masks_are_none():
    one, other = disc(), disc(11)
    found = cases({"a": one, "b": one, "c": other}, {"a": other, "b": one, "c": other * 0}, {"a": one * 0, "b": one * 0})
    assert copies(found) == ("a and b have identical masks in 1 of 3 cases: if one is a copy of the other, leave it out",)


def test_values_on_one_side_of_a_threshold_are_asked_about():
    labels = LabelValues(("background", "object"), {0: 0, 255: 1}, threshold=128)
    found = [look_at_case("c", {r: Path(r) for r in "ab"}, {"a": disc() * 1, "b": disc() * 255}, labels)]
    said = questions(found, labels, declared=True)
    assert said[0].startswith("a have several values") or said[0].startswith("a has several values")
    assert "threshold = 128" in said[0]


def put(folder: Path, masks, kind=np.uint8, ending=".png") -> Path:
    """Masks [case][rater] as a folder with an image for each case."""
    for n, case in enumerate(masks):
        for rater, mask in zip("abc", case, strict=False):
            place = folder / "ratings" / rater / f"{n}{ending}"
            place.parent.mkdir(parents=True, exist_ok=True)
            write_labels(place, np.asarray(mask).astype(kind), Geometry.axis_aligned(2))
        (folder / "images").mkdir(exist_ok=True)
        write_labels(folder / "images" / f"{n}{ending}", (X + Y).astype(np.uint8), Geometry.axis_aligned(2))
    return folder


def test_training_and_describing_ask_and_refuse_the_same(tmp_path):
    inverted = put(tmp_path / "inverted", [[255 - mask for mask in masks] for masks in GOOD])
    assert "'foreground' fills most" in RatingFolder(inverted).questions[0]
    assert Folder(inverted).questions == RatingFolder(inverted).questions
    assert Folder(inverted)[:2].questions == Folder(inverted).questions
    grey = put(tmp_path / "grey", [[X + Y, disc() * 1] for _ in range(2)])
    errors = []
    for kind in (Folder, RatingFolder):
        with pytest.raises(RaterbenchError) as error:
            kind(grey)
        errors.append(str(error.value))
    assert errors[0] == errors[1]


def test_settings_with_a_threshold_make_two_classes_of_any_values(tmp_path):
    folder = put(tmp_path, [[smooth(disc(12 + k), 8) for k in range(2)] for _ in range(2)])
    (folder / "dataset.toml").write_text("threshold = 128\n")
    for data in (Folder(folder), RatingFolder(folder)):
        assert data.classes == ("background", "foreground")
        assert np.array_equal(data[0].ratings["a"], smooth(disc(12), 8) >= 128)
        assert data.questions == ()
    before = Folder(folder).fingerprint()
    (folder / "dataset.toml").write_text('threshold = 100\ndarker = true\nclasses = ["light", "dark"]\nignore = 255\n')
    data = Folder(folder)
    assert (data.classes, data.fingerprint() != before) == (("light", "dark"), True)
    expected = np.where(smooth(disc(12), 8) == 255, IGNORE, smooth(disc(12), 8) < 100)
    assert np.array_equal(data[0].ratings["a"], expected)
    (folder / "dataset.toml").write_text("darker = true\n")
    assert np.array_equal(Folder(folder)[0].ratings["a"], smooth(disc(12), 8) < 128)


def test_a_map_of_probabilities_is_a_mask_with_a_threshold(tmp_path):
    maps = [[ndimage.gaussian_filter(disc(12 + k).astype(float), 2) for k in range(2)] for _ in range(2)]
    folder = put(tmp_path, maps, np.float32, ".nii.gz")
    with pytest.raises(RaterbenchError, match=r"no whole numbers: .*threshold = 0\.5"):
        RatingFolder(folder)
    (folder / "dataset.toml").write_text("threshold = 0.5\n")
    for data in (Folder(folder), RatingFolder(folder)):
        assert np.array_equal(data[1].ratings["b"], maps[1][1].astype(np.float32) >= 0.5)


def test_several_values_may_stand_for_one_class(tmp_path):
    folder = put(tmp_path, [[disc(20) * 1 + disc(10), disc(20) * 4] for _ in range(2)])
    (folder / "dataset.toml").write_text("[classes]\nbackground = 0\ntumour = [1, 2, 4]\n")
    data = Folder(folder)
    assert np.array_equal(data[0].ratings["a"], disc(20))
    assert np.array_equal(data[0].ratings["b"], disc(20))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("threshold = 'high'", "threshold = 'high' must be a number"),
        ("threshold = true", "must be a number"),
        ("threshold = nan", "must be a number"),
        ("darker = 1", "darker = 1 must be true or false"),
        ("threshold = 5\nclasses = ['a', 'b', 'c']", "makes two classes, but 3 are declared"),
        ("threshold = 128\n[classes]\na = 200\nb = 7", "the value 200 is not 'a'"),
        ("[classes]\na = 0\nb = []", "whole number for each class"),
        ("[classes]\na = 0\nb = [1, 0]", "two classes have the same value"),
    ],
)
def test_thresholds_that_make_no_sense_are_named(tmp_path, text, words):
    put(tmp_path, [[disc() * 1]])
    (tmp_path / "dataset.toml").write_text(text)
    with pytest.raises(RaterbenchError, match=rf"dataset\.toml.*{words}"):
        RatingFolder(tmp_path)


def test_declared_classes_refuse_stray_voxels_before_training_and_say_how_many(tmp_path):
    stray = disc() * 255
    stray[0, :3] = 11
    folder = put(tmp_path, [[disc() * 255, disc(11) * 255], [stray, disc(11) * 255]])
    (folder / "dataset.toml").write_text("[classes]\nbackground = 0\ncell = 255\n")
    with pytest.raises(
        RaterbenchError, match=r"ratings.a.1\.png has the value 11 in 3 voxels.*cell = \[255, 11\].*ignore = 11"
    ):
        RatingFolder(folder)
    with pytest.raises(RaterbenchError, match=r"ratings.a.1\.png has the value 11 in 3 voxels"):
        Folder(folder).questions  # noqa: B018
    (folder / "dataset.toml").write_text("ignore = 11\n")
    assert (Folder(folder)[1].ratings["a"] == IGNORE).sum() == 3


def test_a_threshold_can_be_given_as_an_option(tmp_path):
    maps = [[ndimage.gaussian_filter(disc(12 + k).astype(float), 2) * 255 for k in range(2)] for _ in range(2)]
    folder = put(tmp_path, maps, np.uint8)
    (tmp_path / "dataset.toml").write_text("threshold = 10")
    expected = (read_labels(folder / "ratings" / "a" / "0.png").pixels >= 128).sum()
    described = find_data(str(folder), settings=["threshold=128"])
    assert described[0].ratings["a"].sum() == expected
    trained = load_dataset(f"folder:{folder}", threshold=128, darker=True)
    assert trained[0].ratings["a"].sum() == described[0].ratings["a"].size - expected
    with pytest.raises(RaterbenchError, match="unknown key 'treshold'; did you mean 'threshold'"):
        find_data(str(folder), settings=["treshold=128"])
    with pytest.raises(RaterbenchError, match="threshold = 'high' must be"):
        find_data(str(folder), settings=["threshold=high"])
