import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from raterbench.datasets import Folder, Geometry, RaterbenchError, RatingFolder
from raterbench.datasets.images import write_labels
from raterbench.paths import LARGEST, path_kind, read_text

THERE = {
    "a pipe": (os.mkfifo, "is a pipe"),
    "a folder": (Path.mkdir, "is a folder"),
    "a link to itself": (lambda path: path.symlink_to(path.name), "leads back to itself"),
    "a link to nothing": (lambda path: path.symlink_to("gone"), "is a link to gone, which is not there"),
    "a link to nothing far away": (lambda path: path.symlink_to("../.git/annex/objects/x"), "which is not there"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "is a device"),
}


@pytest.fixture
def folder(tmp_path) -> Path:
    for part in ("images", "ratings/anna", "ratings/ben"):
        (tmp_path / part).mkdir(parents=True)
        write_labels(tmp_path / part / "a.png", np.eye(4, dtype=np.uint8), Geometry.axis_aligned(2))
    return tmp_path


@pytest.mark.parametrize("kind", [Folder, RatingFolder])
@pytest.mark.parametrize("name", ["dataset.toml", "cases.csv"])
@pytest.mark.parametrize(("make", "words"), THERE.values(), ids=THERE)
def test_tables_that_are_there_and_cannot_be_read_are_no_secret(folder, kind, name, make, words):
    make(folder / name)
    with pytest.raises(RaterbenchError, match=rf"{name} .*{words}|{name} {words}"):
        kind(folder)


@pytest.mark.parametrize("kind", [Folder, RatingFolder])
@pytest.mark.parametrize("name", ["ratings/anna/b.png", "ratings/carl", "ratings/anna", "images/b.png"])
@pytest.mark.parametrize("which", ["a pipe", "a link to itself", "a link to nothing", "a device"])
def test_ratings_that_cannot_be_read_are_no_missing_raters(folder, kind, name, which):
    make, words = THERE[which]
    if (folder / name).is_dir():
        (folder / name).rename(folder / "elsewhere")
    make(folder / name)
    with pytest.raises(RaterbenchError, match=words):
        kind(folder)


def test_a_folder_in_the_place_of_a_file_is_named(folder):
    (folder / "ratings" / "anna" / "b.png").mkdir()
    with pytest.raises(RaterbenchError, match=r"b\.png is a folder"):
        RatingFolder(folder)


def test_what_nobody_may_read_is_named():
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody who may not read a file")
    with tempfile.TemporaryDirectory() as place:
        file, inner = Path(place) / "dataset.toml", Path(place) / "inner"
        file.write_text("name = 'x'")
        inner.mkdir()
        (inner / "cases.csv").write_text("case\n")
        for path, mode in ((Path(place), 0o755), (file, 0o600), (inner, 0o600)):
            path.chmod(mode)
        os.seteuid(65534)
        try:
            with pytest.raises(RaterbenchError, match=r"dataset\.toml may not be read by you"):
                read_text(file)
            with pytest.raises(RaterbenchError, match=r"cases\.csv may not be read by you"):
                read_text(inner / "cases.csv")
        finally:
            os.seteuid(0)


def test_what_is_not_there_is_nothing(tmp_path):
    assert path_kind(tmp_path / "none") == "nothing"
    assert path_kind(tmp_path / "none" / "below") == "nothing"
    assert read_text(tmp_path / "none") is None
    with pytest.raises(RaterbenchError, match="cannot be read"):
        path_kind(tmp_path / ("n" * 5000))
    with pytest.raises(RaterbenchError, match="cannot be read"):
        path_kind(tmp_path / "a\0b")


def test_a_text_of_gigabytes_is_refused_before_it_is_read(tmp_path):
    with (tmp_path / "cases.csv").open("wb") as file:
        file.truncate(40 * LARGEST)
    with pytest.raises(RaterbenchError, match="bytes: a text of at most"):
        read_text(tmp_path / "cases.csv")
