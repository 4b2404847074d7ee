"""Finding things by name: every class of a kind in its folder, in plug-in files, and in other packages' entry points."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import pkgutil
import re
import sys
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Generic, TypeVar

from .errors import RaterbenchError, nearest

T = TypeVar("T")

PLUGIN = "raterbench_plugin_"
"""How the modules of plug-in files are called."""


def kebab(name: str) -> str:
    """``SoftAverage`` -> ``soft-average``, ``STAPLE`` -> ``staple``: how classes are called in TOML and in the shell."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()


class Registry(Generic[T]):
    """All concrete subclasses of ``base`` found in a package's modules, by the kebab-case name of the class.

    A class attribute ``name`` overrides the derived name, and ``listed = False`` keeps a class out, though not its subclasses.
    Modules are imported at the first question, not before; for one name only those whose text speaks of it, if that will do.
    """

    def __init__(self, kind: str, base: type[T], package: str) -> None:
        self.kind, self.base, self.package = kind, base, package
        self._found: dict[str, type[T]] | None = None

    def names(self) -> list[str]:
        """The known names, sorted."""
        return sorted(self._all())

    def get(self, name: str) -> type[T]:
        """The class called ``name`` (in kebab case, or as the class is spelt).

        Raises:
            RaterbenchError: nothing is called so; the nearest known name is given.
        """
        early = self._glance(name) if self._found is None else None
        if early is not None:
            return early
        known = self._all()
        found = known.get(name) or known.get(kebab(name))
        if found is None:
            raise RaterbenchError(f"there is no {self.kind} called {name!r}{nearest(name, known)}")
        return found

    def add(self, module: ModuleType) -> list[type[T]]:
        """Register what a module defines; returns the classes of this kind."""
        classes = self._classes(module)
        for c in classes:
            self._all()[self.name_of(c)] = c
        return classes

    @staticmethod
    def name_of(found: type[T]) -> str:
        """The name a class is found under."""
        own = found.__dict__.get("name")
        return own if isinstance(own, str) else kebab(found.__name__)

    def _classes(self, module: ModuleType) -> list[type[T]]:
        classes = [c for c in _defined(module) if issubclass(c, self.base) and not inspect.isabstract(c)]
        return [c for c in classes if c is not self.base and c.__dict__.get("listed", True)]

    def _glance(self, name: str) -> type[T] | None:
        """The class called ``name``, if a look at the texts tells where it is: a fusion then costs no network's import."""
        if name in {entry.name for entry in entry_points(group=f"raterbench.{self.kind}s")}:
            return None
        package = importlib.import_module(self.package)
        for file in sorted(file for folder in package.__path__ for file in Path(folder).glob("[!_]*.py")):
            text = file.read_text(encoding="utf-8")
            spelt = re.findall(r"^class (\w+)", text, re.MULTILINE)
            named = re.findall(r'^    name(?:: [^=\n]+)? = "([^"\n]+)"', text, re.MULTILINE)
            if kebab(name) in {*map(kebab, spelt), *named}:
                for c in self._classes(importlib.import_module(f"{self.package}.{file.stem}")):
                    if self.name_of(c) in (name, kebab(name)):
                        return c
        return None

    def _all(self) -> dict[str, type[T]]:
        if self._found is None:
            self._found = {}
            package = importlib.import_module(self.package)
            for info in pkgutil.iter_modules(package.__path__):
                if not info.ispkg and not info.name.startswith("_"):
                    self.add(importlib.import_module(f"{self.package}.{info.name}"))
            for entry in entry_points(group=f"raterbench.{self.kind}s"):
                self._found[entry.name] = entry.load()
        return self._found


def _defined(module: ModuleType) -> list[type]:
    return [c for _, c in inspect.getmembers(module, inspect.isclass) if c.__module__ == module.__name__]


def load_plugin(path: str | Path) -> ModuleType:
    """Import a Python file by its path; the same content gives the same module, an edited file a new one.

    Raises:
        RaterbenchError: there is no such file, or it cannot be imported.
    """
    file = Path(path).resolve()
    if not file.is_file():
        raise RaterbenchError(f"plug-in {str(path)!r} is not a file: give the path of a Python file")
    name = f"{PLUGIN}{file.stem}_{hashlib.sha256(str(file).encode() + file.read_bytes()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise RaterbenchError(f"plug-in {str(path)!r} is no Python file: its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise RaterbenchError(f"plug-in {str(path)!r} cannot be imported: {type(error).__name__}: {error}") from error
    return module


def plugin_of(found: type) -> str | None:
    """The plug-in file that defines a class, which another process must load before it can know the class; else None."""
    module = sys.modules[found.__module__]
    return module.__file__ if found.__module__.startswith(PLUGIN) else None
