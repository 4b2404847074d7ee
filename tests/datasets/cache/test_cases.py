"""Cases that come out of the cache are those that were read."""

import dataclasses
import warnings

import numpy as np
import pytest

from raterbench.benchmark.checks.examples import make_dataset
from raterbench.datasets import Case, CaseList, Dataset, Folder, RaterbenchError
from raterbench.datasets.base import Geometry, index_table
from raterbench.datasets.cache import disk_cache
from raterbench.datasets.cache.cases import KeptCases, arrays_of, case_from
from raterbench.datasets.cache.disk_cache import DiskCache
from raterbench.datasets.phantom import Phantom

from ..written_files import put


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache that keeps everything, in use."""
    monkeypatch.setattr(DiskCache, "current", DiskCache(tmp_path / "cache", worthwhile=False))
    return DiskCache.current


def plain(value):
    """A case, or a part of it, as values that can be compared."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes(), value.flags.writeable
    if dataclasses.is_dataclass(value):
        return type(value), {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return [(key, plain(part)) for key, part in value.items()] if isinstance(value, dict) else (type(value), value)


CASES = {
    "example": make_dataset(shapes=[(9, 7)])[0],
    "volume": make_dataset(shapes=[(3, 9, 7)], n_classes=3)[0],
    "truth": Phantom(subjects=2, slices=1, size=32)[0],
    "nobody": make_dataset(shapes=[(9, 7)])[0].unlabelled(),
    "diagnoses": dataclasses.replace(make_dataset(shapes=[(9, 7)])[0], diagnosis=1, rater_diagnoses={"a/b ü": 0}),
}


def test_numbers_of_numpy_are_numbers(cache):
    """Whoever makes cases may take a spacing and a diagnosis from an array."""
    case = CASES["example"]
    grid = dataclasses.replace(case.geometry, spacing=tuple(np.array([0.5, 2], np.float32)))
    case = dataclasses.replace(case, geometry=grid, diagnosis=np.int64(1))
    found = case_from(cache.fetch("cases", [np.float32(1), np.int64(3)], lambda: arrays_of(case)))
    assert found.geometry.spacing == (0.5, 2.0) and found.diagnosis == 1


@pytest.mark.parametrize("name", CASES)
def test_a_case_comes_back_whole(tmp_path, cache, name):
    case = CASES[name]
    found = cache.fetch("cases", name, lambda: arrays_of(case))
    again = case_from(cache.fetch("cases", name, lambda: pytest.fail("it is not in the cache")))
    assert plain(case_from(found)) == plain(case) == plain(again)


def test_a_case_is_read_once_whoever_asks(tmp_path, cache, monkeypatch):
    for i in range(3):
        put(tmp_path / "data/images" / f"c{i}.nii.gz", np.random.default_rng(i).normal(size=(6, 8)))
        put(tmp_path / "data/ratings/ann" / f"c{i}.nii.gz", np.ones((6, 8), np.uint8))
    read = list[int]()
    load = Folder.load
    monkeypatch.setattr(Folder, "load", lambda self, position: read.append(position) or load(self, position))
    for _ in range(2):
        data = Folder(tmp_path / "data")
        expected = [load(data, i) for i in range(3)]
        data.reader = KeptCases(data, "options").read
        found = [*data.subset([0, 1]).subset([1, 0]), *data[1:]]
        assert [plain(case) for case in found] == [plain(expected[i]) for i in (1, 0, 1, 2)]
    assert sorted(read) == [0, 1, 2]


def test_a_changed_file_is_read_anew(tmp_path, cache):
    image, label = tmp_path / "data/images/c.nii.gz", tmp_path / "data/ratings/ann/c.nii.gz"
    put(label, np.ones((6, 8), np.uint8))
    for value in (1, 2):
        put(image, np.full((6, 8), float(value)))
        data = Folder(tmp_path / "data")
        data.reader = KeptCases(data, "options").read
        assert (data[0].image == value).all()


def test_a_file_that_is_gone_is_an_error_of_its_case_alone(tmp_path, cache):
    for name in "ab":
        put(tmp_path / f"data/images/{name}.nii.gz", np.ones((6, 8)))
        put(tmp_path / f"data/ratings/ann/{name}.nii.gz", np.ones((6, 8), np.uint8))
    data = Folder(tmp_path / "data")
    data.reader = KeptCases(data, "options").read
    (tmp_path / "data/images/b.nii.gz").unlink()
    assert data[0].id == "a"
    with pytest.raises(RaterbenchError, match=r"b\.nii\.gz"):
        data[1]


def test_other_options_are_other_cases(cache):
    for size in (32, 64):
        data = Phantom(subjects=2, slices=1, size=size)
        data.reader = KeptCases(data, {"size": size}).read
        assert data[0].shape == (size, size)


class Odd(Case):
    """A case that says more than the cache knows."""


class Several(Dataset):
    """Cases that warn, or are of a class of their own."""

    name, classes, raters = "several", ("background", "object"), ("ann",)

    def __init__(self):
        self.index, self.read_often = index_table((name, name, "", ("ann",)) for name in ("warns", "odd")), []

    def load(self, position):
        self.read_often.append(position)
        name = self.index["case"].iloc[position]
        if name == "warns":
            warnings.warn("its spacing is unknown", stacklevel=2)
        kind = Odd if name == "odd" else Case
        labels = np.zeros((4, 4), np.uint8)
        return kind(name, name, "", labels[None].astype(np.float32), {"ann": labels}, Geometry.axis_aligned(2))


def test_a_case_that_warns_warns_each_time_and_one_of_another_class_keeps_it(cache):
    data = Several()
    data.reader = KeptCases(data, "").read
    for _ in range(2):
        with pytest.warns(UserWarning, match="its spacing is unknown"):
            assert data[0].id == "warns"
        assert type(data[1]) is Odd
    assert data.read_often == [0, 1, 0, 1] and not cache.entries()


def test_without_a_cache_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(disk_cache.DiskCache, "current", None)
    data = CaseList("one", [CASES["example"]], ("background", "object"))
    data.reader = KeptCases(data, "").read
    assert data[0] is CASES["example"]
