import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from raterbench.benchmark.store import units as store
from raterbench.benchmark.store.units import (
    Record,
    read_header,
    read_record,
    unit_path,
    write_json,
    write_record,
)
from raterbench.datasets import RaterbenchError


def record(**changes):
    fields = {
        "key": "0123456789abcdef",
        "candidate": "Majority vote",
        "kind": "method",
        "order": 0,
        "repeat": 1,
        "fold": 2,
        "status": "done",
        "rows": [["Majority vote", "method", "c", "s", "here", "thing", "truth", "dice", 0.5], ["x"] * 8 + [float("nan")]],
        "meta": {
            "calibration": {"cases": [["c", "s", "here"]] * 5, "references": ["truth"], "regions": ["image"]},
            "seconds": 1.5,
            "curve": [[0, 1.0, 2.0]],
            "threshold": None,
        },
        "arrays": {"calibration": np.arange(60, dtype=np.int64).reshape(5, 1, 1, 4, 3), "kept0": np.zeros((2, 3), np.uint8)},
    }
    return Record(**fields | changes)


def test_a_unit_comes_back_as_it_was(tmp_path):
    written = record()
    path = write_record(tmp_path, written)
    found = read_record(path)
    assert found.rows[0] == written.rows[0]
    assert np.isnan(found.rows[1][-1])
    assert found.meta == written.meta
    assert {name: array.dtype for name, array in found.arrays.items()} == {"calibration": np.int64, "kept0": np.uint8}
    np.testing.assert_array_equal(found.arrays["calibration"], written.arrays["calibration"])
    for name in store.HEADER:
        assert getattr(found, name) == getattr(read_header(path), name) == getattr(written, name)


def test_the_header_is_read_without_rows_and_arrays(tmp_path):
    header = read_header(write_record(tmp_path, record()))
    assert (header.rows, header.arrays) == ([], {})


def test_a_unit_is_one_file_without_pickles(tmp_path):
    path = write_record(tmp_path, record())
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    with np.load(path, allow_pickle=False) as stored:
        assert all(stored[name].dtype != object for name in stored.files)


@pytest.mark.parametrize(
    "changes", [{"arrays": {"odd": np.array([{}, None])}}, {"meta": {"odd": object()}}, {"rows": [[b"bytes"]]}]
)
def test_what_cannot_be_stored_leaves_nothing(tmp_path, changes):
    with pytest.raises(TypeError):
        write_record(tmp_path, record(**changes))
    assert not list(tmp_path.rglob("*.*"))


def test_a_write_that_fails_keeps_the_old_file_and_leaves_no_other(tmp_path, monkeypatch):
    path = write_record(tmp_path, record())
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RaterbenchError, match=rf"{path.name} cannot be written: No space .* make room on the disk"):
        write_record(tmp_path, record(status="failed"))
    with pytest.raises(RaterbenchError, match=r"experiment.json cannot be written: No space"):
        write_json(tmp_path / "experiment.json", {})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == [path.name]


def test_every_cut_of_a_file_is_noticed(tmp_path):
    path = write_record(tmp_path, record())
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert read_record(path) is None, length
        assert read_header(path) is None, length


def test_no_altered_byte_stops_the_reader(tmp_path):
    path = write_record(tmp_path, record())
    whole, first = bytearray(path.read_bytes()), read_record(path)
    for position in range(len(whole)):
        altered = whole.copy()
        altered[position] ^= 0xFF
        path.write_bytes(altered)
        read_header(path)
        # Dates in the archive's list of contents, say, mean nothing: what is read in spite of it is as it was.
        if (found := read_record(path)) is not None:
            assert (found.meta, str(found.rows)) == (first.meta, str(first.rows))
            assert all(np.array_equal(found.arrays[name], first.arrays[name]) for name in first.arrays)


def test_what_is_no_unit_reads_as_none(tmp_path):
    path = tmp_path / "x.npz"
    assert read_record(path) is None
    for content in (b"", b"text", b"\x93NUMPY"):
        path.write_bytes(content)
        assert read_record(path) is None


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to(path)], ids=["pipe", "folder", "loop"])
def test_what_cannot_be_opened_is_no_damaged_unit_and_is_named(tmp_path, make):
    make(tmp_path / "x.npz")
    for read in (read_record, read_header):
        with pytest.raises(RaterbenchError, match=r"x\.npz is a (pipe|folder|link)"):
            read(tmp_path / "x.npz")


def test_a_unit_that_may_not_be_read_is_no_damaged_unit(tmp_path, monkeypatch):
    path = write_record(tmp_path, record())

    def refuse(*_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(RaterbenchError, match="may not be read by you: ask for the right"):
        read_record(path)


@pytest.mark.parametrize("header", [{"schema": store.SCHEMA + 1}, {}, [], "text", {"schema": store.SCHEMA, "odd": 1}])
def test_another_schema_reads_as_none(tmp_path, header):
    path = tmp_path / "x.npz"
    members = {name: np.frombuffer(json.dumps(v).encode(), np.uint8) for name, v in (("header", header), ("rows", []))}
    np.savez(path, **members)
    assert read_record(path) is None


def test_a_pickle_is_not_opened(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, header=np.array([{"a": 1}], dtype=object), rows=np.zeros(1, np.uint8))
    assert zipfile.is_zipfile(path)
    assert read_record(path) is None


def test_names_are_safe_short_and_differ():
    paths = {
        unit_path(Path("r"), name, 0, 0, key)
        for name in ("TGCE_ss 50% & more", "TGCE ss 50 more", "../up", "a/b", "é", "x" * 400)
        for key in ("a" * 24, "b" * 24)
    }
    assert len(paths) == 12
    assert {p.parent for p in paths} == {Path("r/units")}
    assert max(len(p.name) for p in paths) < 100
