"""What raterbench did not write is never replaced or removed, nor what was changed since."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from raterbench.benchmark.labels.outputs import OutputFiles
from raterbench.benchmark.store import own_files
from raterbench.benchmark.store.own_files import LIST, WrittenFiles
from raterbench.datasets import RaterbenchError

FIRST = {"page.html": b"first", "tables/a.csv": b"1", "tables/b.csv": b"2"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three files as they were written."""
    report(tmp_path / "out").write(FIRST)
    return tmp_path / "out"


def report(folder: Path) -> WrittenFiles:
    return WrittenFiles(folder, "report")


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != LIST}


def test_what_was_written_is_replaced_and_removed_and_nothing_else(folder: Path) -> None:
    (folder / "tables" / "notes.md").write_bytes(b"mine")
    (folder / "fig1.pdf").write_bytes(b"mine")
    report(folder).write({"page.html": b"second", "tables/c.csv": b"3"}, only=True)
    mine = {"fig1.pdf": b"mine", "tables/notes.md": b"mine"}
    assert contents(folder) == {"page.html": b"second", "tables/c.csv": b"3", **mine}
    report(folder).write({"page.html": b"third"})
    assert contents(folder) == {"page.html": b"third", "tables/c.csv": b"3", **mine}


def test_what_was_changed_stays(folder: Path) -> None:
    (folder / "tables" / "a.csv").write_bytes(b"corrected by hand")
    with pytest.raises(RaterbenchError, match=r"tables/a\.csv was changed since raterbench wrote it: move it elsewhere"):
        report(folder).write({"page.html": b"second", "tables/a.csv": b"3"}, only=True)
    assert contents(folder)["page.html"] == b"first"
    report(folder).write({"page.html": b"second"}, only=True)
    assert contents(folder) == {"page.html": b"second", "tables/a.csv": b"corrected by hand"}
    with pytest.raises(RaterbenchError, match=r"tables/a\.csv is in the way, and raterbench did not write it"):
        report(folder).check(["tables/a.csv"])


def link(path: Path) -> None:
    (path.parent / "target").write_text("mine")
    path.symlink_to("target")


@pytest.mark.parametrize(
    "make", [os.mkfifo, os.mkdir, link, lambda path: path.write_text("mine")], ids=["pipe", "folder", "link", "file"]
)
@pytest.mark.parametrize("place", ["page.html", "tables", "new.html", "figures"])
def test_whatever_is_in_the_way_is_named_and_stays(folder: Path, make: Callable[[Path], None], place: str) -> None:
    new = {"page.html": b"second", "tables/a.csv": b"3", "new.html": b"4", "figures/a.png": b"5"}
    if (folder / place).is_dir():
        (folder / place).rename(folder / "away")
    else:
        (folder / place).unlink(missing_ok=True)
    make(folder / place)
    before = contents(folder)
    if make is os.mkdir and place in ("tables", "figures"):
        report(folder).check(new)
        return
    with pytest.raises(RaterbenchError, match=f"{place} (is|was changed since) .*: move it elsewhere, or give another folder"):
        report(folder).write(new, only=True)
    assert contents(folder) == before


def test_a_folder_on_another_disk_may_be_linked(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to("disk")
    for content in (b"first", b"second"):
        report(tmp_path / "out").write({"tables/a.csv": content}, only=True)
    assert contents(tmp_path / "disk") == {"tables/a.csv": b"second"}


def test_whoever_is_killed_in_the_middle_can_go_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    second = {"page.html": b"second", "tables/a.csv": b"3", "new.html": b"4"}
    move, moved = own_files.move, list[Path]()

    def dies(places: dict[Path, Path]) -> None:
        for place, file in places.items():
            if len(moved) == 3:
                raise KeyboardInterrupt
            moved.append(place)
            move({place: file})

    monkeypatch.setattr(own_files, "move", dies)
    with pytest.raises(KeyboardInterrupt):
        report(folder).write(second, only=True)
    monkeypatch.undo()
    assert contents(folder) == {**FIRST, "page.html": b"second", "tables/a.csv": b"3"}
    report(folder).write({"page.html": b"third", "tables/a.csv": b"5"}, only=True)
    assert contents(folder) == {"page.html": b"third", "tables/a.csv": b"5"}


def test_a_list_from_a_stranger_reaches_nothing_outside(folder: Path) -> None:
    mine = folder.parent / "mine.txt"
    mine.write_bytes(b"1")
    stored = json.loads((folder / LIST).read_text())
    [one] = stored["files"]["tables/a.csv"]
    stored["files"] |= {"../mine.txt": [one], str(mine): [one], "tables/../../mine.txt": [one], "nul\0": [one]}
    (folder / LIST).write_text(json.dumps(stored))
    report(folder).write({"page.html": b"second"}, only=True)
    assert mine.read_bytes() == b"1"
    assert contents(folder) == {"page.html": b"second"}


@pytest.mark.parametrize("content", ["", "[]", '{"kind": "report", "files": {"a": 1}}', '{"kind": "fusion", "files": {}}'])
def test_a_list_of_another_form_or_kind_is_a_sentence(folder: Path, content: str) -> None:
    (folder / LIST).write_text(content)
    with pytest.raises(RaterbenchError, match="give another folder"):
        report(folder).write({"page.html": b"second"})
    (folder / LIST).unlink()
    (folder / LIST).symlink_to("page.html")
    with pytest.raises(RaterbenchError, match="is a link"):
        report(folder).write({"page.html": b"second"})
    assert contents(folder)["page.html"] == b"first"


def test_outputs_that_the_user_did_not_name_overwrite_nothing_of_his(tmp_path: Path) -> None:
    def fuse(name: str, content: str) -> None:
        with OutputFiles([]) as outputs:
            file = outputs.add(tmp_path / name, named=False)
            outputs.check()
            file.write_text(content)

    for content in ("first", "second"):
        fuse("a.txt", content)
    assert (tmp_path / "a.txt").read_text() == "second"
    (tmp_path / "a.txt").write_text("corrected by hand")
    (tmp_path / "b.txt").write_text("mine")
    for name, says in (("a.txt", "was changed since"), ("b.txt", "raterbench did not write it")):
        with pytest.raises(RaterbenchError, match=says):
            fuse(name, "third")
    fuse("c.txt", "more")
    assert contents(tmp_path) == {"a.txt": b"corrected by hand", "b.txt": b"mine", "c.txt": b"more"}


def test_errors_name_the_places_of_outputs_and_not_temporary_ones(tmp_path: Path) -> None:
    with pytest.raises(RaterbenchError, match=rf"^{tmp_path}/a\.txt cannot be written$"), OutputFiles([]) as outputs:
        raise RaterbenchError(f"{outputs.add(tmp_path / 'a.txt')} cannot be written")
    assert not list(tmp_path.iterdir())
