import numpy as np
import pytest

from raterbench.benchmark.checks.datasets import CHECKS, check_dataset
from raterbench.datasets import Geometry, RaterbenchError, load_dataset
from raterbench.datasets.images import write_labels
from raterbench.datasets.instances.epfl import PARTS, EPFLMitochondria

SHAPE = (6, 20, 24)


def stack(part: str) -> tuple[np.ndarray, np.ndarray]:
    """The image and the mask of a part: two squares in each slice, which touch by a corner in the last."""
    z, y, x = np.indices(SHAPE)
    mask = ((y - 4) // 4 == 0) & ((x - 4) // 4 == 0)
    mask |= ((y - 8) // 4 == 0) & ((x - np.where(z == SHAPE[0] - 1, 8, 14)) // 4 == 0)
    return (100 + 10 * z + (part == "testing") - 60 * mask).astype(np.uint8), (255 * mask).astype(np.uint8)


@pytest.fixture(scope="module")
def download(tmp_path_factory):
    """Two small volumes in the layout of the download, which no test may change."""
    folder = tmp_path_factory.mktemp("data") / "epfl-mitochondria"
    folder.mkdir()
    for part in PARTS:
        for name, pixels in zip((part, f"{part}_groundtruth"), stack(part), strict=True):
            write_labels(folder / f"{name}.tif", pixels, Geometry.axis_aligned(3))
    return folder.parent


def test_slices_are_cases_blocks_are_subjects_and_the_second_volume_is_the_test_part(download):
    data = load_dataset("epfl-mitochondria", data=str(download), blocks=2)
    assert data.index["case"].tolist()[:2] == ["training_slice-001", "training_slice-002"]
    assert data.index["subject"].tolist()[::3] == ["training-1", "training-2", "testing-1", "testing-2"]
    assert data.official_test == tuple(range(6, 12))
    assert len(load_dataset("epfl-mitochondria", data=str(download), every=4)) == 4


def test_objects_are_the_connected_parts_of_a_slice(download):
    data = EPFLMitochondria(data=download, lq_errors={"omission": 0.5})
    image, mask = stack("training")
    case = data[1]
    assert np.array_equal(case.image[0], image[1] / np.float32(255)) and case.truth is None
    assert np.array_equal(case.ratings["hq"], mask[1] > 0)
    assert [len(case.instances.targets) for case in data[:6]] == [2, 2, 2, 2, 2, 1]
    assert case.ratings["lq"].sum() == 16 and not case.instances.distractors.size
    assert np.array_equal(data[6].image[0] * 255, stack("testing")[0][0])


def test_there_is_nothing_to_include(download):
    with pytest.raises(RaterbenchError, match=r"epfl-mitochondria: lq_errors: inclusion = 0\.5 is a share of distractors"):
        EPFLMitochondria(data=download, lq_errors={"inclusion": 0.5})


def test_absent_and_missing_files_are_explained(tmp_path, monkeypatch):
    monkeypatch.delenv("RATERBENCH_DATA", raising=False)
    with pytest.raises(RaterbenchError, match=r"download the four TIFF .*into <data>/epfl-mitochondria, .*RATERBENCH_DATA"):
        EPFLMitochondria()
    write_labels(tmp_path / "training_groundtruth.tif", stack("training")[1], Geometry.axis_aligned(3))
    with pytest.raises(RaterbenchError, match=r"training\.tif is missing: it belongs to the download"):
        EPFLMitochondria(data=tmp_path)


def test_it_keeps_the_contract_of_a_data_set(download):
    results = check_dataset(EPFLMitochondria, data=str(download))
    assert len(results) == len(CHECKS) + 1
    assert all(r.passed for r in results), [r.message for r in results if not r.passed]
