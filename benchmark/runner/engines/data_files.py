"""The files of a data set on their way to a machine that does not have them, and where they lie there."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ....datasets.base import Dataset
from ....datasets.contents import content_hashes
from ....datasets.downloads import VARIABLE, data_folder
from ....errors import RaterbenchError, shown
from ....whole_files import naming
from ...experiment.experiment import Experiment
from ...store.results_folder import FOLDER

MESSAGE = 2**23
"""Bytes of files that are sent at once."""
TABLES = (".csv", ".tsv", ".txt", ".json", ".xml", ".xlsx", ".toml")
"""How files end from which an index is made. What they say is in the index, so ``source_files`` need not name them."""


@dataclass(frozen=True)
class Piece:
    """A part of a file, by the name that the file has within the data; the last one has the checksum of the whole."""

    name: str
    start: int
    content: bytes
    checksum: str = ""


FileState = tuple[int, str]
"""The size of a file in bytes, and the hash of its content."""


def file_states(files: Mapping[str, Path]) -> dict[str, FileState]:
    """The states of files by the same names. Hashes are remembered, so that unchanged files are read once.

    Raises:
        RaterbenchError: a file cannot be read.
    """
    hashes = content_hashes(list(files.values()))
    try:
        return {name: (file.stat().st_size, found) for (name, file), found in zip(files.items(), hashes, strict=True)}
    except OSError as error:
        raise RaterbenchError(f"{error.filename} cannot be read: {error.strerror or error}") from error


def own_folder(experiment: Experiment) -> str | None:
    """The path of one's own folder of data; None for a data set that is known by name."""
    name, colon, path = experiment.dataset.partition(":")
    if name != "folder":
        return None
    return path if colon else str(experiment.dataset_options.get("path", ""))


def at_place(experiment: Experiment, root: Path) -> Experiment:
    """The experiment with its own folder of data, if it has one, where :class:`DataStore` keeps a copy."""
    path = own_folder(experiment)
    if path is None:
        return experiment
    options = {name: value for name, value in experiment.dataset_options.items() if name != "path"}
    return experiment.replace(dataset=f"{FOLDER}{root / _folder_name(path)}", dataset_options=options)


def files_to_send(dataset: Dataset, experiment: Experiment, data: str | None) -> dict[str, Path]:
    """All files of a data set by the names under which a copy can be opened, with the data folder or one's own as the root.

    Tables that lie among the files of a download go with them.

    Raises:
        RaterbenchError: it has no files, or they lie elsewhere, so that nobody knows where a copy would be looked for.
    """
    files = dataset.source_files()
    path = own_folder(experiment)
    if path is not None:
        return {f"{_folder_name(path)}/{name}": file for name, file in files.items()}
    root = data_folder(data)
    if not files or root is None or not all(_absolute(file).is_relative_to(_absolute(root)) for file in files.values()):
        raise RaterbenchError(
            f"the files of the data set {dataset.name!r} do not lie in the data folder, from where they could be sent: put "
            f"them where --data or {VARIABLE} points here, or on each machine that computes"
        )
    root = _absolute(root)
    named = {_absolute(file).relative_to(root).as_posix(): file for file in files.values()}
    download = Path(os.path.commonpath([(root / name).parent for name in named]))
    if download == root:  # Other data sets may lie beside it.
        return named
    tables = [file for file in sorted(download.rglob("*")) if file.suffix.lower() in TABLES and file.is_file()]
    return {file.relative_to(root).as_posix(): file for file in tables} | named


def pieces(files: dict[str, Path]) -> Iterator[list[Piece]]:
    """The files in messages of at most 8 MB; small files share one.

    Raises:
        RaterbenchError: a file cannot be read any more.
    """
    message: list[Piece] = []
    size = 0
    for name, file in files.items():
        digest, start = hashlib.sha256(), 0
        try:
            with file.open("rb") as stream:
                while True:
                    content = stream.read(MESSAGE - size)
                    digest.update(content)
                    # Shorter than asked for means that the file has ended.
                    ended = len(content) < MESSAGE - size
                    message.append(Piece(name, start, content, digest.hexdigest() if ended else ""))
                    start, size = start + len(content), size + len(content)
                    if size >= MESSAGE:
                        yield message
                        message, size = [], 0
                    if ended:
                        break
        except OSError as error:
            raise RaterbenchError(f"{file} cannot be read: {error.strerror or error}") from error
    if message:
        yield message


class DataStore:
    """Copies of data sets on one machine, each in a folder called by its fingerprint. They are kept for later runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def root(self, fingerprint: str) -> Path:
        """The folder of a copy: what a data folder is, or what holds one's own folder."""
        return self.folder / fingerprint

    def is_complete(self, fingerprint: str) -> bool:
        """Whether all files of a copy have been received."""
        return self._mark(fingerprint).exists()

    def missing(self, fingerprint: str, files: Mapping[str, FileState]) -> list[str]:
        """Which of the files are not there, or are not what they should be. Those of the right size are read.

        Raises:
            RaterbenchError: a file cannot be read.
        """
        places = {name: self.root(fingerprint) / name for name in files}
        there = {name: file for name, file in places.items() if file.is_file() and file.stat().st_size == files[name][0]}
        found = file_states(there)
        return [name for name, state in files.items() if found.get(name) != state]

    def receive(self, fingerprint: str, message: Sequence[Piece]) -> None:
        """Write pieces of files; a file takes its name once it is whole and its checksum is right.

        Raises:
            RaterbenchError: a checksum is wrong, a name leads elsewhere, or the file cannot be written.
        """
        for piece in message:
            if PurePosixPath(piece.name).is_absolute() or ".." in PurePosixPath(piece.name).parts:
                raise RaterbenchError(f"{shown(piece.name)} leads out of the folder of data")
            place = self.root(fingerprint) / piece.name
            # Another process of this machine may receive the same file.
            part = place.with_name(f".{place.name}.{os.getpid()}.part")
            with naming(place):
                place.parent.mkdir(parents=True, exist_ok=True)
                with part.open("r+b" if piece.start else "wb") as stream:
                    stream.seek(piece.start)
                    stream.write(piece.content)
                if piece.checksum:
                    with part.open("rb") as stream:
                        found = hashlib.file_digest(stream, "sha256").hexdigest()
                    if found != piece.checksum:
                        part.unlink()
                        raise RaterbenchError(f"{place} was not received as it was sent: run again")
                    part.replace(place)

    def finish(self, fingerprint: str) -> None:
        """Note that all files of a copy are there."""
        with naming(self._mark(fingerprint)):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._mark(fingerprint).touch()

    def _mark(self, fingerprint: str) -> Path:
        return self.folder / f"{fingerprint}.complete"


def _folder_name(path: str) -> str:
    """What one's own folder is called: a data set without a name of its own is called so, which its seeds know."""
    return Path(path).expanduser().resolve().name


def _absolute(path: Path) -> Path:
    """From the root of the system on; links keep their names."""
    return Path(os.path.abspath(path))  # noqa: PTH100
