import shutil

import numpy as np
import pytest

from raterbench.benchmark.checks.datasets import CHECKS, check_dataset
from raterbench.datasets import Geometry, RaterbenchError
from raterbench.datasets.images import write_labels
from raterbench.datasets.instances.cbia import CBIACells

SHAPE = (9, 16, 20)
FOLDERS = {"hl60": "HL60_HighNoise_C00_3D_TIFF", "granulocytes": "Granulocytes_HighNoise_3D_TIFF"}


def volume(kind: str, number: int) -> tuple[np.ndarray, np.ndarray]:
    """The image and the numbers of two cells of a volume; those of the two kinds overlap a little."""
    numbers = np.zeros(SHAPE, np.uint16)
    start = 2 if kind == "hl60" else 6
    numbers[:, start : start + 5, 2:8] = 3
    numbers[:, start : start + 5, 10 : 14 + number] = 7
    return (500 + 20_000 * (numbers > 0) + 1000 * (kind == "hl60")).astype(np.uint16), numbers


@pytest.fixture(scope="module")
def download(tmp_path_factory):
    """Three volumes of each kind in the layout of the archives, which no test may change."""
    place = tmp_path_factory.mktemp("data")
    for kind, name in FOLDERS.items():
        folder = place / "cbia" / name
        folder.mkdir(parents=True)
        for number in range(3):
            for what, pixels in zip(("final", "labels"), volume(kind, number), strict=True):
                write_labels(folder / f"image-{what}_{number:04d}.tif", pixels, Geometry.axis_aligned(3))
    return place


def test_slices_are_cases_of_the_middle_and_the_last_volumes_are_the_test_part(download):
    data = CBIACells(data=download, slices=3, test=1)
    assert data.index["case"].tolist()[:3] == ["hl60-0000_slice-003", "hl60-0000_slice-005", "hl60-0000_slice-007"]
    assert data.index["subject"].tolist() == [f"volume-000{n}" for n in (0, 0, 0, 1, 1, 1, 2, 2, 2)]
    assert data.official_test == (6, 7, 8)


def test_cells_have_the_numbers_of_the_file_and_16_bits_become_0_to_1(download):
    case = CBIACells(data=download, slices=1, test=1)[1]
    image, numbers = volume("hl60", 1)
    assert np.array_equal(case.image[0], image[4] / np.float32(65535))
    assert len(case.instances.targets) == 2 and not case.instances.distractors.size
    assert np.array_equal(case.instances.numbers, np.searchsorted([0, 3, 7], numbers[4]))
    assert np.array_equal(case.truth.labels, numbers[4] > 0) and np.array_equal(case.ratings["hq"], numbers[4] > 0)


@pytest.mark.parametrize("target", FOLDERS)
def test_both_kinds_lie_in_one_image_with_the_target_in_front(download, target):
    other = next(kind for kind in FOLDERS if kind != target)
    case = CBIACells(data=download, target=target, distractors=True, slices=1, test=1, lq_errors={"inclusion": 1.0})[2]
    one, two = volume(target, 2), volume(other, 2)
    assert np.array_equal(case.image[0], np.maximum(one[0], two[0])[4] / np.float32(65535))
    assert np.array_equal(case.truth.labels, one[1][4] > 0)
    assert len(case.instances.targets) == len(case.instances.distractors) == 2
    assert np.array_equal(case.ratings["lq"], (one[1] + two[1])[4] > 0)


def test_several_variants_are_told_apart_by_name(download, tmp_path):
    for variant in ("HighNoise", "LowNoise"):
        shutil.copytree(download / "cbia" / FOLDERS["hl60"], tmp_path / f"HL60_{variant}_C00")
    with pytest.raises(RaterbenchError, match=r"several folders of hl60 \(HL60_High.*, HL60_LowNoise_C00\): set variant"):
        CBIACells(data=tmp_path, test=1)
    assert "HL60_LowNoise_C00/image-final_0000.tif" in CBIACells(data=tmp_path, test=1, variant="lownoise").source_files()
    (tmp_path / "HL60_LowNoise_C00" / "image-labels_0001.tif").unlink()
    with pytest.raises(RaterbenchError, match=r"image-labels_0001\.tif is missing"):
        CBIACells(data=tmp_path, test=1, variant="LowNoise")


def test_absent_data_are_explained(download, tmp_path, monkeypatch):
    monkeypatch.delenv("RATERBENCH_DATA", raising=False)
    with pytest.raises(RaterbenchError, match=r"the volumes of hl60 are not there .*into <data>/cbia, .*RATERBENCH_DATA"):
        CBIACells()
    shutil.copytree(download / "cbia" / FOLDERS["hl60"], tmp_path / "cbia" / FOLDERS["hl60"])
    with pytest.raises(RaterbenchError, match="the volumes of hl60 and granulocytes are not there"):
        CBIACells(data=tmp_path, distractors=True)
    with pytest.raises(RaterbenchError, match="test = 5 must not be more than the 3 volumes"):
        CBIACells(data=tmp_path)


def test_it_keeps_the_contract_of_a_data_set(tmp_path):
    folder = tmp_path / "cbia" / FOLDERS["hl60"]
    folder.mkdir(parents=True)
    for number in range(5):
        for what, pixels in zip(("final", "labels"), volume("hl60", number), strict=True):
            write_labels(folder / f"image-{what}_{number:04d}.tif", pixels, Geometry.axis_aligned(3))
    results = check_dataset(CBIACells, data=str(tmp_path))
    assert len(results) == len(CHECKS) + 1
    assert all(r.passed for r in results), [r.message for r in results if not r.passed]
