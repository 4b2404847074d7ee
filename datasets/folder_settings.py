"""What ``dataset.toml`` says about a folder of images."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .base import IGNORE, Preparation
from .errors import RaterbenchError, nearest
from .label_values import LabelValues, with_ignore, with_threshold


@dataclass(frozen=True)
class FolderSettings:
    """The contents of ``dataset.toml``; None is what it does not say."""

    name: str | None = None
    labels: LabelValues | None = None
    ignore: int | None = None
    preparation: Preparation = field(default_factory=Preparation)


def read_settings(file: Path) -> FolderSettings:
    """Read ``dataset.toml``; without the file, nothing is said.

    ``[classes]`` gives each class the value it has in the files, or a list of values, the background first; a list of names
    stands for the values 0, 1, 2 and so on, and 255 is accepted for the second of two. ``threshold`` makes two classes of any
    values, the upper one the foreground; with ``darker = true`` the lower one.

    Raises:
        RaterbenchError: the file is no TOML, a key is unknown, or a value has the wrong form.
    """
    if not file.is_file():
        return FolderSettings()
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RaterbenchError(f"{file} is no valid TOML: {error}") from error
    _known_keys(content, ("name", "classes", "ignore", "threshold", "darker", "preparation"), f"{file}")
    name, ignore = content.get("name"), content.get("ignore")
    if name is not None and not (isinstance(name, str) and name):
        raise RaterbenchError(f"{file}: name = {name!r} must be a text in quotes")
    if ignore is not None and not _whole(ignore):
        raise RaterbenchError(f"{file}: ignore = {ignore!r} must be a whole number, the value of voxels that were not judged")
    labels = _declared(content["classes"], ignore, file) if "classes" in content else None
    labels = with_threshold(labels, content.get("threshold"), content.get("darker"), ignore, file)
    return FolderSettings(name, labels, ignore, _preparation(content.get("preparation", {}), file))


def _declared(classes: Any, ignore: int | None, file: Path) -> LabelValues:
    if isinstance(classes, list):
        table = {name: [k] for k, name in enumerate(classes) if isinstance(name, str)}
    elif isinstance(classes, dict):
        table = {name: value if isinstance(value, list) else [value] for name, value in classes.items()}
        table = {name: group for name, group in table.items() if group and all(map(_whole, group))}
    else:
        table = {}
    if not isinstance(classes, (list, dict)) or len(table) < len(classes):
        raise RaterbenchError(
            f"{file}: classes needs a whole number for each class (or a list of them), or a list of different names; "
            f"got {classes!r}"
        )
    names, flat = list(table), [(value, k) for k, group in enumerate(table.values()) for value in group]
    values = dict(flat)
    if not 2 <= len(names) < IGNORE:
        raise RaterbenchError(f"{file}: classes names {len(names)} classes: give the background and at least one more")
    if len(values) < len(flat):
        raise RaterbenchError(f"{file}: two classes have the same value: {table}")
    if "background" in names[1:]:
        raise RaterbenchError(f"{file}: the class 'background' must come first among the classes")
    if ignore in values:
        raise RaterbenchError(f"{file}: ignore = {ignore} is also the value of the class {names[values[ignore]]!r}")
    if isinstance(classes, list) and len(names) == 2:
        values[255] = 1
    return LabelValues(tuple(names), with_ignore(values, ignore))


def _preparation(content: Any, file: Path) -> Preparation:
    if not isinstance(content, dict):
        raise RaterbenchError(f"{file}: preparation must be a table, [preparation]")
    _known_keys(content, ("slice_axis", "size"), f"{file}, [preparation]")
    axis, size = content.get("slice_axis", "z"), content.get("size")
    if axis not in ("z", "y", "x"):
        raise RaterbenchError(f"{file}: slice_axis = {axis!r} must be 'z', 'y' or 'x'")
    if size is None:
        return Preparation(slice_axis=axis)
    if not (isinstance(size, list) and len(size) == 2 and all(_whole(side) and side > 0 for side in size)):
        raise RaterbenchError(f"{file}: size = {size!r} must be two whole numbers, [height, width] in pixels")
    return Preparation(slice_axis=axis, size=(size[0], size[1]))


def _known_keys(content: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in content:
        if key not in known:
            raise RaterbenchError(f"{where}: unknown key {key!r}{nearest(key, known)}")


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
