"""Files of arrays that are mapped into memory."""

import gc
import resource

import numpy as np
import pytest

from raterbench.datasets.base import read_only
from raterbench.datasets.cache import array_files
from raterbench.datasets.cache.array_files import Arrays, content_hash, is_mapped, map_arrays, write_arrays

ARRAYS = {
    "labels": np.arange(35, dtype=np.uint8).reshape(5, 7),
    "image": np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32),
    "there": np.array([True, False, True]),
    "numbers": np.arange(6, dtype=np.int32)[::2],
    "nothing": np.zeros((0, 4), np.float32),
    "one": np.float64(3.5) * np.ones(()),
}


def written(path, arrays=ARRAYS, facts=None):
    with path.open("wb") as stream:
        write_arrays(stream, Arrays(arrays, facts))
    return path


def test_arrays_and_facts_come_back(tmp_path):
    facts = {"id": "case ü", "spacing": [0.1, 1e-17, 3.0], "diagnosis": None}
    found = map_arrays(written(tmp_path / "file", facts=facts))
    assert found.facts == facts and list(found.arrays) == list(ARRAYS)
    for name, expected in ARRAYS.items():
        assert found.arrays[name].dtype == expected.dtype and found.arrays[name].shape == expected.shape
        np.testing.assert_array_equal(found.arrays[name], expected)


def test_changing_a_mapped_array_changes_no_file(tmp_path):
    path = written(tmp_path / "file")
    map_arrays(path).arrays["labels"][:] = 9
    np.testing.assert_array_equal(map_arrays(path).arrays["labels"], ARRAYS["labels"])


def test_each_changed_byte_is_noticed(tmp_path):
    """In the first bytes, the header, the arrays, and at the end; what lies between arrays says nothing."""
    path = written(tmp_path / "file", {"labels": ARRAYS["labels"], "image": ARRAYS["image"]})
    content, noticed = path.read_bytes(), 0
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :])
        noticed += map_arrays(path) is None
    between = 64 - ARRAYS["labels"].nbytes
    assert noticed == len(content) - between


@pytest.mark.parametrize("left", [0, 5, 40, 100, -1])
def test_a_file_that_was_cut_off_is_noticed(tmp_path, left):
    path = written(tmp_path / "file")
    path.write_bytes(path.read_bytes()[:left])
    assert map_arrays(path) is None


def test_the_hash_of_a_whole_mapped_array_is_known_and_of_a_part_is_that_of_the_part(tmp_path, monkeypatch):
    view = read_only(map_arrays(written(tmp_path / "file")).arrays["image"])
    gc.collect()
    assert is_mapped(view.__array_interface__["data"][0])
    parts = [view[0], view[:, ::2], view.T, view.view(np.int32)]
    expected = [array_files._hashed(part.copy()) for part in parts]
    changeable = map_arrays(tmp_path / "file").arrays["image"]
    changeable[0] = 0
    read = []
    monkeypatch.setattr(array_files, "_hashed", lambda array, hashed=array_files._hashed: read.append(array) or hashed(array))
    assert content_hash(view) == content_hash(read_only(view)) == content_hash(view[:]) and not read
    assert [content_hash(part) for part in parts] == expected
    assert content_hash(changeable) != content_hash(view) == content_hash(ARRAYS["image"])


def test_arrays_of_the_same_bytes_and_another_shape_or_type_have_other_hashes():
    zeros = np.zeros(8, np.float32)
    assert len({content_hash(one) for one in (zeros, zeros.reshape(2, 4), zeros.view(np.int32), zeros[:7])}) == 4


def test_an_array_that_is_gone_is_no_longer_mapped(tmp_path):
    image = map_arrays(written(tmp_path / "file")).arrays["image"]
    address = image.__array_interface__["data"][0]
    del image
    gc.collect()
    assert not is_mapped(address)


def test_more_files_are_mapped_than_a_process_may_open(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    path = written(tmp_path / "file", {"labels": ARRAYS["labels"]})
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
        kept = [map_arrays(path) for _ in range(300)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert all((one.arrays["labels"] == ARRAYS["labels"]).all() for one in kept)
