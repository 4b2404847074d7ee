import shutil
from functools import partial

import numpy as np
import pytest

from raterbench.benchmark.checks.datasets import CHECKS, check_dataset
from raterbench.datasets import SCGM, Geometry, RaterbenchError, load_dataset

from .. import written_files

SHAPE = (3, 12, 10)
put = partial(written_files.put, geometry=Geometry.axis_aligned(3, (5.0, 0.5, 0.5)))


def cord(scan: int, rater: int = 1) -> np.ndarray:
    """Grey matter (1) within white matter (2), a little longer in the eyes of a later rater."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[:, 2:9, 1 : 7 + scan] = 2
    mask[:, 4:6, 2 : 4 + rater] = 1
    return mask


@pytest.fixture(scope="module")
def download(tmp_path_factory):
    """Two training scans and one test scan of each site in the layout of the download, which no test may change."""
    root = tmp_path_factory.mktemp("download") / "scgm"
    for site in range(1, 5):
        for scan in (1, 2, 11):
            stem = f"site{site}-sc{scan:02d}"
            put(root / f"{stem}-image.nii.gz", 40 * site + 10 * cord(scan % 10).astype(np.int16))
            (root / f"{stem}-levels.txt").write_text("0,C3\n")
            for rater in range(1, 5) if scan < 11 else ():
                put(root / f"{stem}-mask-r{rater}.nii.gz", cord(scan, rater))
    return root


@pytest.fixture
def training(download, tmp_path):
    """A copy of the download for one test."""
    return shutil.copytree(download, tmp_path / "scgm")


def test_scans_without_masks_are_the_test_part_and_left_out(download):
    for data in (load_dataset("scgm", data=str(download)), load_dataset("scgm", data=str(download.parent))):
        assert data.index["case"].tolist() == [f"site{site}-sc0{scan}" for site in range(1, 5) for scan in (1, 2)]
        assert data.index["centre"].unique().tolist() == ["site1", "site2", "site3", "site4"]
        assert data.index["subject"].is_unique
        assert set(data.index["raters"]) == {("rater1", "rater2", "rater3", "rater4")}


def test_a_case_has_what_each_rater_drew(download):
    case = SCGM(data=download)[3]
    assert (case.id, case.centre, case.geometry.spacing) == ("site2-sc02", "site2", (5.0, 0.5, 0.5))
    assert np.array_equal(case.image, 80 + 10 * cord(2)[None]) and case.image.dtype == np.float32
    assert all(np.array_equal(case.ratings[f"rater{k}"], cord(2, k)) for k in range(1, 5))


def test_white_matter_can_be_background(download):
    both, grey = SCGM(data=download), SCGM(data=download, target="grey matter")
    assert both.classes == ("background", "grey matter", "white matter") and grey.classes == both.classes[:2]
    assert np.array_equal(grey[0].ratings["rater4"], cord(1, 4) == 1)
    assert both.fingerprint() != grey.fingerprint()


def test_a_missing_mask_is_an_absent_rater_and_a_missing_image_is_named(training):
    (training / "site1-sc01-mask-r3.nii.gz").unlink()
    data = SCGM(data=training)
    assert data.index["raters"][0] == tuple(data[0].ratings) == ("rater1", "rater2", "rater4")
    (training / "site3-sc02-image.nii.gz").unlink()
    with pytest.raises(RaterbenchError, match=r"site3-sc02-image\.nii .* is missing: it belongs to the download"):
        SCGM(data=training)


def test_a_mask_on_another_grid_is_named_with_its_image(training):
    put(training / "site1-sc01-mask-r2.nii.gz", cord(1), geometry=Geometry.axis_aligned(3, (5.0, 0.3, 0.3)))
    with pytest.raises(RaterbenchError, match=r"site1-sc01-image.* and .*site1-sc01-mask-r2\.nii\.gz differ in spacing"):
        SCGM(data=training)[0]


@pytest.mark.parametrize("target", ["both", "grey matter"])
def test_a_strange_value_is_named(training, target):
    put(training / "site1-sc01-mask-r2.nii.gz", 3 * (cord(1) == 1).astype(np.uint8))
    says = r"site1-sc01-mask-r2\.nii\.gz has the value 3 in \d+ voxels, but .* values \[0, 1, 2\] only: copy the file"
    with pytest.raises(RaterbenchError, match=says):
        SCGM(data=training, target=target)[0]


def test_the_fingerprint_sees_the_content_of_what_is_read(download, tmp_path, files_seen):
    for stem in ("site1-sc01", "site1-sc11"):
        for file in download.glob(f"{stem}-*"):
            shutil.copy(file, tmp_path)
    read = {f"site1-sc01-{part}.nii.gz" for part in ("image", *(f"mask-r{k}" for k in range(1, 5)))}
    assert files_seen(SCGM(data=tmp_path), tmp_path) == read


def test_absent_data_are_explained(tmp_path, monkeypatch):
    monkeypatch.delenv("RATERBENCH_DATA", raising=False)
    for data in (None, tmp_path):
        with pytest.raises(RaterbenchError, match=r"register at http://niftyweb.*into <data>/scgm, .*RATERBENCH_DATA"):
            SCGM(data=data)


def test_it_keeps_the_contract_of_a_data_set(download):
    results = check_dataset(SCGM, data=str(download))
    assert len(results) == len(CHECKS) + 1
    assert all(r.passed for r in results), [r.message for r in results if not r.passed]
