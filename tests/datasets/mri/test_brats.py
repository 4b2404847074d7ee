import shutil

import numpy as np
import pytest

from raterbench.benchmark.checks.datasets import CHECKS, check_dataset
from raterbench.datasets import BraTS, RaterbenchError, load_dataset

from ..written_files import put

SHAPE = (4, 8, 9)
SCANS = {
    "BraTS19_2013_0_1": "LGG",
    "BraTS19_CBICA_AAB_1": "HGG",
    "BraTS19_CBICA_AAB_2": "HGG",
    "BraTS19_TCIA08_469_1": "HGG",
}


def tumour() -> np.ndarray:
    """Oedema (2) around an enhancing rim (4) around a necrotic core (1), in the values of the download."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[1:3, 1:7, 1:8] = 2
    mask[1:3, 2:6, 2:7] = 4
    mask[1:3, 3:5, 3:6] = 1
    return mask


@pytest.fixture(scope="module")
def download(tmp_path_factory):
    """Four scans of three patients in the layout of the download, which no test may change."""
    root = tmp_path_factory.mktemp("download") / "brats"
    for number, (scan, grade) in enumerate(SCANS.items()):
        for k, part in enumerate(("t1", "t1ce", "t2", "flair")):
            put(root / grade / scan / f"{scan}_{part}.nii.gz", np.full(SHAPE, 10 * number + k, np.int16))
        put(root / grade / scan / f"{scan}_seg.nii.gz", tumour())
    (root / "name_mapping_2019.csv").write_text("Grade\n")
    return root


@pytest.fixture
def training(download, tmp_path):
    """A copy of the download for one test."""
    return shutil.copytree(download, tmp_path / "MICCAI_BraTS_2019_Data_Training")


def test_scans_of_a_patient_are_one_subject(download):
    data = load_dataset("brats", data=str(download.parent))
    assert data.index["case"].tolist() == list(SCANS)
    assert data.index["subject"].tolist() == ["2013_0", "CBICA_AAB", "CBICA_AAB", "TCIA08_469"]
    assert data.index["centre"].tolist() == ["2013", "CBICA", "CBICA", "TCIA08"]
    assert data.index["grade"].tolist() == list(SCANS.values())


def test_a_patient_has_the_same_name_in_both_years(training):
    for file in sorted(training.rglob("BraTS19_2013_0_1*"), reverse=True):
        file.rename(file.with_name(file.name.replace("BraTS19", "Brats18")))
    data = BraTS(data=training.parent)
    assert (data.index["case"][3], data.index["subject"][3]) == ("Brats18_2013_0_1", "2013_0")


@pytest.mark.parametrize(
    ("target", "values"),
    [
        ("regions", {0: 0, 1: 1, 2: 2, 4: 3}),
        ("whole tumour", {0: 0, 1: 1, 2: 1, 4: 1}),
        ("tumour core", {0: 0, 1: 1, 2: 0, 4: 1}),
    ],
)
def test_the_regions_can_be_one_class(download, target, values):
    data = BraTS(data=download, target=target)
    case = data[3]
    assert data.n_classes == len(set(values.values())) and case.image[:, 0, 0, 0].tolist() == [30, 31, 32, 33]
    assert np.array_equal(case.ratings["experts"], np.vectorize(values.get)(tumour()))


def test_some_patients_can_be_kept(download):
    data = BraTS(data=download, subjects=("TCIA08_469", "CBICA_AAB"), contrasts=("t2",))
    assert data.index["case"].tolist() == ["BraTS19_CBICA_AAB_1", "BraTS19_CBICA_AAB_2", "BraTS19_TCIA08_469_1"]
    assert data[2].image[:, 0, 0, 0].tolist() == [32]
    with pytest.raises(RaterbenchError, match="the download has no subject 'CBICA_AAA'; did you mean 'CBICA_AAB'"):
        BraTS(data=download, subjects=("CBICA_AAA",))


@pytest.mark.parametrize(("part", "opened"), [("seg", False), ("t1ce", True)])
def test_a_missing_file_is_named(training, part, opened):
    (training / "HGG" / "BraTS19_CBICA_AAB_2" / f"BraTS19_CBICA_AAB_2_{part}.nii.gz").unlink()
    with pytest.raises(RaterbenchError, match=rf"BraTS19_CBICA_AAB_2_{part}\.nii .* is missing: it belongs to the download"):
        BraTS(data=training).load(2)
    if opened:
        assert len(BraTS(data=training)) == 4


def test_a_folder_of_another_name_is_named(training):
    (training / "LGG" / "mine").mkdir()
    with pytest.raises(RaterbenchError, match=r"LGG/mine is no scan of the download, which is called BraTS19_"):
        BraTS(data=training)


def test_a_mask_on_another_grid_is_named_with_its_image(training):
    put(training / "LGG" / "BraTS19_2013_0_1" / "BraTS19_2013_0_1_seg.nii.gz", tumour()[:, :7])
    with pytest.raises(RaterbenchError, match=r"0_1_t1\.nii\.gz and .*0_1_seg\.nii\.gz differ in size"):
        BraTS(data=training)[0]


def test_a_strange_value_is_named(training):
    put(training / "LGG" / "BraTS19_2013_0_1" / "BraTS19_2013_0_1_seg.nii.gz", tumour() + (tumour() == 2))
    with pytest.raises(RaterbenchError, match=r"0_1_seg\.nii\.gz has the value 3 in 44 voxels, but .*\[0, 1, 2, 4\] only"):
        BraTS(data=training)[0]


def test_the_fingerprint_sees_the_content_of_what_is_read(training, files_seen):
    shutil.rmtree(training / "HGG")
    read = {f"LGG/BraTS19_2013_0_1/BraTS19_2013_0_1_{part}.nii.gz" for part in ("flair", "seg")}
    assert files_seen(BraTS(data=training, contrasts=("flair",)), training) == read
    one, other = (BraTS(data=training, contrasts=contrasts) for contrasts in (("t1", "t2"), ("t2", "t1")))
    assert one.fingerprint() != other.fingerprint()


def test_absent_data_are_explained(tmp_path, monkeypatch):
    monkeypatch.delenv("RATERBENCH_DATA", raising=False)
    for data in (None, tmp_path):
        with pytest.raises(RaterbenchError, match=r"register at https://www\.med\.upenn.*into <data>/brats, .*RATERBENCH_DATA"):
            BraTS(data=data)


def test_it_keeps_the_contract_of_a_data_set(download):
    results = check_dataset(BraTS, data=str(download))
    assert len(results) == len(CHECKS) + 1
    assert all(r.passed for r in results), [r.message for r in results if not r.passed]
