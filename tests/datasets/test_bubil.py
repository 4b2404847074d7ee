from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from raterbench.datasets import BUBIL, RaterbenchError, load_dataset
from raterbench.datasets.bubil import CROPPED_BY, EXPERTS

HEIGHT, WIDTH = 30, 40
BOX = slice(10, 16), slice(12, 20)
CROP = slice(6, 19), slice(7, 24)
"""Half of 6 and 8 around the box, and one more row and column before it."""


def save(file: Path, pixels: np.ndarray, channels: int = 1) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if channels > 1:
        pixels = np.repeat(pixels[..., None], channels, axis=-1)
        pixels[..., 3:] = 255
    sitk.WriteImage(sitk.GetImageFromArray(pixels, isVector=channels > 1), str(file))


def mask(window=(slice(None), slice(None)), shift: int = 0) -> np.ndarray:
    """Black on white."""
    drawn = np.full((HEIGHT, WIDTH), 255, np.uint8)
    drawn[BOX[0], slice(BOX[1].start + shift, BOX[1].stop + shift)] = 0
    return drawn[window].copy()


@pytest.fixture
def download(tmp_path) -> Path:
    """Both sets with two images each, in the layout of the download and with its quirks."""
    for number in (1, 4):
        root = tmp_path / "bubil" / f"BU-BIL_Dataset{number}"
        for case in ("B01", "B02"):
            frame = np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH)
            save(root / "RawImages" / f"{case}.png", frame if number == 1 else frame[CROP].copy(), 3 if case == "B02" else 1)
            for place, rater in enumerate(EXPERTS[number]):
                name = f"Seg_{case}.png" if place == 1 else f"seg_{case}.png"
                shift = 0 if rater == CROPPED_BY[number] else 1
                save(root / "ExpertsAnnotations" / rater / name, mask(shift=shift), (1, 3)[place % 2])
            for k in range(1, 8):
                save(root / "CrowdsourcedAnnotations" / f"mturk_annotation{number}-{k}" / f"seg_{case}.png", mask(CROP), 4)
    return tmp_path


@pytest.mark.parametrize("up", [0, 1, 2])
def test_it_is_found_wherever_the_download_lies(download, up):
    root = download / "bubil" / "BU-BIL_Dataset1"
    data = BUBIL(data=[root, *root.parents][up])
    assert data.index["case"].tolist() == ["B01", "B02"]
    assert set(data.index["centre"]) == {"set 1"}


def test_the_fingerprint_sees_the_content_of_what_is_read(download, files_seen):
    seen = files_seen(BUBIL(data=download, set=4, raters="crowd"), download / "bubil")
    assert {name.split("/")[1] for name in seen} == {"RawImages", "CrowdsourcedAnnotations", "ExpertsAnnotations"}
    assert len(seen) == 2 + 2 * 7 + 2
    assert all("Dataset4" in name for name in seen)


def test_experts_of_set_1_are_on_the_full_frame_and_black_is_the_cell(download):
    case = load_dataset("bubil", data=str(download))[0]
    assert case.image.shape == (1, HEIGHT, WIDTH)
    assert tuple(case.ratings) == EXPERTS[1]
    assert np.array_equal(case.ratings["Person2_Amira"] == 1, mask() == 0)
    assert case.truth is None


@pytest.mark.parametrize("number", [1, 4])
@pytest.mark.parametrize("raters", ["crowd", "both"])
def test_the_crowd_saw_a_crop_around_the_cell(download, number, raters):
    data = load_dataset("bubil", data=str(download), set=number, raters=raters)
    for case in data:
        assert case.shape == mask(CROP).shape
        assert case.image.shape[0] == 1
        assert all(np.array_equal(case.ratings[r] == 1, mask(CROP) == 0) for r in case.ratings if r.startswith("crowd"))
    assert len(data.raters) == (7 if raters == "crowd" else 7 + len(EXPERTS[number]))
    if raters == "both":
        assert np.array_equal(data[0].ratings[EXPERTS[number][-1]] == 1, mask(CROP, shift=1) == 0)


def test_grey_edges_go_to_the_nearer_side(download):
    drawn = mask()
    drawn[0, :2] = 24, 200
    save(download / "bubil/BU-BIL_Dataset1/ExpertsAnnotations/Person1_Amira/seg_B01.png", drawn)
    assert BUBIL(data=download)[0].ratings["Person1_Amira"][0, :2].tolist() == [1, 0]


def test_a_missing_mask_is_a_missing_rater(download):
    (download / "bubil/BU-BIL_Dataset1/ExpertsAnnotations/Person4_ImageJ/Seg_B02.png").unlink(missing_ok=True)
    (download / "bubil/BU-BIL_Dataset1/ExpertsAnnotations/Person4_ImageJ/seg_B02.png").unlink(missing_ok=True)
    assert "Person4_ImageJ" not in BUBIL(data=download)[1].ratings


def test_the_crop_needs_the_mask_around_which_it_was_cut(download):
    file = download / "bubil/BU-BIL_Dataset4/ExpertsAnnotations/Expert1/seg_B01.png"
    save(file, np.full((HEIGHT, WIDTH), 255, np.uint8))
    with pytest.raises(RaterbenchError, match="no object"):
        BUBIL(data=download, set=4)[0]
    file.unlink()
    with pytest.raises(RaterbenchError, match=r"Expert1 has no mask of 'b01'"):
        BUBIL(data=download, set=4, raters="crowd")[0]


def test_what_is_absent_or_unknown_is_explained(download, tmp_path, monkeypatch):
    monkeypatch.delenv("RATERBENCH_DATA", raising=False)
    for data in (None, tmp_path / "bubil" / "BU-BIL_Dataset1" / "RawImages"):
        with pytest.raises(RaterbenchError, match=r"Biomedical Image Library.*<data>/bubil/BU-BIL_Dataset1.*RATERBENCH_DATA"):
            BUBIL(data=data)
    with pytest.raises(RaterbenchError, match="set = 2 must be 1 or 4"):
        BUBIL(data=download, set=2)
    with pytest.raises(RaterbenchError, match="did you mean 'crowd'"):
        BUBIL(data=download, raters="crowds")


@pytest.mark.parametrize(("number", "raters", "cases", "n"), [(1, "experts", 35, 10), (4, "both", 61, 10)])
def test_the_real_images_and_their_raters(real_data, number, raters, cases, n):
    data = BUBIL(data=real_data, set=number, raters=raters)
    assert len(data) == cases
    for case in (data[0], data[17], data[-1]):
        assert len(case.ratings) == n
        assert 0 <= case.image.min() < case.image.max() <= 1
        shares = [labels.mean() for labels in case.ratings.values()]
        assert 0.001 < min(shares) < max(shares) < 0.6


def test_crowd_workers_are_places_and_experts_are_persons(download):
    kinds = ("experts", "crowd", "both", "worker")
    anonymous = {raters: BUBIL(data=download, raters=raters).anonymous_raters for raters in kinds}
    assert anonymous == {"experts": False, "crowd": True, "both": True, "worker": False}


@pytest.mark.parametrize("number", [1, 4])
def test_one_worker_an_image_stands_for_the_crowd(download, number):
    data, all_of_them = (BUBIL(data=download, set=number, raters=raters) for raters in ("worker", "both"))
    assert data.raters == (*EXPERTS[number], "crowd")
    one, other = data[0], all_of_them[0]
    assert one.shape == other.shape and np.array_equal(one.ratings["crowd"], other.ratings["crowd_1"])
    assert all(np.array_equal(one.ratings[rater], other.ratings[rater]) for rater in EXPERTS[number])
