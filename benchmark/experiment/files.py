"""Experiments as files: shipped ones by name, others by path, each on top of the one that it extends."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from ...errors import RaterbenchError, nearest, shown
from ...text_files import parse_toml, read_text
from .splits.settings import SHARED_KEYS

SHIPPED = files(__package__.rpartition(".")[0]) / "experiments"
DATASET = "phantom"
"""The data set of an experiment that names none: the embedded one."""
RESAMPLING = ("size", "pixel_size")
"""The settings of ``[preparation]`` of which one takes the place of the other."""
OF_DATASET = ("description", "dataset_options", "preparation", "published")
"""What is said about one data set and holds for no other."""
LONGEST_CHAIN = 20
"""How many files may extend one another."""


FULL = "full"
"""A table of a shipped experiment: what ``NAME-full``, the experiment at its full size, has in place of its settings."""


def shipped() -> list[str]:
    """Names of the experiments that come with raterbench."""
    return sorted([*_shipped_files(), *(f"{name}-{FULL}" for name in _full_sizes())])


@cache
def _shipped_files() -> tuple[str, ...]:
    return tuple(sorted(p.name.removesuffix(".toml") for p in SHIPPED.iterdir() if p.name.endswith(".toml")))


@cache
def _full_sizes() -> tuple[str, ...]:
    """The shipped files that say what they are at full size, themselves or what they extend."""
    tables = {name: _read_toml(name) for name in _shipped_files()}

    def says(name: str) -> bool:
        return FULL in tables[name] or (tables[name].get("extends", "") in tables and says(tables[name]["extends"]))

    return tuple(name for name in tables if says(name))


def read_values(name: str) -> dict[str, Any]:
    """The plain values of a shipped experiment or a TOML file, on top of those that it ``extends``; ``name`` is its own.

    The file's own keys win, tables are merged key by key, lists are replaced as a whole. A description speaks of its own file
    alone. A file with another data set keeps nothing that was said of the first one (``OF_DATASET``). Paths in a file are
    beside it. ``NAME-full`` has what the table ``[full]`` of NAME says on top of NAME.

    Raises:
        RaterbenchError: no such experiment, the file is no TOML, or it extends itself in the end.
    """
    small = name.removesuffix(f"-{FULL}")
    if name in _shipped_files() or small not in _full_sizes():
        values = _read_values(name, ())
        if name in _shipped_files():
            values.pop(FULL, None)
        return values
    values = _read_values(small, ())
    return _on_top(values, {**values.pop(FULL), "name": name})


def _read_values(name: str, above: tuple[str, ...]) -> dict[str, Any]:
    """As ``read_values``, with the table ``[full]``; ``above`` are the files that extend this one, the first one first."""
    own = _read_toml(name)
    identity = name if name in _shipped_files() else os.path.realpath(name)
    folder = Path(identity).parent
    if identity in above:
        circle = " extends ".join(Path(i).name for i in (*above[above.index(identity) :], identity))
        raise RaterbenchError(f"experiments extend each other in a circle: {circle}")
    if len(above) > LONGEST_CHAIN:
        raise RaterbenchError(f"{name}: more than {LONGEST_CHAIN} experiments extend one another: merge some of them")
    if name not in _shipped_files():
        _place_beside(own, folder)
    own.setdefault("name", Path(name).stem)
    base = own.pop("extends", "")
    if not isinstance(base, str):
        raise RaterbenchError(f"{name}: extends = {shown(base)} must be a text in quotes: a shipped experiment or a TOML file")
    if not base:
        return own
    if base in shipped() and base not in _shipped_files():
        inherited = read_values(base)
    else:
        inherited = _read_values(base if base in _shipped_files() else str(folder / base), (*above, identity))
    if name not in _shipped_files():
        inherited.pop(FULL, None)
    return _on_top(inherited, own)


def _on_top(inherited: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """``own`` values over ``inherited`` ones."""
    inherited.pop("description", None)
    below = inherited.get("dataset", DATASET)
    if own.get("dataset", below) != below:
        inherited = {key: value for key, value in inherited.items() if key not in OF_DATASET}
    if isinstance(split := own.get("split"), dict) and "split" in inherited:
        inherited["split"] = without_policy(inherited["split"], split.get("policy"))
    if "preparation" in inherited:
        inherited["preparation"] = without_resampling(inherited["preparation"], own.get("preparation"))
    return _merged(inherited, own)


def without_policy(split: Any, policy: Any) -> Any:
    """The table ``[split]`` without the parameters of its policy, if that is not ``policy``; None is no other policy."""
    if not isinstance(split, Mapping) or policy in (None, split.get("policy", "folds")):
        return split if split is not None else {}
    return {key: value for key, value in split.items() if key in SHARED_KEYS}


def without_resampling(below: Any, own: Any) -> Any:
    """The table ``[preparation]`` without ``size`` and ``pixel_size``, if ``own`` gives one of them: it takes their place."""
    if not isinstance(below, Mapping) or not isinstance(own, Mapping) or not any(key in own for key in RESAMPLING):
        return below
    return {key: value for key, value in below.items() if key not in RESAMPLING}


def _merged(below: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    both = {**below, **own}
    for key, value in own.items():
        under = below.get(key)
        if isinstance(value, Mapping) and isinstance(under, Mapping):
            both[key] = _merged(under, value)
    return both


def _read_toml(name: str) -> dict[str, Any]:
    if name in _shipped_files():
        return parse_toml((SHIPPED / f"{name}.toml").read_text(encoding="utf-8"), name)
    path = Path(name)
    if path.suffix != ".toml" or not os.path.lexists(name.replace("\0", "")):
        folder = name.removeprefix("folder:")
        if Path(folder).is_dir():
            raise RaterbenchError(
                f"{shown(name)} is neither a shipped experiment nor a TOML file but a folder: give an experiment, such as "
                f"quick, and name the folder as its data set, folder:{folder}"
            )
        near = nearest(path.name, shipped())
        raise RaterbenchError(f"{shown(name)} is neither a shipped experiment nor a TOML file{near}")
    return parse_toml(read_text(path, "experiment"), name)


def _place_beside(values: dict[str, Any], folder: Path) -> None:
    """Make the paths in a file independent of where the command is given; ``~`` is the user's home."""
    plugins, split, budget = values.get("plugins"), values.get("split"), values.get("budget")
    if isinstance(plugins, list):
        values["plugins"] = [str(folder / os.path.expanduser(p)) if isinstance(p, str) else p for p in plugins]  # noqa: PTH111 - it never raises
    if isinstance(split, dict) and isinstance(split.get("manifest"), str) and split["manifest"]:
        split["manifest"] = str(folder / os.path.expanduser(split["manifest"]))  # noqa: PTH111 - it never raises
    if isinstance(budget, dict) and isinstance(budget.get("weights"), str):
        budget["weights"] = str(folder / os.path.expanduser(budget["weights"]))  # noqa: PTH111 - it never raises
