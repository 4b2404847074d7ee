"""Experiments as files: shipped ones by name, others by path, each on top of the one that it extends."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..datasets.errors import RaterbenchError, nearest

DATASET = "phantom"
"""The data set of an experiment that names none: the embedded one."""
OF_DATASET = ("dataset_options", "preparation", "published")
"""What is said about one data set and holds for no other."""


def shipped() -> list[str]:
    """Names of the experiments that come with raterbench."""
    return sorted(
        p.name.removesuffix(".toml") for p in (files(__package__) / "experiments").iterdir() if p.name.endswith(".toml")
    )


def read_values(name: str, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """The plain values of a shipped experiment or a TOML file, on top of those that it ``extends``; ``name`` is its own.

    The file's own keys win, tables are merged key by key, lists are replaced as a whole. A file with another data set keeps
    nothing that was said of the first one (``OF_DATASET``). Paths in a file are beside it. ``above`` are the files that
    extend this one, the first one first.

    Raises:
        RaterbenchError: no such experiment, the file is no TOML, or it extends itself in the end.
    """
    identity = name if name in shipped() else str(Path(name).resolve())
    if identity in above:
        circle = " extends ".join(Path(i).name for i in (*above[above.index(identity) :], identity))
        raise RaterbenchError(f"experiments extend each other in a circle: {circle}")
    own, folder = _read_toml(name), Path(identity).parent
    if name not in shipped():
        _place_beside(own, folder)
    own.setdefault("name", Path(name).stem)
    base = own.pop("extends", "")
    if not isinstance(base, str):
        raise RaterbenchError(f"{name}: extends = {base!r} must be a text in quotes: a shipped experiment or a TOML file")
    if not base:
        return own
    inherited = read_values(base if base in shipped() else str(folder / base), (*above, identity))
    below = inherited.get("dataset", DATASET)
    if own.get("dataset", below) != below:
        inherited = {key: value for key, value in inherited.items() if key not in OF_DATASET}
    return _merged(inherited, own)


def _merged(below: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    both = {**below, **own}
    for key, value in own.items():
        under = below.get(key)
        if isinstance(value, Mapping) and isinstance(under, Mapping):
            both[key] = _merged(under, value)
    return both


def _read_toml(name: str) -> dict[str, Any]:
    path = Path(name)
    try:
        if name in shipped():
            return tomllib.loads((files(__package__) / "experiments" / f"{name}.toml").read_text(encoding="utf-8"))
        if path.suffix == ".toml" and path.is_file():
            return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RaterbenchError(f"{name} is not valid TOML: {error}") from error
    raise RaterbenchError(f"{name!r} is neither a shipped experiment nor a TOML file{nearest(path.name, shipped())}")


def _place_beside(values: dict[str, Any], folder: Path) -> None:
    """Make the paths in a file independent of where the command is given."""
    plugins, split = values.get("plugins"), values.get("split")
    if isinstance(plugins, list):
        values["plugins"] = [str(folder / p) if isinstance(p, str) else p for p in plugins]
    if isinstance(split, dict) and isinstance(split.get("manifest"), str) and split["manifest"]:
        split["manifest"] = str(folder / split["manifest"])
