"""Files that appear together or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from ..datasets.errors import RaterbenchError


class Outputs:
    """Gives every file to write a temporary name beside its own, and renames all of them once everything is done.

    Where the block ends in an error, what was written and the folders that were made are gone again.

    Args:
        inputs: Files that no output may overwrite.
    """

    def __init__(self, inputs: Iterable[Path]) -> None:
        # Unlike Path.resolve, it raises nothing at links that go round in a circle.
        self._inputs = {Path(os.path.realpath(file)): file for file in inputs}
        self._places: dict[Path, Path] = {}
        self._made: list[Path] = []

    def add(self, target: Path) -> Path:
        """The temporary file, with the same ending, that becomes ``target``.

        Raises:
            RaterbenchError: ``target`` is an input, a folder, wanted twice, or lies where nothing can be written.
        """
        where = target.resolve()
        if where in self._inputs:
            raise RaterbenchError(f"{target} is one of the inputs: it would be overwritten; give another name")
        if any(where == known.resolve() for known in self._places):
            raise RaterbenchError(f"{target} is asked for twice: give every output its own name")
        if target.is_dir():
            raise RaterbenchError(f"{target} is a folder: give the name of a file")
        self._make(target.parent)
        temporary = target.with_name(f".{os.getpid()}-{target.name}")
        self._places[target] = temporary
        return temporary

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            for target, temporary in self._places.items():
                temporary.replace(target)
            return
        for temporary in self._places.values():
            temporary.unlink(missing_ok=True)
        for folder in reversed(self._made):
            if not any(folder.iterdir()):
                folder.rmdir()

    def _make(self, folder: Path) -> None:
        missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        try:
            for new in reversed(missing):
                new.mkdir()
                self._made.append(new)
        except OSError as error:
            raise RaterbenchError(f"{folder} cannot be made: {error.strerror}") from error
        if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            raise RaterbenchError(f"{folder} is no folder that can be written to")
