import shutil

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import io

from raterbench.benchmark.checks.datasets import CHECKS, check_dataset
from raterbench.datasets import RaterbenchError, load_dataset
from raterbench.datasets.instances.lizard import Lizard

SHAPE = (60, 90)
SMALL = {"patch": 40, "overlap": 10}
NUCLEI = {2: (5, 5, 2), 3: (5, 70, 1), 5: (48, 76, 6)}
"""Nuclei of 6 x 6 pixels: number, top, left and class; number 1 and 4 were taken out by the annotators."""


def tissue() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The colours [H, W, 3] and the labels of an image; the index is not in the order of the numbers."""
    numbers = np.zeros(SHAPE, np.int32)
    for number, (top, left, _) in NUCLEI.items():
        numbers[top : top + 6, left : left + 6] = number
    colours = np.stack([200 - 60 * (numbers > 0), np.full(SHAPE, 120), 10 * numbers], axis=-1).astype(np.uint8)
    order = [5, 2, 3]
    boxes = [[t, t + 6, x, x + 6] for t, x, _ in (NUCLEI[n] for n in order)]
    label = {"inst_map": numbers, "id": np.array([order]).T, "class": np.array([[NUCLEI[n][2]] for n in order])}
    return colours, {**label, "bbox": np.array(boxes, float), "centroid": np.zeros((3, 2))}


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory):
    """Three images in the layout of the download, which no test may change."""
    place = tmp_path_factory.mktemp("data") / "lizard"
    colours, label = tissue()
    for name in ("Lizard_Images1", "Lizard_Images2", "Lizard_Labels/Labels"):
        (place / name).mkdir(parents=True)
    for case in ("consep_1", "dpath_2", "glas_3"):
        images = place / ("Lizard_Images1" if case == "consep_1" else "Lizard_Images2")
        sitk.WriteImage(sitk.GetImageFromArray(colours, isVector=True), str(images / f"{case}.png"))
        io.savemat(place / "Lizard_Labels" / "Labels" / f"{case}.mat", label, do_compression=True)
    rows = "consep_1,consep,1\ndpath_2,dpath,2\nglas_3,glas,3\n"
    (place / "Lizard_Labels" / "info.csv").write_text(f"Filename,Source,Split\n{rows}")
    return place.parent


@pytest.fixture
def download(unchanged, tmp_path):
    """A copy of the download that a test may change."""
    shutil.copytree(unchanged, tmp_path, dirs_exist_ok=True)
    return tmp_path / "lizard"


def test_patches_that_the_target_reaches_are_cases_and_the_third_fold_is_the_test_part(unchanged):
    data = load_dataset("lizard", data=str(unchanged), **SMALL)
    assert data.index["case"].tolist() == ["consep_1_y0000-x0000", "dpath_2_y0000-x0000", "glas_3_y0000-x0000"]
    assert data.index["centre"].tolist() == ["consep", "dpath", "glas"] and data.index["fold"].tolist() == [1, 2, 3]
    assert data.official_test == (2,) and data.classes == ("background", "epithelial")
    other = Lizard(data=unchanged, target="connective tissue", **SMALL)
    assert other.index["case"].tolist()[:2] == ["consep_1_y0020-x0050", "dpath_2_y0020-x0050"]


def test_a_patch_has_its_colours_and_its_nuclei_by_kind(unchanged):
    data = Lizard(data=unchanged, patch=200, lq_errors={"inclusion": 1.0})
    colours, label = tissue()
    case = data[0]
    assert np.array_equal(case.image, np.moveaxis(colours, -1, 0) / np.float32(255)) and case.truth is None
    assert np.array_equal(case.ratings["hq"], label["inst_map"] == 2)
    assert case.instances.targets.tolist() == [1] and case.instances.distractors.tolist() == [2, 3]
    assert np.array_equal(case.ratings["lq"], label["inst_map"] > 0)
    part = Lizard(data=unchanged, target="connective tissue", **SMALL)[0]
    assert part.shape == (40, 40) and np.array_equal(part.ratings["hq"], label["inst_map"][20:, 50:] == 5)
    assert len(part.instances.distractors) == 0


def test_archives_that_were_each_unpacked_into_a_folder_are_found(unchanged, download):
    for name in ("images1", "images2", "labels"):
        inner = f"Lizard_{name.capitalize()}"
        (download / f"lizard_{name}").mkdir()
        (download / inner).rename(download / f"lizard_{name}" / inner)
    assert Lizard(data=download).index.equals(Lizard(data=unchanged).index)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda at, label: (at / "info.csv").unlink(), r"info\.csv is missing"),
        (lambda at, label: (at / "info.csv").write_text("Filename,Split\ndpath_2,1\n"), "has no row for the image 'consep_1'"),
        (lambda at, label: (at / "Labels/dpath_2.mat").unlink(), r"dpath_2\.mat is missing"),
        (lambda at, label: (at / "Labels/consep_1.mat").write_bytes(b"x" * 300), r"consep_1\.mat cannot be read as a MATLAB"),
        (lambda at, label: io.savemat(at / "Labels/consep_1.mat", {"class": label["class"]}), r"consep_1\.mat has no 'bbox'"),
        (lambda at, label: io.savemat(at / "Labels/consep_1.mat", {**label, "id": label["id"] + 9}), "nucleus 2 of inst_map"),
        (lambda at, label: io.savemat(at / "Labels/consep_1.mat", {**label, "inst_map": np.eye(50)}), "differ in size"),
    ],
)
def test_what_is_wrong_is_named(download, change, says):
    change(download / "Lizard_Labels", tissue()[1])
    with pytest.raises(RaterbenchError, match=says):
        Lizard(data=download)[0]


def test_absent_data_are_explained_and_a_patch_must_be_longer_than_its_overlap(tmp_path, monkeypatch):
    monkeypatch.delenv("RATERBENCH_DATA", raising=False)
    for data in (None, tmp_path):
        with pytest.raises(RaterbenchError, match=r"unpack the three archives .*into <data>/lizard, .*RATERBENCH_DATA"):
            Lizard(data=data)
    with pytest.raises(RaterbenchError, match="overlap = 100 must be less than patch = 90"):
        Lizard(data=tmp_path, patch=90, overlap=100)


def test_it_keeps_the_contract_of_a_data_set(unchanged):
    results = check_dataset(Lizard, data=str(unchanged))
    assert len(results) == len(CHECKS) + 1
    assert all(r.passed for r in results), [r.message for r in results if not r.passed]
