"""Files of a report that raterbench wrote into a folder, listed with checksums: it replaces and removes no others."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from filelock import lock_descriptor

from ...errors import RaterbenchError, shown
from ...parameters import allows
from ...text_files import LARGEST_WRITTEN, parse_json, read_text
from ...whole_files import move, naming, remove_leftovers, staging

LIST = ".raterbench-written.json"
"""The list's name: hidden, so that nobody takes it for data, and nobody else's."""
LINK = "is a link, and nothing is written through links or over them"
DEEPEST = 2
"""Parts of a name in the list at most: a folder and a file."""

Sums = Mapping[str, Sequence[str]]


class WrittenFiles:
    """The files of one kind in a folder, by their names relative to it, with the checksums that they were written with.

    Args:
        folder: Where they lie; it need not be there yet. It may be a link to another disk, but no folder within it may.
        kind: What was written, such as ``"report"``: a folder holds files of one kind.
    """

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder, self.kind = folder, kind

    def check(self, names: Iterable[str]) -> None:
        """Whether these names can be written without a loss: nothing is there, or what is listed, and unchanged.

        Raises:
            RaterbenchError: something else is in the way; the first of it is named, with the mend.
        """
        sums = self._listed()
        found = dict.fromkeys(obstacle for name in names if (obstacle := self._obstacle(name, sums)))
        if not found:
            return
        (first, reason), *others = found
        mend = "move it elsewhere, or give another folder"
        mend += "" if sums else ", or delete it if an earlier version of raterbench wrote it"
        more = f" ({len(others)} more in the folder, too)" if others else ""
        raise RaterbenchError(f"{self.folder / first} {reason}{more}: {mend}")

    def unchanged(self, names: Iterable[str]) -> dict[str, bytes]:
        """What those of the files hold that are listed and were not changed since they were written."""
        sums = self._listed()
        there = [name for name in names if name in sums and _mode(self.folder / name)]
        return {name: (self.folder / name).read_bytes() for name in there if self._obstacle(name, sums) is None}

    def write(self, contents: Mapping[str, bytes], *, only: bool = False) -> None:
        """Write files together: all are on the disk before the first takes its place.

        ``only``: what was listed before and is not among them is removed, unless it was changed since.

        Raises:
            RaterbenchError: something else is in the way, or a file cannot be written; nothing is changed then.
        """
        with naming(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            remove_leftovers(self.folder)
            with staging(self.folder) as staged:
                files = {name: staged / str(number) for number, name in enumerate(contents)}
                for name, file in files.items():
                    with naming(self.folder / name):
                        file.write_bytes(contents[name])
                self.move_here(files, only=only)

    def move_here(self, files: Mapping[str, Path], *, only: bool = False) -> None:
        """Move complete files to their names in the folder; like ``write`` otherwise."""
        new = {name: [_checksum(file)] for name, file in files.items()}
        with naming(self.folder), _one_at_a_time(self.folder), staging(self.folder) as staged:
            self.check(files)
            before = self._listed()
            stale = [name for name in before if only and name not in new and not self._obstacle(name, before)]
            for part in {PurePosixPath(name).parent for name in files}:
                (self.folder / part).mkdir(exist_ok=True)
            # Whoever is killed between two files leaves each with its old or its new content: both are listed before.
            both = {name: [*dict.fromkeys([*before.get(name, ()), *new.get(name, ())])] for name in {**before, **new}}
            self._write_list(staged, both)
            move({self.folder / name: file for name, file in files.items()})
            for name in stale:
                (self.folder / name).unlink(missing_ok=True)
            self._write_list(staged, new if only else {**before, **new})

    def _write_list(self, staged: Path, sums: Sums) -> None:
        text = json.dumps({"kind": self.kind, "files": dict(sorted(sums.items()))}, indent=1)
        (staged / LIST).write_text(text + "\n", encoding="utf-8")
        move({self.folder / LIST: staged / LIST})

    def _listed(self) -> Sums:
        """The names and checksums in the list; none if there is no list."""
        file = self.folder / LIST
        if not os.path.lexists(file):
            return {}
        if file.is_symlink():
            raise RaterbenchError(f"{file} is a link, and raterbench wrote none: delete it, or give another folder")
        try:
            stored = parse_json(read_text(file, "list of files", largest=LARGEST_WRITTEN), str(file))
        except RaterbenchError as error:
            raise RaterbenchError(f"{error}; delete it, or give another folder") from error
        right = isinstance(stored, Mapping) and set(stored) == {"kind", "files"}
        if not right or not allows(Mapping[str, tuple[str, ...]], stored["files"]):
            raise RaterbenchError(f"{file} is no list of files that raterbench wrote: delete it, or give another folder")
        if stored["kind"] != self.kind:
            other = shown(stored["kind"])
            raise RaterbenchError(f"{self.folder} holds the files of a {other}, not of a {self.kind!r}: give another folder")
        return {name: sums for name, sums in stored["files"].items() if _is_plain(name)}

    def _obstacle(self, name: str, sums: Sums) -> tuple[str, str] | None:
        """What is in the way of a file, the name itself or the folder of it, and why; None if nothing is."""
        folder = str(PurePosixPath(name).parent)
        mode = _mode(self.folder / folder) if folder != "." else 0
        if mode and not stat.S_ISDIR(mode):
            return folder, LINK if stat.S_ISLNK(mode) else "is in the way, where a folder goes"
        mode = _mode(self.folder / name)
        if not mode:
            return None
        if not stat.S_ISREG(mode):
            # It is never opened: a pipe would wait for its writer.
            return name, LINK if stat.S_ISLNK(mode) else "is a folder, a pipe or a device, where a file goes"
        if name not in sums:
            return name, "is in the way, and raterbench did not write it"
        return None if _checksum(self.folder / name) in sums[name] else (name, "was changed since raterbench wrote it")


def _is_plain(name: str) -> bool:
    """Whether a name in the list lies within the folder: a list from a stranger may say anything."""
    parts = PurePosixPath(name).parts
    return 0 < len(parts) <= DEEPEST and not {"..", "/"} & set(parts) and "\0" not in name


def _mode(path: Path) -> int:
    """The mode of what lies at a path, a link not followed; 0 if nothing does."""
    try:
        return path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _checksum(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Hold the folder while its list and its files are exchanged, so that two reports at once do not mix."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows opens no folder: nothing to lock there.
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # Some platforms and network file systems have no locks.
            lock_descriptor(descriptor, poll_interval=0.01)
        yield
    finally:
        os.close(descriptor)
