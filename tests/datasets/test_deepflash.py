from pathlib import Path

import numpy as np
import pytest

from raterbench.datasets import DeepFlash, RaterbenchError, load_dataset

from .written_files import put


@pytest.fixture
def laboratory(tmp_path) -> Path:
    """A small laboratory in the layout of the download: two images, of which the fifth expert rated one."""
    root = tmp_path / "deepflash" / "train_data" / "lab-wue1"
    for case in ("0001", "0092"):
        for rater in (*DeepFlash.raters, "est_GT"):
            if (rater, case) != ("expert_5", "0001"):
                put(root / "labels" / rater / f"{case}_cFOS.png", np.eye(8, dtype=np.uint8) * 255)
        put(root / "images" / f"{case}.png", np.eye(8, dtype=np.uint8) * 200)
    (root / "groups_wue1.csv").write_text("file_id,group_id\n0092,3\n0001,1\n")
    return root


@pytest.mark.parametrize("up", [0, 1, 2, 3])
def test_it_is_found_wherever_the_download_lies(laboratory, up):
    data = DeepFlash(data=[laboratory, *laboratory.parents][up])
    assert data.index["case"].tolist() == ["0001", "0092"]
    assert data.index["group"].tolist() == ["1", "3"]
    assert set(data.index["centre"]) == {"lab-wue1"}
    assert data.preparation.size == (256, 256)


def test_the_fingerprint_sees_the_content_of_what_is_read(laboratory, files_seen):
    every = {file.relative_to(laboratory).as_posix() for file in laboratory.rglob("*.png")}
    assert files_seen(DeepFlash(data=laboratory), laboratory) == {name for name in every if "est_GT" not in name}


def test_experts_are_raters_and_the_estimate_is_none(laboratory):
    data = load_dataset("deepflash", data=str(laboratory))
    case = data[0]
    assert tuple(case.ratings) == ("expert_1", "expert_2", "expert_3", "expert_4")
    assert case.truth is None
    assert case.image.max() == pytest.approx(200 / 255)
    assert np.array_equal(data.published_estimate("0001"), np.eye(8))
    with pytest.raises(RaterbenchError, match="0002_cFOS"):
        data.published_estimate("0002")


def test_absent_data_are_explained(tmp_path, monkeypatch):
    monkeypatch.delenv("RATERBENCH_DATA", raising=False)
    for data in (None, tmp_path):
        with pytest.raises(RaterbenchError, match=r"dryad.*<data>/deepflash/train_data/lab-wue1.*RATERBENCH_DATA"):
            DeepFlash(data=data)


def test_groups_that_do_not_fit_are_named(laboratory):
    table = laboratory / "groups_wue1.csv"
    for text, words in (("file_id,group_id\n0092,3\n", "no row for the image '0001'"), ("a,b\n1,2\n", "must have the columns")):
        table.write_text(text)
        with pytest.raises(RaterbenchError, match=words):
            DeepFlash(data=laboratory)
    table.unlink()
    with pytest.raises(RaterbenchError, match="is missing"):
        DeepFlash(data=laboratory)


def test_the_real_images_and_their_experts(real_data):
    data = DeepFlash(data=real_data)
    assert len(data) == 36
    assert data.raters == tuple(f"expert_{k}" for k in range(1, 6))
    case = data[0]
    assert case.image.shape == (1, 1024, 1024)
    assert set(case.ratings) == set(data.raters)
    estimate = data.published_estimate(case.id)
    dice = {r: 2 * (m & estimate).sum() / (m.sum() + estimate.sum()) for r, m in case.ratings.items()}
    assert 0.3 < min(dice.values()) < max(dice.values()) < 0.95
