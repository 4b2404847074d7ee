import shutil
from functools import partial

import numpy as np
import pytest

from raterbench.benchmark.checks.datasets import CHECKS, check_dataset
from raterbench.datasets import MSSEG2016, Geometry, RaterbenchError, load_dataset

from .. import written_files

SHAPE = (4, 10, 8)
put = partial(written_files.put, geometry=Geometry.axis_aligned(3, (1.0, 0.5, 0.5)))
PATIENTS = [("Center_01", "Patient_01"), ("Center_07", "Patient_01"), ("Center_07", "Patient_02"), ("Center_08", "Patient_01")]
EVERYBODY = tuple(f"rater{k}" for k in range(1, 8))


def lesion(rater: int = 1) -> np.ndarray:
    """A block that is one pixel longer in the eyes of each later rater."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[1:3, 2 : 3 + rater, 3:6] = 1
    return mask


@pytest.fixture(scope="module")
def download(tmp_path_factory):
    """Four patients in the layout of the download, which no test may change."""
    root = tmp_path_factory.mktemp("download") / "msseg2016" / "Training"
    for number, (centre, patient) in enumerate(PATIENTS):
        folder = root / centre / patient
        for k, contrast in enumerate(("FLAIR", "T1", "GADO", "T2", "DP")):
            put(folder / "Preprocessed_Data" / f"{contrast}_preprocessed.nii.gz", np.full(SHAPE, 10 * number + k, np.int16))
        put(folder / "Raw_Data" / "T1.nii.gz", np.zeros((2, 3, 4), np.int16))
        for rater in range(1, 8):
            put(folder / "Masks" / f"ManualSegmentation_{rater}.nii.gz", lesion(rater))
        for name in ("Consensus", "Brain_Mask"):
            put(folder / "Masks" / f"{name}.nii.gz", lesion())
    return root


@pytest.fixture
def training(download, tmp_path):
    """A copy of the download for one test."""
    return shutil.copytree(download, tmp_path / "msseg2016" / "Training")


@pytest.mark.parametrize("up", [0, 1, 2])
def test_it_is_found_wherever_the_download_lies(download, up):
    data = load_dataset("msseg2016", data=str([download, *download.parents][up]))
    assert data.index["case"].tolist() == data.index["subject"].tolist() == [f"{c}_{p}" for c, p in PATIENTS]
    assert data.index["centre"].tolist() == [centre for centre, _ in PATIENTS]
    assert data.raters == EVERYBODY and set(data.index["raters"]) == {EVERYBODY}


def test_a_case_has_seven_raters_and_no_consensus(download):
    case = MSSEG2016(data=download)[2]
    assert (case.id, case.truth, case.geometry.spacing) == ("Center_07_Patient_02", None, (1.0, 0.5, 0.5))
    assert tuple(case.ratings) == EVERYBODY
    assert all(np.array_equal(case.ratings[f"rater{k}"], lesion(k)) for k in range(1, 8))
    assert np.array_equal(case.image, np.full((1, *SHAPE), 20, np.float32))


def test_contrasts_are_channels(download):
    data = MSSEG2016(data=download, contrasts=("pd", "t1", "t1-gd", "t2", "flair"))
    assert data[1].image[:, 0, 0, 0].tolist() == [14, 11, 12, 13, 10]
    assert data.fingerprint() != MSSEG2016(data=download, contrasts=("t1", "pd", "t1-gd", "t2", "flair")).fingerprint()
    with pytest.raises(RaterbenchError, match="contrasts is empty"):
        MSSEG2016(data=download, contrasts=())


def test_a_missing_mask_is_an_absent_rater(training):
    masks = training / "Center_07" / "Patient_01" / "Masks"
    (masks / "ManualSegmentation_4.nii.gz").unlink()
    data = MSSEG2016(data=training)
    assert data.index["raters"][1] == tuple(data[1].ratings) == EVERYBODY[:3] + EVERYBODY[4:]
    shutil.rmtree(masks)
    with pytest.raises(RaterbenchError, match=r"Center_07/Patient_01 has no rating: Masks/ManualSegmentation_1\.nii\.gz"):
        MSSEG2016(data=training)


def test_a_missing_contrast_is_named(training):
    (training / "Center_08" / "Patient_01" / "Preprocessed_Data" / "DP_preprocessed.nii.gz").unlink()
    with pytest.raises(RaterbenchError, match=r"Center_08/Patient_01/Preprocessed_Data/DP_preprocessed\.nii .* is missing"):
        MSSEG2016(data=training, contrasts=("flair", "pd"))[3]


def test_a_file_on_another_grid_is_named_with_its_image(training):
    folder = training / "Center_01" / "Patient_01"
    put(folder / "Masks" / "ManualSegmentation_7.nii.gz", lesion()[:3])
    with pytest.raises(
        RaterbenchError, match=r"FLAIR_preprocessed\.nii\.gz and .*ManualSegmentation_7\.nii\.gz differ in size"
    ):
        MSSEG2016(data=training)[0]
    put(folder / "Preprocessed_Data" / "T2_preprocessed.nii.gz", lesion(), geometry=Geometry.axis_aligned(3, (1.0, 1.0, 1.0)))
    with pytest.raises(RaterbenchError, match=r"FLAIR_preprocessed\.nii\.gz and .*T2_preprocessed\.nii\.gz differ in spacing"):
        MSSEG2016(data=training, contrasts=("flair", "t2"))[0]


def test_a_strange_value_is_named(training):
    put(training / "Center_01" / "Patient_01" / "Masks" / "ManualSegmentation_2.nii.gz", 2 * lesion())
    with pytest.raises(RaterbenchError, match=r"ManualSegmentation_2\.nii\.gz has the value 2 in 12 voxels, .*\[0, 1\] only"):
        MSSEG2016(data=training)[0]


def test_the_fingerprint_sees_the_content_of_what_is_read(training, files_seen):
    for centre in ("Center_07", "Center_08"):
        shutil.rmtree(training / centre)
    folder = "Center_01/Patient_01"
    masks = {f"{folder}/Masks/ManualSegmentation_{k}.nii.gz" for k in range(1, 8)}
    assert files_seen(MSSEG2016(data=training), training) == {f"{folder}/Preprocessed_Data/FLAIR_preprocessed.nii.gz", *masks}


def test_absent_data_are_explained(tmp_path, monkeypatch):
    monkeypatch.delenv("RATERBENCH_DATA", raising=False)
    for data in (None, tmp_path):
        with pytest.raises(
            RaterbenchError, match=r"register at https://portal\.fli-iam.*<data>/msseg2016/Training.*RATERBENCH_DATA"
        ):
            MSSEG2016(data=data)


def test_it_keeps_the_contract_of_a_data_set(download):
    results = check_dataset(MSSEG2016, data=str(download))
    assert len(results) == len(CHECKS) + 1
    assert all(r.passed for r in results), [r.message for r in results if not r.passed]
