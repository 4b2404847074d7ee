import shutil
from pathlib import Path

import numpy as np
import pytest

from raterbench.benchmark.checks.datasets import CHECKS, check_dataset
from raterbench.datasets import Chaksu, RaterbenchError, load_dataset
from raterbench.datasets.fundus.chaksu import DECISIONS, MASKS, PHOTOGRAPHS

from .made_eyes import disc, photograph, save

WELL, ILL, MISSPELT = "NORMAL", "GLAUCOMA SUSPECT", "GLAUCOMA  SUSUPECT"
FILES = {
    ("Train", "Bosch"): ["Image101.JPG", "P11_image_1.JPG", "P11_image_2.JPG"],
    ("Train", "Forus"): ["1.png"],
    ("Train", "Remidio"): ["IMG_2431.JPG"],
    ("Test", "Bosch"): ["Image130.jpg"],
    ("Test", "Remidio"): ["IMG_2500.JPG"],
}
DECIDED = {"Image101": [ILL, WELL, ILL, MISSPELT, WELL, ILL], "IMG_2500": [WELL, MISSPELT, WELL, WELL, ILL, WELL]}
"""What the five experts and the majority said; everybody says normal of all other images."""


def decisions(names: list[str], majority: str) -> str:
    rows = [",".join(["Images", *(f"Expert.{k}" for k in range(1, 6)), majority])]
    for name in names:
        stem, ending = Path(name).stem, "tif" if name.startswith("IMG") else "jpg"
        rows.append(",".join([f"{stem}.{ending}-{stem}-1.{ending}", *DECIDED.get(stem, [WELL] * 6)]))
    return "\ufeff" + "\r\n".join(rows) + "\r\n"


@pytest.fixture(scope="module")
def download(tmp_path_factory) -> Path:
    """Both archives with their quirks, which no test may change."""
    root = tmp_path_factory.mktemp("data") / "chaksu"
    for (half, camera), names in FILES.items():
        for place, name in enumerate(names):
            save(root / half / PHOTOGRAPHS / camera / name, photograph(place))
            for k in range(1, 6):
                folders = ("cup", "Disc ") if k == 2 and camera == "Bosch" else ("Cup", "Disc")
                for folder, radius in zip(folders, (8 + k, 20 + k), strict=True):
                    file = root / half / MASKS / f"Expert {k}" / camera / folder / f"{Path(name).stem}.tif"
                    save(file, 255 * disc(radius))
        majority = "Glaucoma Decision" if (half, camera) == ("Test", "Remidio") else "Majority Decision"
        table = root / half / DECISIONS / f"Glaucoma_Decision_Comparison_{camera}_majority.csv"
        table.parent.mkdir(exist_ok=True)
        table.write_bytes(decisions(names, majority).encode())
    return root


@pytest.fixture
def changed(download, tmp_path) -> Path:
    """A copy of the download for one test."""
    return shutil.copytree(download, tmp_path / "chaksu")


def of(data, name):
    """The case that an image is."""
    return data[data.index["case"].tolist().index(name)]


def test_cameras_persons_and_the_official_test(download):
    for data in (Chaksu(data=download), load_dataset("chaksu", data=str(download.parent))):
        cases = data.index.set_index("case")
        assert list(cases.index) == [
            "train-bosch-Image101", "train-bosch-P11_image_1", "train-bosch-P11_image_2", "train-forus-1",
            "train-remidio-IMG_2431", "test-bosch-Image130", "test-remidio-IMG_2500",
        ]  # fmt: skip
        assert set(cases.loc[["train-bosch-P11_image_1", "train-bosch-P11_image_2"], "subject"]) == {"bosch-p11"}
        assert cases["subject"].nunique() == 6 and cases.loc["train-forus-1", "centre"] == "Forus"
        assert data.official_test == (5, 6)


def test_folders_are_found_whatever_their_capitals(download):
    data = Chaksu(data=download)
    assert set(data.index["raters"]) == {tuple(f"expert{k}" for k in range(1, 6))}
    case = of(data, "train-bosch-Image101")
    assert case.image.shape == (3, 90, 120)
    assert all(np.array_equal(case.ratings[f"expert{k}"], disc(20 + k) + disc(8 + k)) for k in range(1, 6))


def test_the_majority_is_the_diagnosis_and_a_misspelt_decision_counts(download):
    data = Chaksu(data=download)
    ill, well = of(data, "train-bosch-Image101"), of(data, "test-remidio-IMG_2500")
    assert data.diagnoses == ("normal", "glaucoma suspect")
    assert ill.diagnosis == 1 and list(ill.rater_diagnoses.values()) == [1, 0, 1, 1, 0]
    assert well.diagnosis == 0 and well.rater_diagnoses == {
        "expert1": 0,
        "expert2": 1,
        "expert3": 0,
        "expert4": 0,
        "expert5": 1,
    }
    assert of(data, "train-forus-1").diagnosis == 0


def test_without_the_published_majority_the_experts_have_one_unless_they_are_even(changed):
    table = changed / "Train" / DECISIONS / "Glaucoma_Decision_Comparison_Bosch_majority.csv"
    rows = [
        "Images,Expert.1,Expert.2,Expert.3,Expert.4,Expert.5",
        f"Image101.jpg-Image101-1.jpg,{ILL},{WELL},{ILL},{MISSPELT},{WELL}",
    ]
    table.write_text("\n".join([*rows, f"P11_image_1.jpg-P11_image_1-1.jpg,{ILL},{WELL},,,\n"]))
    data = Chaksu(data=changed)
    assert of(data, "train-bosch-Image101").diagnosis == 1
    even, unnamed = of(data, "train-bosch-P11_image_1"), of(data, "train-bosch-P11_image_2")
    assert even.diagnosis is None and even.rater_diagnoses == {"expert1": 1, "expert2": 0}
    assert unnamed.diagnosis is None and unnamed.rater_diagnoses == {}


def test_a_missing_mask_is_an_absent_rater(changed):
    (changed / "Test" / MASKS / "Expert 4/Bosch/Cup/Image130.tif").unlink()
    assert "expert4" not in of(Chaksu(data=changed), "test-bosch-Image130").ratings
    assert "expert4" in of(Chaksu(data=changed, target="disc"), "test-bosch-Image130").ratings


def test_a_missing_table_and_a_strange_decision_are_named(changed):
    table = changed / "Test" / DECISIONS / "Glaucoma_Decision_Comparison_Bosch_majority.csv"
    table.write_text(table.read_text(encoding="utf-8-sig").replace(WELL, "MAYBE", 1))
    with pytest.raises(RaterbenchError, match=r"Bosch_majority\.csv, line 2: 'MAYBE' in the column 'Expert\.1' is no decision"):
        Chaksu(data=changed)
    table.unlink()
    with pytest.raises(RaterbenchError, match=r"Bosch_majority\.csv is missing: it belongs to the download"):
        Chaksu(data=changed)


def test_the_fingerprint_sees_the_content_of_what_is_read(changed, files_seen):
    shutil.rmtree(changed / "Train")
    seen = files_seen(Chaksu(data=changed, target="cup"), changed)
    assert len(seen) == 2 + 2 + 2 * 5 and not any("/Disc/" in name for name in seen)


def test_absent_data_are_explained(tmp_path, monkeypatch):
    monkeypatch.delenv("RATERBENCH_DATA", raising=False)
    for data in (None, tmp_path):
        with pytest.raises(RaterbenchError, match=r"get Train\.zip and Test\.zip from https.*<data>/chaksu, .*RATERBENCH_DATA"):
            Chaksu(data=data)


def test_it_keeps_the_contract_of_a_data_set(download):
    results = check_dataset(Chaksu, data=str(download))
    assert len(results) == len(CHECKS) + 1
    assert all(r.passed for r in results), [r.message for r in results if not r.passed]
