"""Finding things by name: every class of a kind in its folders, in plug-in files, and in other packages' entry points."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import pkgutil
import re
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from types import ModuleType
from typing import Generic, TypeVar

from .errors import RaterbenchError, nearest, shown
from .plugin_errors import foreign_code
from .text_files import read_bytes

T = TypeVar("T")

PLUGIN = "raterbench_plugin_"
"""How the modules of plug-in files are called."""


def kebab(name: str) -> str:
    """``SoftAverage`` -> ``soft-average``, ``STAPLE`` -> ``staple``: how classes are called in TOML and in the shell."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()


@cache
def installed(kind: str) -> EntryPoints:
    """What installed packages offer of a kind; for each kind the files of all packages are read once, maybe hundreds."""
    return entry_points(group=f"raterbench.{kind.replace(' ', '_')}s")


class Registry(Generic[T]):
    """All concrete subclasses of ``base`` found in the modules of some packages, by the kebab-case name of the class.

    A class attribute ``name`` overrides the derived name, and ``listed = False`` keeps a class out, though not its subclasses.
    Modules are imported when a name is first asked for: only the one whose text defines the name, or all if none does.
    """

    def __init__(self, kind: str, base: type[T], *packages: str) -> None:
        self.kind, self.base, self.packages = kind, base, packages
        self._found: dict[str, type[T]] | None = None
        self._early: dict[str, type[T] | None] = {}  # what was found before all modules were imported

    def names(self) -> list[str]:
        """The known names, sorted."""
        return sorted(self._all())

    def get(self, name: str) -> type[T]:
        """The class called ``name`` (in kebab case, or as the class is spelt).

        Raises:
            RaterbenchError: nothing is called so; the nearest known name is given.
        """
        if self._found is None:
            if name not in self._early:
                self._early[name] = self._from_text(name)
            if (early := self._early[name]) is not None:
                return early
        known = self._all()
        found = known.get(name) or known.get(kebab(name))
        if found is None:
            raise RaterbenchError(f"there is no {self.kind} called {name!r}{nearest(name, known)}")
        return found

    def add(self, module: ModuleType) -> list[type[T]]:
        """Register what a module defines; returns the classes of this kind. A plug-in file may replace one read before.

        Raises:
            RaterbenchError: the name of a class is no name, or belongs to a class of the package or of the same file.
        """
        classes, own = self._classes(module), dict[str, type[T]]()
        for c in classes:
            own[self.check_free(c, own)] = c
        self._all().update(own)
        return classes

    def check_free(self, found: type[T], besides: Mapping[str, type[T]] | None = None) -> str:
        """The name of a class, which no class of the package, of another package or of those ``besides`` it has.

        Raises:
            RaterbenchError: the name is taken, or cannot be a name.
        """
        name = self.name_of(found)
        known = self._all().get(name)
        taken = (besides or {}).get(name) or (known if known is None or plugin_of(known) is None else None)
        if taken is not None and taken is not found:
            raise RaterbenchError(
                f"{_file_of(found)}: the class {found.__name__} is called {name!r}, as {taken.__module__}.{taken.__name__} is: "
                'give it another name, or the attribute name = "..."'
            )
        return name

    @staticmethod
    def name_of(found: type[T]) -> str:
        """The name a class is found under: its attribute ``name`` if it is a text, else made of the class's own name.

        Raises:
            RaterbenchError: the attribute is no text, or no name that can be written in a TOML file and in a shell.
        """
        own = found.__dict__.get("name")
        if own is None or hasattr(own, "__get__"):
            return kebab(found.__name__)
        if not isinstance(own, str) or not own.strip() or not own.isprintable() or set(own) & set("/\\"):
            raise RaterbenchError(
                f"{_file_of(found)}: the class {found.__name__} has name = {shown(own)}, which must be a text without "
                "slashes, line breaks or other characters that cannot be printed"
            )
        return own

    def _classes(self, module: ModuleType) -> list[type[T]]:
        defined = [c for _, c in inspect.getmembers(module, inspect.isclass) if c.__module__ == module.__name__]
        classes = [c for c in defined if issubclass(c, self.base) and not inspect.isabstract(c)]
        return [c for c in classes if c is not self.base and c.__dict__.get("listed", True)]

    def _from_text(self, name: str) -> type[T] | None:
        """The class called ``name``, if the text of a module defines it: only that module is imported then."""
        if name in installed(self.kind).names:
            return None
        folders = [(package, folder) for package in self.packages for folder in importlib.import_module(package).__path__]
        files = [(package, file) for package, folder in folders for file in sorted(Path(folder).glob("[!_]*.py"))]
        for package, file in files:
            text = file.read_text(encoding="utf-8")
            spelt = re.findall(r"^class (\w+)", text, re.MULTILINE)
            named = re.findall(r'^    name(?:: [^=\n]+)? = "([^"\n]+)"', text, re.MULTILINE)
            if kebab(name) in {*map(kebab, spelt), *named}:
                for c in self._classes(importlib.import_module(f"{package}.{file.stem}")):
                    if self.name_of(c) in (name, kebab(name)):
                        return c
        return None

    def own_modules(self) -> list[ModuleType]:
        """The modules of the packages, imported."""
        infos = [(p, info) for p in self.packages for info in pkgutil.iter_modules(importlib.import_module(p).__path__)]
        names = [f"{p}.{info.name}" for p, info in infos if not info.ispkg and not info.name.startswith("_")]
        return [importlib.import_module(name) for name in names]

    def _all(self) -> dict[str, type[T]]:
        if self._found is None:
            self._found = {}
            for module in self.own_modules():
                self.add(module)
            for entry in installed(self.kind):
                with foreign_code(f"the {self.kind} {entry.name!r} of an installed package ({entry.value}) cannot be imported"):
                    self._found[entry.name] = entry.load()
        return self._found


def load_plugin(path: str | Path) -> ModuleType:
    """Import a Python file by its path; the same content gives the same module, an edited file a new one.

    Raises:
        RaterbenchError: there is no such file, or it cannot be imported; the reason and the line are named.
    """
    named = f"plug-in {shown(str(path))}"
    content = read_bytes(Path(path), "plug-in")
    if Path(path).suffix != ".py":
        raise RaterbenchError(f"{named} is no Python file: its name must end in .py")
    file = Path(path).resolve()
    name = f"{PLUGIN}{file.stem}_{hashlib.sha256(str(file).encode(errors='surrogateescape') + content).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with foreign_code(f"{named} cannot be imported"):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _file_of(found: type) -> str:
    """The file that defines a class, for a message."""
    return getattr(sys.modules.get(found.__module__), "__file__", None) or found.__module__


def plugin_of(found: type) -> str | None:
    """The plug-in file that defines a class, which another process must load before it can know the class; else None."""
    return sys.modules[found.__module__].__file__ if found.__module__.startswith(PLUGIN) else None
