"""What ``dataset.toml`` says about a folder of images, and which label a value in a file stands for."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .base import IGNORE, Labels, Preparation
from .errors import RaterbenchError, nearest
from .images import read_labels


@dataclass(frozen=True)
class LabelValues:
    """The classes, the background first, and the class index (or ``IGNORE``) that each value in a file stands for."""

    classes: tuple[str, ...]
    table: Mapping[int, int]

    def indices(self, values: npt.NDArray[Any], file: Path) -> Labels:
        """Class indices [*S] uint8 of the values [*S] in ``file``.

        Raises:
            RaterbenchError: a value stands for no class; the file and the values are named.
        """
        labels, known = np.zeros(values.shape, np.uint8), np.zeros(values.shape, bool)
        for value, index in self.table.items():
            here = values == value
            labels[here] = index
            known |= here
        if not known.all():
            strange = np.unique(values[~known])[:5].tolist()
            raise RaterbenchError(f"{file} has the values {strange}, which stand for no class; known are {sorted(self.table)}")
        return labels


@dataclass(frozen=True)
class FolderSettings:
    """The contents of ``dataset.toml``; None is what it does not say."""

    name: str | None = None
    labels: LabelValues | None = None
    ignore: int | None = None
    preparation: Preparation = field(default_factory=Preparation)


def read_settings(file: Path) -> FolderSettings:
    """Read ``dataset.toml``; without the file, nothing is said.

    ``[classes]`` gives each class the value it has in the files, the background first; a list of names stands for the
    values 0, 1, 2 and so on, and 255 is accepted for the second of two.

    Raises:
        RaterbenchError: the file is no TOML, a key is unknown, or a value has the wrong form.
    """
    if not file.is_file():
        return FolderSettings()
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RaterbenchError(f"{file} is no valid TOML: {error}") from error
    _known_keys(content, ("name", "classes", "ignore", "preparation"), f"{file}")
    name, ignore = content.get("name"), content.get("ignore")
    if name is not None and not (isinstance(name, str) and name):
        raise RaterbenchError(f"{file}: name = {name!r} must be a text in quotes")
    if ignore is not None and not _whole(ignore):
        raise RaterbenchError(f"{file}: ignore = {ignore!r} must be a whole number, the value of voxels that were not judged")
    labels = _declared(content["classes"], ignore, file) if "classes" in content else None
    return FolderSettings(name, labels, ignore, _preparation(content.get("preparation", {}), file))


def scanned(files: Iterable[Path], ignore: int | None) -> LabelValues:
    """The classes of undeclared ratings, from the values in all their files: 0 and 255, or 0 to K - 1.

    Raises:
        RaterbenchError: the values are neither; the file that shows it is named.
    """
    where: dict[int, Path] = {}
    white = True
    for file in files:
        values = set(np.unique(read_labels(file).pixels).tolist()) - {ignore}
        # One rater's tool may save masks of 0 and 1, another's of 0 and 255; both in one file would mean something else.
        white &= values <= {0, 1} or values <= {0, 255}
        where.update({value: file for value in values if value not in where})
    found = sorted(where)
    declare = "declare the classes and their values in dataset.toml"
    if white and 255 in found:
        return LabelValues(("background", "foreground"), _with_ignore({0: 0, 1: 1, 255: 1}, ignore))
    if not found or found == [0]:
        raise RaterbenchError(f"no rating has anything but background, so the classes are unknown: {declare}")
    gaps = [value for value in found if value != 0 and (value < 0 or value - 1 not in (0, *found))]
    if gaps:
        raise RaterbenchError(f"{where[gaps[0]]} has the value {gaps[0]}, but the ratings together have {found[:8]}: {declare}")
    names = ("foreground",) if found[-1] == 1 else tuple(f"class {k}" for k in range(1, found[-1] + 1))
    return LabelValues(("background", *names), _with_ignore({k: k for k in range(found[-1] + 1)}, ignore))


def _declared(classes: Any, ignore: int | None, file: Path) -> LabelValues:
    if isinstance(classes, list):
        table = {name: k for k, name in enumerate(classes) if isinstance(name, str)}
    elif isinstance(classes, dict):
        table = {name: value for name, value in classes.items() if _whole(value)}
    else:
        table = {}
    if not isinstance(classes, (list, dict)) or len(table) < len(classes):
        raise RaterbenchError(
            f"{file}: classes needs a whole number for each class, or a list of different names; got {classes!r}"
        )
    names, values = list(table), {value: k for k, value in enumerate(table.values())}
    if not 2 <= len(names) < IGNORE:
        raise RaterbenchError(f"{file}: classes names {len(names)} classes: give the background and at least one more")
    if len(values) < len(names):
        raise RaterbenchError(f"{file}: two classes have the same value: {table}")
    if "background" in names[1:]:
        raise RaterbenchError(f"{file}: the class 'background' must come first among the classes")
    if ignore in values:
        raise RaterbenchError(f"{file}: ignore = {ignore} is also the value of the class {names[values[ignore]]!r}")
    if isinstance(classes, list) and len(names) == 2:
        values[255] = 1
    return LabelValues(tuple(names), _with_ignore(values, ignore))


def _with_ignore(table: dict[int, int], ignore: int | None) -> dict[int, int]:
    return table if ignore is None else {**table, ignore: IGNORE}


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
