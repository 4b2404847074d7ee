"""A run that goes on reads a file of a unit again only if it changed."""

import os

import pytest

from raterbench.benchmark.store.catalogue import FILE, Catalogue
from raterbench.benchmark.store.units import measuring_path, training_path

from ...made_units import MadeUnit, write_measured, write_trained

PARTS = ("rows/dice/truth", "calibration/truth")


@pytest.fixture
def files(tmp_path):
    """The files of a training and a measuring unit, which are a day old."""
    unit = MadeUnit("a").planned
    write_trained(tmp_path, unit, "failed")
    write_measured(tmp_path, unit, PARTS[:1], failed={PARTS[1]: "a reason"})
    made = training_path(tmp_path, unit), measuring_path(tmp_path, unit)
    for file in made:
        os.utime(file, (1e9, 1e9))
    return unit, *made


def spoil(file):
    """Other bytes, with the same size and time."""
    state = file.stat()
    file.write_bytes(bytes(state.st_size))
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))


def test_what_is_known_is_what_the_files_hold(tmp_path, files):
    unit, training, measuring = files
    catalogue = Catalogue(tmp_path)
    trained, measured = catalogue.training(training), catalogue.measuring(measuring)
    assert (trained.key, trained.status) == (unit.key, "failed")
    assert (measured.key, measured.parts, measured.failed) == (unit.key, PARTS[:1], PARTS[1:])
    assert catalogue.training(tmp_path / "units" / "no.trained.npz") is None


def test_a_file_is_read_again_only_if_it_changed(tmp_path, files):
    _, *both = files
    first = Catalogue(tmp_path)
    known = [first.training(both[0]), first.measuring(both[1])]
    first.save()
    for file in both:
        spoil(file)
    second = Catalogue(tmp_path)
    assert [second.training(both[0]), second.measuring(both[1])] == known, "nothing was read"
    for file in both:
        os.utime(file, (1e9 + 1, 1e9 + 1))
    assert second.training(both[0]) is second.measuring(both[1]) is None
    second.save()
    assert Catalogue(tmp_path).files == {}


def test_a_file_that_was_changed_just_now_is_read_the_next_time_too(tmp_path, files):
    _, training, _ = files
    os.utime(training)
    catalogue = Catalogue(tmp_path)
    assert catalogue.training(training) is not None
    catalogue.save()
    spoil(training)
    assert Catalogue(tmp_path).training(training) is None


@pytest.mark.parametrize("content", [b"", b"{", b'{"schema": 1, "files": {}}', b"[]"])
def test_a_damaged_catalogue_or_one_of_another_version_is_none(tmp_path, files, content):
    _, training, _ = files
    (tmp_path / FILE).write_bytes(content)
    assert Catalogue(tmp_path).training(training).status == "failed"
