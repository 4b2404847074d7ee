import shutil
from pathlib import Path

import numpy as np
import pytest

from raterbench.benchmark.checks.datasets import CHECKS, check_dataset
from raterbench.datasets import REFUGE2, RaterbenchError, load_dataset

from .made_eyes import disc, photograph, save

NUMBERS = {"Training": ("0853", "0826"), "Validation": ("0007",), "Test": ("0544", "0499")}
GLAUCOMA = {"0853": 1, "0007": 0, "0544": 1, "0499": 0}


def table(part: str, numbers: dict[str, object]) -> str:
    rows = [f"REFUGE/{part}400/T{n}.jpg,x.bmp,Dataset-new-2/{part}-400/{n}/{n}.jpg,{label}" for n, label in numbers.items()]
    return "\n".join(["imgName,maskName,multimaskName,label", *rows, "REFUGE/other.jpg,x.bmp,,1", ""])


@pytest.fixture(scope="module")
def download(tmp_path_factory) -> Path:
    """The three parts in the layout of the archive, which no test may change."""
    root = tmp_path_factory.mktemp("data") / "refuge2"
    for part, numbers in NUMBERS.items():
        for number in numbers:
            stem = root / f"{part}-400" / number / number
            save(stem.with_suffix(".jpg"), photograph(int(number)))
            save(stem.with_name(f"{number}_disc.bmp"), 255 - 127 * disc(20))
            save(stem.with_name(f"{number}_cup.bmp"), 255 - 255 * disc(10))
            for k in range(1, 8):
                save(stem.with_name(f"{number}_seg_disc_{k}.png"), 255 * disc(20 + k))
                save(stem.with_name(f"{number}_seg_cup_{k}.png"), 255 * np.repeat(disc(10 + k)[..., None], 3, axis=-1))
        known = {n: GLAUCOMA[n] for n in numbers if n in GLAUCOMA}
        (root / f"REFUGE1{part[:5]}.csv").write_text(table(part, known))
    return root


@pytest.fixture
def changed(download, tmp_path) -> Path:
    """A copy of the download for one test."""
    return shutil.copytree(download, tmp_path / "refuge2")


def test_parts_cameras_and_the_official_test(download):
    for data in (REFUGE2(data=download), load_dataset("refuge2", data=str(download.parent))):
        cases = data.index["case"].tolist()
        assert cases == ["training-0826", "training-0853", "validation-0007", "test-0499", "test-0544"]
        assert data.index["centre"].tolist() == ["Zeiss Visucam 500"] * 2 + ["Canon CR-2"] * 3
        assert data.official_test == (3, 4) and data.index["part"].tolist()[2] == "validation"
        assert set(data.index["raters"]) == {tuple(f"rater{k}" for k in range(1, 8))}


def test_a_case_has_what_each_rater_drew_and_the_diagnosis(download):
    data = REFUGE2(data=download)
    case = data[4]
    assert case.image.shape == (3, 90, 120) and 0 <= case.image.min() < case.image.max() <= 1
    for k in range(1, 8):
        assert np.array_equal(case.ratings[f"rater{k}"], disc(20 + k) + disc(10 + k))
    assert data.diagnoses == ("no glaucoma", "glaucoma")
    assert [one.diagnosis for one in data] == [None, 1, 0, 0, 1]
    assert case.truth is None and case.geometry.unit == "pixel"


def test_disc_and_cup_are_targets_of_their_own(download):
    both, whole, cup = (REFUGE2(data=download, target=target) for target in ("both", "disc", "cup"))
    assert [data.classes for data in (both, whole, cup)] == [
        ("background", "rim", "cup"), ("background", "disc"), ("background", "cup"),
    ]  # fmt: skip
    assert np.array_equal(whole[0].ratings["rater3"], disc(23)) and np.array_equal(cup[0].ratings["rater3"], disc(13))
    assert len({data.fingerprint() for data in (both, whole, cup)}) == 3


def test_who_drew_the_cup_alone_rated_only_the_cup(changed):
    (changed / "Test-400/0499/0499_seg_disc_2.png").unlink()
    for target, absent in (("both", True), ("disc", True), ("cup", False)):
        data = REFUGE2(data=changed, target=target)
        assert ("rater2" not in data[3].ratings) == absent == ("rater2" not in data.index["raters"][3])


def test_a_missing_image_is_named(changed):
    (changed / "Test-400/0499/0499.jpg").unlink()
    with pytest.raises(RaterbenchError, match=r"0499\.jpg is missing: it belongs to the download"):
        REFUGE2(data=changed)


def test_a_mask_of_another_size_is_named_with_its_image(changed):
    save(changed / "Test-400/0499/0499_seg_cup_2.png", np.zeros((10, 10), np.uint8))
    with pytest.raises(RaterbenchError, match=r"0499\.jpg and .*0499_seg_cup_2\.png differ in size"):
        REFUGE2(data=changed)[3]


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({"0544": 2}, r"REFUGE1Test\.csv, line 2: label = '2' must be 0 or 1"),
        ({"0544": 1, "0499": ""}, "line 3: label = '' must be 0 or 1"),
    ],
)
def test_a_label_that_is_none_is_named_with_its_line(changed, numbers, words):
    (changed / "REFUGE1Test.csv").write_text(table("Test", numbers))
    with pytest.raises(RaterbenchError, match=words):
        REFUGE2(data=changed)


def test_tables_that_contradict_each_other_are_named(changed):
    (changed / "REFUGETest.csv").write_text(table("Test", {"0544": 0}))
    with pytest.raises(RaterbenchError, match=r"REFUGETest\.csv, line 2: Test-400/0544/ has 'no glaucoma', but another row"):
        REFUGE2(data=changed)


def test_the_fingerprint_sees_the_content_of_what_is_read(changed, files_seen):
    shutil.rmtree(changed / "Training-400")
    shutil.rmtree(changed / "Validation-400")
    seen = files_seen(REFUGE2(data=changed), changed)
    assert {name for name in seen if name.endswith(".csv")} == {f"REFUGE1{p}.csv" for p in ("Train", "Valid", "Test")}
    assert len(seen) == 3 + 2 * (1 + 14) and not any(name.endswith(".bmp") for name in seen)


def test_absent_data_are_explained(tmp_path, monkeypatch):
    monkeypatch.delenv("RATERBENCH_DATA", raising=False)
    for data in (None, tmp_path):
        with pytest.raises(RaterbenchError, match=r"REFUGE-Multirater\.zip from https.*into <data>/refuge2, .*RATERBENCH_DATA"):
            REFUGE2(data=data)
    with pytest.raises(RaterbenchError, match="target = 'rim' must be 'both' or 'disc' or 'cup'"):
        REFUGE2(target="rim")


def test_it_keeps_the_contract_of_a_data_set(download):
    results = check_dataset(REFUGE2, data=str(download))
    assert len(results) == len(CHECKS) + 1
    assert all(r.passed for r in results), [r.message for r in results if not r.passed]
