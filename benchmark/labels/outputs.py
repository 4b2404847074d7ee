"""Writes several output files together: all of them, or none if an error occurs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from ...errors import RaterbenchError
from ...whole_files import move, naming, remove_leftovers, staging
from ..store.own_files import WrittenFiles


class OutputFiles:
    """Provides a temporary file beside each output, and moves all of them to their places at the end of the ``with`` block.

    If the block raises, the files written and the folders made are removed.

    Args:
        inputs: files that no output may overwrite.
    """

    def __init__(self, inputs: Iterable[Path]) -> None:
        # Unlike Path.resolve, it raises nothing at links that go round in a circle.
        self._inputs = {Path(os.path.realpath(file)): file for file in inputs}
        self._places: set[Path] = set()
        self._named: dict[Path, Path] = {}
        self._listed: dict[Path, dict[str, Path]] = {}
        self._staged: dict[Path, Path] = {}
        self._stack = ExitStack()
        self._made: list[Path] = []

    def add(self, target: Path, *, named: bool = True) -> Path:
        """Return the temporary file, with the same name, that becomes ``target``.

        Args:
            target: the output.
            named: the user gave this name, so an existing file may be overwritten. Otherwise only files that raterbench wrote
                may be (``check``).

        Raises:
            RaterbenchError: ``target`` is an input, a folder, wanted twice, or lies where nothing can be written.
        """
        where = Path(os.path.realpath(target))
        if where in self._inputs:
            raise RaterbenchError(f"{target} is one of the inputs: it would be overwritten; give another name")
        if where in self._places:
            raise RaterbenchError(f"{target} is asked for twice: give every output its own name")
        if target.is_dir():
            raise RaterbenchError(f"{target} is a folder: give the name of a file")
        folder = target.parent
        if folder not in self._staged:
            self._make(folder)
            remove_leftovers(folder)
            with naming(folder):
                self._staged[folder] = self._stack.enter_context(staging(folder))
        temporary = self._staged[folder] / target.name
        self._places.add(where)
        if named:
            self._named[target] = temporary
        else:
            self._listed.setdefault(folder, {})[target.name] = temporary
        return temporary

    def check(self) -> None:
        """Raise a RaterbenchError if an output that the user did not name would replace a file of somebody else."""
        for folder, files in self._listed.items():
            WrittenFiles(folder, "fusion").check(files)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self.check()
                move(self._named)
                for folder, files in self._listed.items():
                    WrittenFiles(folder, "fusion").move_here(files)
            elif isinstance(error, RaterbenchError):
                raise RaterbenchError(self._with_places(str(error))) from error
        finally:
            self._stack.close()
            for folder in reversed(self._made):
                if not any(folder.iterdir()):
                    folder.rmdir()

    def _with_places(self, message: str) -> str:
        """Replace the names of temporary files in a message by those of the outputs."""
        listed = {folder / name: file for folder, files in self._listed.items() for name, file in files.items()}
        for target, temporary in (self._named | listed).items():
            message = message.replace(str(temporary), str(target))
        return message

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
