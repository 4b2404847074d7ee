"""Figures of an earlier report that are used again: their words lie beside their files, with what they were made from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import msgspec

from ....benchmark.store.own_files import WrittenFiles
from .drawn_figure import FORMS, DrawnFigure

WORDS = "figures/figures.json"
"""The title, the caption and the description of each figure."""
LIBRARIES = ("matplotlib", "numpy", "pandas", "scipy", "seaborn", "pillow")
SOURCE = ("*.py", "benchmark/**/*.py", "reports/**/*.py")
"""The package's files that figures depend on."""
STORED = ("experiment.json", "declaration.json", "splits.json", "units/*", "references/*")
"""The files of an experiment that figures depend on."""


class _Words(msgspec.Struct):
    name: str
    title: str
    caption: str
    alt: str
    width: float


class _Kept(msgspec.Struct):
    made_from: str
    figures: list[_Words]


def origin_of_figures(folder: Path, protocol: str) -> str:
    """A hash of all that the figures of an experiment depend on: its files, the protocol, the source, and the libraries.

    Of a stored unit it is the size and the time of its last change, as ``make`` has it: a unit may be large.
    """
    digest, package = hashlib.sha256(), Path(__file__).parents[3]
    digest.update(repr([protocol, *((name, version(name)) for name in LIBRARIES)]).encode())
    for file in sorted({file for pattern in SOURCE for file in package.glob(pattern)}):
        digest.update(f"\0{file.relative_to(package).as_posix()}\0".encode() + file.read_bytes())
    for file in sorted({file for pattern in STORED for file in folder.glob(pattern)}):
        state = file.lstat()
        digest.update(f"\0{file.relative_to(folder).as_posix()}\0{state.st_size}\0{state.st_mtime_ns}".encode())
    return digest.hexdigest()


def words_file(figures: Sequence[DrawnFigure], made_from: str) -> dict[str, bytes]:
    """The words of all figures, as a file by its name relative to the report."""
    words = [_Words(figure.name, figure.title, figure.caption, figure.alt, figure.width) for figure in figures]
    return {WORDS: msgspec.json.format(msgspec.json.encode(_Kept(made_from, words)), indent=1) + b"\n"}


def kept_figures(written: WrittenFiles, made_from: str) -> list[DrawnFigure] | None:
    """The figures that lie in a folder; None unless all are there, unchanged, and were made from the same as now."""
    try:
        kept = msgspec.json.decode(written.unchanged(WORDS) or b"", type=_Kept)
    except msgspec.MsgspecError:
        return None
    if kept.made_from != made_from:
        return None
    figures = []
    for words in kept.figures:
        forms = {ending: written.unchanged(f"figures/{words.name}.{ending}") for ending in FORMS}
        whole = {ending: content for ending, content in forms.items() if content is not None}
        if len(whole) < len(forms):
            return None
        figures.append(DrawnFigure(words.name, words.title, words.caption, words.alt, words.width, whole))
    return figures
