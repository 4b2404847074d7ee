import json
import os
import zipfile
from pathlib import Path

import msgspec
import numpy as np
import pytest

from raterbench.benchmark.store.archive import Archive, DamagedError, write_archive
from raterbench.benchmark.store.predictions import StoredPrediction
from raterbench.benchmark.store.run_file import write_json
from raterbench.benchmark.store.units import (
    SCHEMA,
    Calibration,
    CaseName,
    Estimates,
    MeasuringUnit,
    Origin,
    Rows,
    ThresholdSearch,
    TrainingUnit,
    read_estimates,
    read_measuring,
    read_measuring_head,
    read_predictions,
    read_training,
    stem,
    write_measuring,
    write_training,
)
from raterbench.datasets import RaterbenchError
from raterbench.methods.fit_report import FitReport, Trial

TRAINED = TrainingUnit(
    SCHEMA, "0123456789abcdef", "done", "", "TGCE(q=0.5)",
    FitReport(
        curve=[(0, 1.0, 2.0)], best_epoch=0, warnings=["look"], stages={"one": FitReport(alarms=["lost"])},
        trials=[Trial({"budget.learning_rate": 0.1, "fusion": "staple"}, 0.5)],
    ),
    ThresholdSearch((0.5, 0.95), (0.1, 0.2), 3, 0.95), 4, 2, 2,
    assignment=np.packbits([1, 0, 1]), predicted=("a/b \u00e9", "c"),
    origin=Origin(1.5, 512.0, {"torch": "2"}, "x86_64", "abc"),
)  # fmt: skip
PREDICTIONS = [StoredPrediction(case, (2, 3), np.full((1, 2, 3), i, np.uint16)) for i, case in enumerate(TRAINED.predicted)]
ESTIMATES = {"c": Estimates(("ada",), np.full((1, 2, 2), np.nan))}
MEASURED = MeasuringUnit(SCHEMA, "0123456789abcdef", (CaseName("c", "s", "here"),), ("it",))
PARTS = {
    "rows/dice/truth/1234": Rows(
        "dice", "", "truth", ("thing",), ("searched", "half"), np.array([[[[0.5, np.nan]]]]), np.ones((1, 1), bool)
    ),
    "calibration/truth": Calibration("truth", ("image",), np.arange(12).reshape(1, 1, 4, 3)),
}


@pytest.fixture
def trained(tmp_path):
    path = tmp_path / "units" / "it.trained.npz"
    write_training(path, TRAINED, PREDICTIONS, ESTIMATES)
    return path


@pytest.fixture
def measured(tmp_path):
    path = tmp_path / "units" / "it.measured.npz"
    write_measuring(path, MEASURED, PARTS)
    return path


def same(one, other):
    return repr(msgspec.to_builtins(one, enc_hook=np.ndarray.tolist)) == repr(
        msgspec.to_builtins(other, enc_hook=np.ndarray.tolist)
    )


def test_a_training_unit_comes_back_as_it_was(trained):
    assert same(read_training(trained, whole=True), TRAINED)
    assert same(read_estimates(trained), ESTIMATES)
    assert same(list(read_predictions(trained, ["c", "a/b \u00e9"])), PREDICTIONS[::-1])
    with pytest.raises(DamagedError, match="gone"):
        next(read_predictions(trained, ["gone"]))


def test_a_measuring_unit_comes_back_as_it_was_whole_or_in_part(measured):
    unit, parts = read_measuring(measured)
    assert same(unit, MEASURED) and same(read_measuring_head(measured), MEASURED)
    assert list(parts) == list(PARTS)
    assert all(same(parts[name], PARTS[name]) for name in PARTS)
    assert list(read_measuring(measured, ["calibration/truth", "raters"])[1]) == ["calibration/truth"]


def test_equal_units_are_equal_files_without_pickles(trained, tmp_path):
    write_training(tmp_path / "again.npz", TRAINED, PREDICTIONS, ESTIMATES)
    assert (tmp_path / "again.npz").read_bytes() == trained.read_bytes()
    with np.load(trained, allow_pickle=False) as stored:
        arrays = [stored[name] for name in stored.files if name.endswith(".npy") or not name.endswith(".json")]
    assert all(np.asarray(array).dtype != object for array in arrays)


@pytest.mark.parametrize("odd", [np.array([{}, None]), object(), b"bytes", {1, 2}])
def test_what_cannot_be_stored_leaves_nothing(tmp_path, odd):
    if isinstance(odd, bytes | set):
        write_archive(tmp_path / "plain.npz", {"part": {"odd": odd}})  # msgspec writes them as text and list.
        return
    with pytest.raises(TypeError, match="cannot be stored"):
        write_archive(tmp_path / "x.npz", {"part": {"odd": odd}})
    assert not list(tmp_path.rglob("*.*"))


def test_a_write_that_fails_keeps_the_old_file_and_leaves_no_other(trained, tmp_path, monkeypatch):
    before = trained.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RaterbenchError, match=rf"{trained.name} cannot be written: No space .* make room on the disk"):
        write_training(trained, TRAINED, (), {})
    with pytest.raises(RaterbenchError, match=r"experiment.json cannot be written: No space"):
        write_json(tmp_path / "experiment.json", {})
    assert trained.read_bytes() == before
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == [trained.name]


@pytest.mark.parametrize("kind", ["trained", "measured"])
def test_every_cut_of_a_file_is_noticed(kind, request):
    path = request.getfixturevalue(kind)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        assert read_training(path) is None and read_measuring(path) is None, length


@pytest.mark.parametrize("kind", ["trained", "measured"])
def test_no_altered_byte_stops_the_reader_or_goes_unseen(kind, request):
    path = request.getfixturevalue(kind)
    whole = bytearray(path.read_bytes())
    for position in range(0, len(whole), 3):
        altered = whole.copy()
        altered[position] ^= 0xFF
        path.write_bytes(altered)
        # Dates in the archive's list of contents, say, mean nothing: what is read in spite of it is as it was.
        if (found := read_training(path, whole=True)) is not None:
            assert same(found, TRAINED)
        if (read := read_measuring(path)) is not None:
            assert same(read[0], MEASURED) and all(same(part, PARTS[name]) for name, part in read[1].items())
            assert list(read[1]) == list(PARTS)


def test_what_is_no_unit_reads_as_none(tmp_path):
    path = tmp_path / "x.npz"
    assert read_training(path) is None
    for content in (b"", b"text", b"\x93NUMPY"):
        path.write_bytes(content)
        assert read_training(path) is None and read_measuring(path) is None


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to(path)], ids=["pipe", "folder", "loop"])
def test_what_cannot_be_opened_is_no_damaged_unit_and_is_named(tmp_path, make):
    make(tmp_path / "x.npz")
    for read in (read_training, read_measuring, read_measuring_head):
        with pytest.raises(RaterbenchError, match=r"x\.npz is a (pipe|folder|link)"):
            read(tmp_path / "x.npz")


def test_a_unit_that_may_not_be_read_is_no_damaged_unit(trained, monkeypatch):
    def refuse(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(RaterbenchError, match="may not be read by you: ask for the right"):
        read_training(trained)


@pytest.mark.parametrize(
    "changes", [{"schema": SCHEMA + 1}, {"status": "unknown"}, {"n_train": "x"}, {"report": []}, {"assignment": None, "key": 1}]
)
def test_another_schema_or_kind_of_value_reads_as_none(trained, changes):
    values = {**vars(TRAINED), **changes}
    write_archive(trained, {"unit": values, "estimates": {}})
    assert read_training(trained) is None


def test_arrays_of_another_kind_read_as_none(tmp_path):
    floats = Calibration("truth", ("image",), np.zeros((1, 1, 4, 3)))
    write_measuring(tmp_path / "x.npz", MEASURED, {"calibration/truth": floats})
    assert read_measuring(tmp_path / "x.npz") is None


def test_predictions_that_are_not_listed_or_are_missing_are_damage(tmp_path):
    write_training(tmp_path / "x.npz", TRAINED, PREDICTIONS[:1], ESTIMATES)
    assert read_training(tmp_path / "x.npz") is None


def test_a_pickle_is_not_opened(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, **{"unit.json": np.array([{"a": 1}], dtype=object)})
    assert zipfile.is_zipfile(path)
    assert read_training(path) is None


def test_an_archive_says_what_it_holds(measured):
    with Archive(measured) as archive:
        assert archive.parts == ["unit", *PARTS]
        archive.verify()


def test_small_parts_stand_in_the_list_of_contents_and_large_ones_have_members(tmp_path):
    large = Calibration("truth", ("image",), np.arange(1200).reshape(1, 1, 400, 3))
    long = FitReport(warnings=["a long warning"] * 1000)
    parts = {"first": ESTIMATES, "large": large, "long": long, "last": MEASURED}
    write_archive(tmp_path / "x.npz", parts)
    with zipfile.ZipFile(tmp_path / "x.npz") as members:
        assert members.namelist() == ["large.json", "large.0.npy", "long.json", "contents.json"]
    with Archive(tmp_path / "x.npz") as archive:
        archive.verify()
        assert archive.parts == list(parts)
        assert same(archive.read("first", dict[str, Estimates]), ESTIMATES) and same(
            archive.read("last", MeasuringUnit), MEASURED
        )
        assert same(archive.read("large", Calibration), large) and same(archive.read("long", FitReport), long)
        with pytest.raises(DamagedError, match="gone"):
            archive.read("gone", FitReport)


def older(path):
    """Write an archive anew as it was written before small parts stood in the list of contents."""
    with zipfile.ZipFile(path) as stored:
        contents = json.loads(stored.read("contents.json"))
        members = {f"{name}.json": json.dumps(part) for name, part in contents["parts"].items() if part is not None}
        members |= {name: stored.read(name) for name in contents["members"]}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr("contents.json", json.dumps(list(members)))


def test_older_files_with_a_member_for_each_part_are_read(trained, measured):
    older(trained)
    older(measured)
    with zipfile.ZipFile(measured) as members:
        assert members.namelist() == ["unit.json", *(f"{name}.json" for name in PARTS), "contents.json"]
    assert same(read_training(trained, whole=True), TRAINED) and same(read_estimates(trained), ESTIMATES)
    assert same(list(read_predictions(trained, TRAINED.predicted)), PREDICTIONS)
    unit, parts = read_measuring(measured)
    assert same(unit, MEASURED) and list(parts) == list(PARTS) and all(same(parts[name], PARTS[name]) for name in PARTS)


def test_names_are_safe_short_and_differ():
    stems = {
        stem(name, 0, 0, key)
        for name in ("TGCE_ss 50% & more", "TGCE ss 50 more", "../up", "a/b", "é", "x" * 400)
        for key in ("a" * 24, "b" * 24)
    }
    assert len(stems) == 12
    assert {Path(name).name for name in stems} == stems
    assert max(map(len, stems)) < 100
