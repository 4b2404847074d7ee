"""Files are written whole or not at all, never through a link, and a full disk is named."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from raterbench.datasets import RaterbenchError
from raterbench.whole_files import remove_leftovers, replacing, replacing_file, staging


def write(path: Path, content: bytes) -> None:
    with replacing(path) as file:
        file.write_bytes(content)


@pytest.fixture
def little_room() -> Iterator[None]:
    """No file may become larger than 4096 bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_takes_its_place_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    with replacing(path) as file:
        file.write_bytes(b"whole")
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    with pytest.raises(KeyboardInterrupt), replacing(path) as file:
        file.write_bytes(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"whole"
    assert list(path.parent.iterdir()) == [path]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "a.txt").symlink_to("mine")
    write(tmp_path / "a.txt", b"new")
    assert (tmp_path / "mine").read_text() == "mine"
    assert not (tmp_path / "a.txt").is_symlink()


def test_what_does_not_fit_is_named_and_changes_nothing(tmp_path: Path, little_room: None) -> None:
    path = tmp_path / "a.txt"
    write(path, b"old")
    with pytest.raises(RaterbenchError, match=r"a\.txt cannot be written: File too large; allow larger files"):
        write(path, bytes(5000))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("x" * 300, "x cannot be written: File name too long; give a shorter name"),
        ("file/a.txt", r"a\.txt cannot be written: File exists; a file is where a folder is needed"),
        ("folder", r"folder cannot be written: Is a directory; a folder is where the file goes"),
        ("/proc/no/such/place", "place cannot be written: "),
    ],
)
def test_every_error_names_the_file_and_the_mend(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(RaterbenchError, match=says):
        write(tmp_path / name, b"")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "folder"]


def test_leftovers_of_killed_processes_go_and_nothing_else(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from raterbench.whole_files import staging\n"
        "with staging(Path(sys.argv[1])) as folder: (folder / 'half').write_text('half'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    [left] = tmp_path.iterdir()
    # As it would be called by another machine, by somebody else's program, and by us if it were no folder.
    node, process, rest = left.name.removeprefix(".").split("-", 2)
    others = [tmp_path / f".elsewhere-{process}-{rest}", tmp_path / ".mail.tmp", tmp_path / ".mine.raterbench-tmp"]
    for other in others:
        other.mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "photo").write_text("mine")
    others += [tmp_path / f".{node}-{process}-file.raterbench-tmp", tmp_path / f".{node}-{process}-link.raterbench-tmp"]
    others[-2].write_text("mine")
    others[-1].symlink_to(tmp_path / "mine")
    with staging(tmp_path) as used:
        remove_leftovers(tmp_path)
        assert set(tmp_path.iterdir()) == {*others, used, tmp_path / "mine"}
    os.utime(others[0], (0, 0))
    remove_leftovers(tmp_path)
    assert set(tmp_path.iterdir()) == {*others[1:], tmp_path / "mine"}
    assert (tmp_path / "mine" / "photo").read_text() == "mine"


def test_a_file_that_a_killed_process_left_goes_and_nothing_like_it(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from raterbench.whole_files import replacing_file\n"
        "with replacing_file(Path(sys.argv[1]) / 'a') as stream: stream.write(b'half'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    [left] = tmp_path.iterdir()
    node, process, rest = left.name.removeprefix(".").split("-", 2)
    others = [tmp_path / f".{node}-{process}-{kind}.raterbench-new" for kind in ("folder", "link")]
    others += [tmp_path / f".elsewhere-{process}-{rest}", tmp_path / "mine.raterbench-new"]
    others[0].mkdir()
    others[1].symlink_to(tmp_path / "mine.raterbench-new")
    for other in others[2:]:
        other.write_text("mine")
    remove_leftovers(tmp_path)
    assert set(tmp_path.iterdir()) == set(others)


def test_an_open_file_is_moved_to_its_place_whole_or_not_at_all(tmp_path: Path) -> None:
    place = tmp_path / "folder" / "a"
    with replacing_file(place) as stream:
        stream.write(b"first")
        assert not place.exists()
    with pytest.raises(KeyboardInterrupt), replacing_file(place) as stream:
        stream.write(b"second")
        raise KeyboardInterrupt
    assert [entry.name for entry in place.parent.iterdir()] == ["a"]
    assert place.read_bytes() == b"first"
    # As any file that this user writes.
    (tmp_path / "b").write_bytes(b"")
    assert place.stat().st_mode == (tmp_path / "b").stat().st_mode
    (tmp_path / "file").write_text("")
    with pytest.raises(RaterbenchError, match="a file is where a folder is needed"), replacing_file(tmp_path / "file" / "a"):
        pass
