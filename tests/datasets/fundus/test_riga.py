import shutil
from pathlib import Path

import numpy as np
import pytest

from raterbench.benchmark.checks.datasets import CHECKS, check_dataset
from raterbench.datasets import IGNORE, RIGA, RaterbenchError, load_dataset
from raterbench.datasets.fundus.outlines import fill_outlines

from .made_eyes import MIDDLE, dice, disc, photograph, save, with_circles

FOLDERS = {
    "MESSIDOR": "tif",
    "BinRushed/BinRushed1-Corrected": "jpg",
    "BinRushed/BinRushed2": "jpg",
    "Magrabia/Magrabia/MagrabiaMale": "tif",
}


@pytest.fixture(scope="module")
def download(tmp_path_factory) -> Path:
    """Two images in each of some folders, with the quirks of the archives, which no test may change."""
    root = tmp_path_factory.mktemp("data") / "riga"
    for folder, ending in FOLDERS.items():
        for number in (1, 12):
            image = photograph(number)
            save(root / folder / f"image{number}prime.{ending}", image)
            for k in range(1, 7):
                name = "Image" if folder.endswith("Male") and k == 1 else "image"
                other = "tif" if "Corrected" in folder and k == 3 else ending
                save(root / folder / f"{name}{number}-{k}.{other}", with_circles(image, 25 + k, 12 + k))
    shutil.copytree(root / "BinRushed/BinRushed1-Corrected", root / "BinRushed/BinRushed1")
    female = root / "Magrabia/Magrabia/MagrabiFemale"
    save(female / "image48-1.tif", photograph())
    (root / "MESSIDOR" / "Thumbs.db").write_text("x")
    return root


@pytest.fixture
def changed(download, tmp_path) -> Path:
    """A copy of the download for one test."""
    return shutil.copytree(download, tmp_path / "RIGA")


def test_sources_are_centres_and_six_raters_draw_each_image(download):
    for data in (RIGA(data=download), load_dataset("riga", data=str(download.parent))):
        assert data.index["case"].tolist() == [
            f"{folder}-0{number}"
            for folder in ("BinRushed-BinRushed1-Corrected", "BinRushed-BinRushed2", "MESSIDOR", "Magrabia-MagrabiaMale")
            for number in ("01", "12")
        ]
        assert data.index["centre"].unique().tolist() == ["BinRushed", "MESSIDOR", "Magrabia"]
        assert set(data.index["raters"]) == {tuple(f"rater{k}" for k in range(1, 7))}
        assert data.diagnoses == () and data[0].diagnosis is None


@pytest.mark.parametrize("position", [0, 4])
def test_outlines_are_filled(download, position):
    case = RIGA(data=download)[position]
    for k in range(1, 7):
        assert dice(case.ratings[f"rater{k}"] > 0, disc(25 + k) > 0) > 0.98
        assert dice(case.ratings[f"rater{k}"] == 2, disc(12 + k) > 0) > 0.96
    assert np.array_equal(RIGA(data=download, target="disc")[position].ratings["rater2"], case.ratings["rater2"] > 0)
    assert np.array_equal(RIGA(data=download, target="cup")[position].ratings["rater2"], case.ratings["rater2"] == 2)


def filled(*radii, middles=(), width=1, gaps=()):
    image = photograph()
    drawn = with_circles(image, *radii, middles=middles, width=width).copy()
    for gap in gaps:
        drawn[gap] = image[gap]
    return fill_outlines(*(picture.transpose(2, 0, 1).astype(np.float32) for picture in (image, drawn)))


@pytest.mark.parametrize(("outer", "inner", "shift"), [(30, 12, 18), (30, 25, 5), (30, 5, 0), (30, 10, 20)])
def test_outlines_may_touch_and_a_cup_may_be_large_or_small(outer, inner, shift):
    middle = (MIDDLE[0] + shift, MIDDLE[1])
    labels = filled(outer, inner, middles=(MIDDLE, middle))
    assert dice(labels > 0, disc(outer) > 0) > 0.97
    assert dice(labels == 2, disc(inner, middle) > 0) > 0.9


def test_the_border_lies_in_the_middle_of_a_stroke():
    # Pillow draws a stroke inwards from the radius.
    labels = filled(32, 16, width=5)
    assert dice(labels > 0, disc(29.5) > 0) > 0.98 and dice(labels == 2, disc(13.5) > 0) > 0.96


def test_gaps_are_closed():
    upper, left = (slice(12, 20), slice(58, 62)), (slice(42, 45), slice(40, 50))
    labels = filled(28, 14, gaps=(upper, left))
    assert dice(labels > 0, disc(28) > 0) > 0.97 and dice(labels == 2, disc(14) > 0) > 0.95


@pytest.mark.parametrize("radii", [(), (30,), (0.5, 2)])
def test_without_two_outlines_nothing_is_known(radii):
    assert filled(*radii) is None
    assert filled(20, 15, middles=((30, 44), (85, 44))) is None


def test_outlines_that_are_unclear_are_named_or_ignored(changed):
    file = changed / "MESSIDOR/image12-4.tif"
    save(file, with_circles(photograph(12), 25))
    position = RIGA(data=changed).index["case"].tolist().index("MESSIDOR-012")
    with pytest.raises(RaterbenchError, match=r'image12-4\.tif differs from image12prime\.tif in no two.*unclear = "ignore"'):
        RIGA(data=changed)[position]
    data = RIGA(data=changed, unclear="ignore")
    ratings = data[position].ratings
    assert (ratings["rater4"] == IGNORE).all() and not (ratings["rater5"] == IGNORE).any()
    assert data.fingerprint() != RIGA(data=changed).fingerprint()
    file.unlink()
    assert "rater4" not in RIGA(data=changed)[position].ratings


def test_a_drawing_of_another_size_is_named(changed):
    save(changed / "MESSIDOR/image1-2.tif", photograph()[:50])
    with pytest.raises(RaterbenchError, match=r"image1prime\.tif and .*image1-2\.tif differ in size"):
        RIGA(data=changed)[4]


def test_confused_files_are_read_only_where_nothing_replaced_them(changed):
    assert not any("BinRushed1-0" in case for case in RIGA(data=changed).index["case"])
    shutil.rmtree(changed / "BinRushed/BinRushed1-Corrected")
    assert "BinRushed-BinRushed1-001" in set(RIGA(data=changed).index["case"])


def test_the_fingerprint_sees_the_content_of_what_is_read(changed, files_seen):
    for folder in ("BinRushed", "Magrabia"):
        shutil.rmtree(changed / folder)
    names = {f"MESSIDOR/image{n}{which}.tif" for n in (1, 12) for which in ("prime", *(f"-{k}" for k in range(1, 7)))}
    assert files_seen(RIGA(data=changed), changed) == names


def test_absent_data_are_explained(tmp_path, monkeypatch):
    monkeypatch.delenv("RATERBENCH_DATA", raising=False)
    for data in (None, tmp_path):
        with pytest.raises(RaterbenchError, match=r"get the three archives from https.*<data>/riga, .*RATERBENCH_DATA"):
            RIGA(data=data)


def test_it_keeps_the_contract_of_a_data_set(download):
    results = check_dataset(RIGA, data=str(download))
    assert len(results) == len(CHECKS) + 1
    assert all(r.passed for r in results), [r.message for r in results if not r.passed]
