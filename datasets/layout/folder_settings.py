"""What ``dataset.toml`` says about a folder of images."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...errors import RaterbenchError, nearest, shown
from ...names import clean_name
from ...paths import read_text
from ..base import IGNORE, LARGEST_SIDE, Preparation
from ..label_files.label_values import LabelValues, with_ignore, with_threshold
from .folder_layout import DEFAULT_PATTERNS, FolderLayout

LONGEST_NAME = 200


@dataclass(frozen=True)
class FolderSettings:
    """The contents of ``dataset.toml``; None is what it does not say.

    ``spacing`` [2 or 3] is in mm and in array order. With ``anonymous_raters`` the name of a rater says nothing from one case
    to the next. ``diagnoses`` are the names of the diagnoses in ``cases.csv``, in the order of their numbers.
    """

    name: str | None = None
    labels: LabelValues | None = None
    ignore: int | None = None
    preparation: Preparation = field(default_factory=Preparation)
    spacing: tuple[float, ...] | None = None
    layout: FolderLayout = field(default_factory=lambda: FolderLayout({}))
    anonymous_raters: bool = False
    diagnoses: tuple[str, ...] = ()

    def with_options(self, threshold: float | None, darker: bool | None) -> FolderSettings:
        """The settings with a threshold and a side of the object that were given as options, which win over the file's.

        Raises:
            RaterbenchError: they do not fit the declared classes.
        """
        if threshold is None and darker is None:
            return self
        before = self.labels
        threshold = before.threshold if threshold is None and before is not None else threshold
        darker = before.darker if darker is None and before is not None else darker
        return replace(self, labels=with_threshold(before, threshold, darker, self.ignore, "options of the folder"))


def read_settings(file: Path) -> FolderSettings:
    """Read ``dataset.toml``; without the file, nothing is said.

    ``[classes]`` gives each class the value it has in the files, or a list of values, the background first; a list of names
    stands for the values 0, 1, 2 and so on, and 255 is accepted for the second of two. ``threshold`` makes two classes of any
    values, the upper one the foreground; with ``darker = true`` the lower one. ``[layout]`` says how files are called
    (``FolderLayout``).

    Raises:
        RaterbenchError: the file is no TOML, a key is unknown, or a value has the wrong form.
    """
    text = read_text(file)
    if text is None:
        return FolderSettings()
    try:
        content = tomllib.loads(text)
    except RecursionError as error:
        raise RaterbenchError(f"{file} is no valid TOML that can be read: its values are nested too deeply") from error
    except ValueError as error:  # Also what Python says of whole numbers with thousands of digits.
        raise RaterbenchError(f"{file} is no valid TOML: {shown(str(error), 200)[1:-1]}") from error
    known = ("name", "classes", "ignore", "threshold", "darker", "preparation", "spacing", "layout")
    _known_keys(content, (*known, "anonymous_raters", "diagnoses"), f"{file}")
    ignore, anonymous = content.get("ignore"), content.get("anonymous_raters", False)
    if ignore is not None and not _label_value(ignore):
        raise RaterbenchError(
            f"{file}: ignore = {shown(ignore)} must be a whole number of at most 64 bits, "
            "the value of voxels that were not judged"
        )
    threshold, darker = content.get("threshold"), content.get("darker")
    if ignore == 0 and "classes" not in content and threshold is None:
        raise RaterbenchError(
            f"{file}: ignore = 0 is the value of the background, as no classes are declared: declare the classes with their "
            "values if 0 means that a voxel was not judged, else leave ignore out"
        )
    if not isinstance(anonymous, bool):
        raise RaterbenchError(f"{file}: anonymous_raters = {shown(anonymous)} must be true or false")
    declared = _declared(content["classes"], ignore, file) if "classes" in content else None
    return FolderSettings(
        name=_name(content["name"], file) if "name" in content else None,
        labels=with_threshold(declared, threshold, darker, ignore, file),
        ignore=ignore,
        preparation=_preparation(content.get("preparation", {}), file),
        spacing=_spacing(content["spacing"], file) if "spacing" in content else None,
        layout=_layout(content.get("layout", {}), file),
        anonymous_raters=anonymous,
        diagnoses=_diagnoses(content["diagnoses"], file) if "diagnoses" in content else (),
    )


def _name(name: Any, file: Path) -> str:
    if not (isinstance(name, str) and name.strip()):
        raise RaterbenchError(f"{file}: name = {shown(name)} must be a text in quotes")
    parts = re.split(r"[/\\]", name)
    if not name.isprintable() or len(name) > LONGEST_NAME or parts[0] in ("", "~") or {".", ".."} & set(parts):
        raise RaterbenchError(
            f"{file}: name = {shown(name)} must be a name of at most {LONGEST_NAME} characters in one line, and no path"
        )
    return name


def _diagnoses(names: Any, file: Path) -> tuple[str, ...]:
    named = isinstance(names, list) and all(isinstance(n, str) and clean_name(n) and n.isprintable() for n in names)
    if not named or len(names) < 2 or len(set(map(clean_name, names))) < len(names):
        raise RaterbenchError(f"{file}: diagnoses = {shown(names)} must be a list of two or more different names in quotes")
    return tuple(map(clean_name, names))


def _declared(classes: Any, ignore: int | None, file: Path) -> LabelValues:
    if isinstance(classes, list):
        pairs = [(name, [k]) for k, name in enumerate(classes)]
    elif isinstance(classes, dict):
        pairs = [(name, value if isinstance(value, list) else [value]) for name, value in classes.items()]
    else:
        raise RaterbenchError(
            f"{file}: classes needs a whole number for each class (or a list of them), or a list of names; got {shown(classes)}"
        )
    for name, group in pairs:
        _check_class(name, group, file)
    table = dict(pairs)
    if len(table) < len(pairs):
        raise RaterbenchError(f"{file}: classes needs a list of different names; got {shown(classes)}")
    names, flat = list(table), [(value, k) for k, group in enumerate(table.values()) for value in group]
    values = dict(flat)
    if not 2 <= len(names) < IGNORE:
        raise RaterbenchError(f"{file}: classes names {len(names)} classes: give the background and at least one more")
    if len(values) < len(flat):
        raise RaterbenchError(f"{file}: two classes have the same value: {shown(table)}")
    if "background" in names[1:]:
        raise RaterbenchError(f"{file}: the class 'background' must come first among the classes")
    if ignore in values:
        raise RaterbenchError(f"{file}: ignore = {ignore} is also the value of the class {names[values[ignore]]!r}")
    if isinstance(classes, list) and len(names) == 2 and ignore != 255:
        values[255] = 1
    return LabelValues(tuple(names), with_ignore(values, ignore))


def _check_class(name: Any, values: list[Any], file: Path) -> None:
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise RaterbenchError(f"{file}: classes has {shown(name)}, which is no name: write a text in one line for each class")
    if name == "all":
        raise RaterbenchError(f"{file}: no class can be called 'all', as reports call all classes together: rename it")
    if not values or not all(map(_label_value, values)):
        raise RaterbenchError(
            f"{file}: classes needs a whole number for each class (or a list of them), of at most 64 bits; "
            f"got {shown(name)} = {shown(values if len(values) != 1 else values[0])}"
        )


def _spacing(spacing: Any, file: Path) -> tuple[float, ...]:
    numbers = isinstance(spacing, list) and all(isinstance(s, (int, float)) and not isinstance(s, bool) for s in spacing)
    if not numbers or len(spacing) not in (2, 3) or not all(1e-9 < s < 1e6 and math.isfinite(s) for s in spacing):
        raise RaterbenchError(
            f"{file}: spacing = {shown(spacing)} must be two or three positive numbers, the size of a voxel in mm: "
            "[y, x] of images, [z, y, x] of volumes"
        )
    return tuple(float(s) for s in spacing)


def _layout(content: Any, file: Path) -> FolderLayout:
    if not isinstance(content, dict):
        raise RaterbenchError(f"{file}: layout must be a table, [layout]")
    where = f"{file}, [layout]"
    _known_keys(content, (*DEFAULT_PATTERNS, "raters", "skip"), where)
    for key in DEFAULT_PATTERNS:
        if not isinstance(content.get(key, ""), str):
            raise RaterbenchError(
                f"{where}: {key} = {shown(content[key])} must be a pattern in quotes, such as {DEFAULT_PATTERNS[key]!r}"
            )
    for key in ("raters", "skip"):
        names = content.get(key, [])
        if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
            raise RaterbenchError(f"{where}: {key} = {shown(names)} must be a list of names in quotes")
    patterns = {key: content[key] for key in DEFAULT_PATTERNS if key in content}
    try:
        return FolderLayout(patterns, tuple(content.get("raters", ())), tuple(content.get("skip", ())))
    except RaterbenchError as error:
        raise RaterbenchError(f"{where}: {error}") from error


def _preparation(content: Any, file: Path) -> Preparation:
    if not isinstance(content, dict):
        raise RaterbenchError(f"{file}: preparation must be a table, [preparation]")
    _known_keys(content, ("slice_axis", "size", "pixel_size", "crop", "mode", "voxel_size", "patch"), f"{file}, [preparation]")
    axis, size, crop = content.get("slice_axis", "z"), content.get("size"), content.get("crop")
    if axis not in ("z", "y", "x"):
        raise RaterbenchError(f"{file}: slice_axis = {shown(axis)} must be 'z', 'y' or 'x'")
    sides = isinstance(size, list) and len(size) == 2 and all(isinstance(side, int) for side in size)
    if size is not None and not (sides and all(0 < side <= LARGEST_SIDE and not isinstance(side, bool) for side in size)):
        raise RaterbenchError(
            f"{file}: size = {shown(size)} must be two whole numbers from 1 to {LARGEST_SIDE}, [height, width] in pixels"
        )
    size, crop = (tuple(given) if isinstance(given, list) else given for given in (size, crop))
    own = {key: content[key] for key in ("pixel_size", "mode", "voxel_size", "patch") if key in content}
    try:
        return Preparation(slice_axis=axis, size=size, crop=crop, **own)
    except RaterbenchError as error:
        raise RaterbenchError(f"{file}, {error}") from error


def _known_keys(content: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in content:
        if key not in known:
            raise RaterbenchError(f"{where}: unknown key {shown(key)}{nearest(key[:80], known)}")


def _label_value(value: Any) -> bool:
    """Whether label files can hold a value."""
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63
