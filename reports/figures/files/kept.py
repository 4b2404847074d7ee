"""Figures of an earlier report that are used again: their words lie beside their files, with what they were made from."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import msgspec

from ....benchmark.store.completeness import not_a_file
from ....benchmark.store.own_files import WrittenFiles
from .drawn_figure import FORMS, DrawnFigure

WORDS = "figures/figures.json"
"""The title, the caption, the description and the picture on the page of each figure."""
LIBRARIES = ("matplotlib", "numpy", "pandas", "scipy", "seaborn", "pillow", "fonttools")
SOURCE = ("*.py", *(f"{room}/**/*.py" for room in ("datasets", "methods", "benchmark", "reports")))
"""The package's files: all, so that none that figures depend on can be forgotten."""
STORED = ("experiment.json", "declaration.json", "splits.json")
ARCHIVES = ("references", "units")
"""The files of an experiment that figures depend on, and the folders whose archives they depend on."""
TAIL = 4096
"""Bytes at the end of an archive that are read at once; the directory of most is among them."""


END = struct.Struct("<4s8xIIH")
"""The last bytes of a zip archive: its mark, the size of its directory, and where the directory starts."""


class _Words(msgspec.Struct):
    name: str
    title: str
    caption: str
    alt: str
    width: float
    picture: bytes


class _Kept(msgspec.Struct):
    made_from: str
    figures: list[_Words]


def origin_of_figures(folder: Path, protocol: str) -> str:
    """A hash of all that the figures of an experiment depend on: its files, the protocol, the source, and the libraries.

    The same results give the same hash on every machine. Of archives only the directory is read, which has a checksum of each
    part: a unit may be large.
    """
    digest, package = hashlib.sha256(), Path(__file__).parents[3]
    digest.update(repr([protocol, *((name, version(name)) for name in LIBRARIES)]).encode())
    for file in sorted({file for pattern in SOURCE for file in package.glob(pattern)}):
        digest.update(f"\0{file.relative_to(package).as_posix()}\0".encode() + file.read_bytes())
    for name in STORED:
        if (folder / name).exists() and not not_a_file(folder / name):
            digest.update(f"\0{name}\0".encode() + (folder / name).read_bytes())
    for room in ARCHIVES:
        for name in _archives(folder / room):
            digest.update(f"\0{room}/{name}\0".encode() + _directory(f"{folder}/{room}/{name}"))
    return digest.hexdigest()


def _archives(folder: Path) -> list[str]:
    """The names of the archives in a folder, sorted; links, pipes and folders are none."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.name.endswith(".npz") and entry.is_file(follow_symlinks=False))


def _directory(file: str) -> bytes:
    """The directory at the end of a zip archive, with a checksum of each part; of any other file, all of it."""
    # Of some ten thousand files, a path object for each would take as long as the reading.
    with open(file, "rb") as stream:  # noqa: PTH123
        first = max(0, stream.seek(0, os.SEEK_END) - TAIL)
        stream.seek(first)
        tail = stream.read()
        mark, size, start, _ = END.unpack(tail[-END.size :].rjust(END.size, b"\0"))
        if mark == b"PK\5\6" and first <= start < 0xFFFFFFFF:
            return tail[start - first :][:size]
        is_archive = mark == b"PK\5\6" and start < 0xFFFFFFFF
        stream.seek(start if is_archive else 0)
        return stream.read(size) if is_archive else stream.read()


def words_file(figures: Sequence[DrawnFigure], made_from: str) -> dict[str, bytes]:
    """The words of all figures, as a file by its name relative to the report."""
    words = [_Words(f.name, f.title, f.caption, f.alt, f.width, f.picture) for f in figures]
    return {WORDS: msgspec.json.format(msgspec.json.encode(_Kept(made_from, words)), indent=1) + b"\n"}


def kept_figures(written: WrittenFiles, made_from: str) -> list[DrawnFigure] | None:
    """The figures that lie in a folder; None unless all are there, unchanged, and were made from the same as now."""
    try:
        kept = msgspec.json.decode(written.unchanged([WORDS]).get(WORDS, b""), type=_Kept)
    except msgspec.MsgspecError:
        return None
    if kept.made_from != made_from:
        return None
    files = {(words.name, ending): f"figures/{words.name}.{ending}" for words in kept.figures for ending in FORMS}
    found = written.unchanged(files.values())
    if len(found) < len(files):
        return None
    forms = {w.name: {ending: found[files[w.name, ending]] for ending in FORMS} for w in kept.figures}
    return [DrawnFigure(w.name, w.title, w.caption, w.alt, w.width, forms[w.name], w.picture) for w in kept.figures]
