"""Finds the local modules that a plug-in imports, directly or not: its results depend on them, too."""

from __future__ import annotations

import ast
import importlib.util
import sysconfig
from collections.abc import Iterable, Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

PACKAGE = __package__.partition(".")[0]
LIBRARY_FOLDERS = ("site-packages", "dist-packages")


def with_local_modules(files: Iterable[Path]) -> list[Path]:
    """The files, and what they import, directly or not, but not of the standard library, site-packages and this package.

    They are found in the text, without running it: imports within functions and ``import_module("...")`` count, names that are
    computed at run time are not found. A module beside the importing file comes first, whatever the search path is.
    """
    found: dict[Path, None] = {}
    waiting = [file.resolve() for file in files]
    while waiting:
        file = waiting.pop(0)
        if file not in found:
            found[file] = None
            waiting += [other for other in _imported(file) if _is_own(other)] if _is_own(file) else []
    return list(found)


def _imported(file: Path) -> Iterator[Path]:
    """The files of the modules that a file names in its imports, as far as they are Python files."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files_of(alias.name.split("."), file.parent)
        elif isinstance(node, ast.ImportFrom):
            parts = node.module.split(".") if node.module else []
            folder = file.parents[node.level - 1] if 0 < node.level <= len(file.parents) else file.parent
            for alias in node.names:
                yield from _files_of([*parts, alias.name], folder, relative=node.level > 0)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__") and isinstance(name := node.args[0].value, str):
                yield from _files_of(name.lstrip(".").split("."), file.parent)


def _files_of(parts: list[str], folder: Path, *, relative: bool = False) -> Iterator[Path]:
    """The files that an import of ``parts`` runs; the last part may be no module but a name in one."""
    if parts[0] == PACKAGE and not relative:
        return
    places = [folder]
    if not relative and not _module(folder / parts[0]) and not (folder / parts[0]).is_dir():
        spec = _spec(parts[0])
        if spec is None:
            return
        if spec.origin and spec.origin.endswith(".py"):
            yield Path(spec.origin).resolve()
        places, parts = [Path(place) for place in spec.submodule_search_locations or []], parts[1:]
    elif relative and (package := folder / "__init__.py").is_file():
        yield package.resolve()
    for part in parts:
        for place in places:
            if (module := _module(place / part)) is not None:
                yield module.resolve()
        places = [place / part for place in places if (place / part).is_dir()]


def _module(stem: Path) -> Path | None:
    """The file of the package or the module of this name."""
    return next((file for file in (stem / "__init__.py", stem.with_name(f"{stem.name}.py")) if file.is_file()), None)


def _spec(name: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None


def _is_own(file: Path) -> bool:
    """Whether a file belongs to no library: versions of those are stored."""
    if any(part in LIBRARY_FOLDERS for part in file.parts):
        return False
    return not any(file.is_relative_to(Path(sysconfig.get_path(kind)).resolve()) for kind in ("stdlib", "platstdlib"))
