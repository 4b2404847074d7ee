"""What the values in label files stand for: the classes, the value or values of each, or a threshold."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import RaterbenchError
from ..base import IGNORE, Labels

MOST_CLASSES = 254
TWO = ("background", "foreground")
BLOCK = 1 << 16
"""Voxels counted at a time, and the widest range of values that is counted in a table."""


@dataclass(frozen=True)
class LabelValues:
    """The classes, the background first, and the class index (or ``IGNORE``) that each value in a file stands for.

    With a ``threshold`` a value at or above it is the second of two classes, or, where the object is ``darker``, a value
    below it; ``table`` then has the values that are written, and the one that stands for ``IGNORE`` in files as well.
    ``darker`` without a threshold means halfway between the lowest and the highest value of the files.
    """

    classes: tuple[str, ...]
    table: Mapping[int, int]
    threshold: float | None = None
    darker: bool = False

    @property
    def complete(self) -> bool:
        """Whether values can be read without having looked at the files first."""
        return self.threshold is not None or not self.darker

    @property
    def ignored(self) -> frozenset[int]:
        """Values of voxels that were not judged."""
        return frozenset(value for value, index in self.table.items() if index == IGNORE)

    def written(self, present: Collection[int] = ()) -> tuple[int, ...]:
        """The value that is written for each class, whose number it is where no value is left for it.

        Of several values it is the largest of those ``present`` in files, or else the first.
        """
        values = []
        for k in range(len(self.classes)):
            mine = [value for value, index in self.table.items() if index == k] or [k]
            values.append(max(set(mine) & set(present), default=mine[0]))
        return tuple(values)

    def identity(self) -> str:
        """Text that is equal only where all values stand for the same: part of a result's key."""
        side = "" if self.threshold is None else f"{'<' if self.darker else '>='}{self.threshold:g}"
        return f"{sorted(self.table.items())}{side}"

    def indices(self, values: npt.NDArray[Any], file: object) -> Labels:
        """Class indices [*S] uint8 of the values [*S] in ``file``.

        Raises:
            RaterbenchError: a value stands for no class; the file, the values and their voxels are named.
        """
        if self.threshold is not None:
            sides: Labels = ((values >= self.threshold) != self.darker).astype(np.uint8)
            sides[np.isin(values, list(self.ignored))] = IGNORE
            return sides
        labels, known = np.zeros(values.shape, np.uint8), np.zeros(values.shape, bool)
        for value, index in self.table.items():
            here = values == value
            labels[here] = index
            known |= here
        if not known.all():
            self.check_known(count_values(values), file)
        return labels

    def check_known(self, counts: Mapping[int, int], file: object) -> None:
        """Each value in ``counts``, of ``file``, must stand for a class.

        Raises:
            RaterbenchError: a value stands for none; the file, the values and their voxels are named.
        """
        strange = {value: n for value, n in counts.items() if value not in self.table}
        if strange and self.complete and self.threshold is None:
            some, first = min(strange), next((value for value, k in self.table.items() if k == 1), 1)
            raise RaterbenchError(
                f"{file} has {count_words(strange)}, which stand for no class; known are {sorted(self.table)}: add them to the "
                f"values of a class ({self.classes[1]} = [{first}, {some}] in [classes]), declare ignore = {some}, "
                "or binarise with a threshold"
            )


def count_values(values: npt.NDArray[Any]) -> dict[int, int]:
    """How many voxels have each value, by counting where the range allows it: sorting is far slower."""
    flat = values.reshape(-1)
    if not flat.size:
        return {}
    low, high = int(flat.min()), int(flat.max())
    if high - low >= BLOCK:
        found, number = np.unique(flat, return_counts=True)
        return dict(zip(found.tolist(), number.tolist(), strict=True))
    counts = np.zeros(high - low + 1, np.int64)
    for start in range(0, len(flat), BLOCK):
        counts += np.bincount(flat[start : start + BLOCK].astype(np.int64) - low, minlength=len(counts))
    there = np.flatnonzero(counts)
    return dict(zip((there + low).tolist(), counts[there].tolist(), strict=True))


def count_words(counts: Mapping[int, int], most: int = 5) -> str:
    """``the value 11 in 3 voxels``, or ``the values 11 (3 voxels), 12 (1 voxel) and 4 more``."""
    if len(counts) == 1:
        ((value, voxels),) = counts.items()
        return f"the value {value} in {voxels_of(voxels)}"
    shown = [f"{value} ({voxels_of(voxels)})" for value, voxels in sorted(counts.items())[:most]]
    if len(counts) > most:
        shown.append(f"{len(counts) - most} more")
    return f"the values {', '.join(shown[:-1])} and {shown[-1]}"


def voxels_of(n: int) -> str:
    """``1 voxel``, ``3 voxels``."""
    return f"{n} voxel{'' if n == 1 else 's'}"


def with_ignore(table: Mapping[int, int], ignore: int | None) -> dict[int, int]:
    """The table with the value of voxels that were not judged."""
    return dict(table) if ignore is None else {**table, ignore: IGNORE}


def with_threshold(
    labels: LabelValues | None, threshold: Any, darker: Any, ignore: int | None, where: object
) -> LabelValues | None:
    """The declared classes with the declared threshold and side of the object; without either, the classes as they are.

    Raises:
        RaterbenchError: one of them has the wrong form, there are not two classes, or their values say the opposite.
    """
    if threshold is not None and (
        isinstance(threshold, bool) or not isinstance(threshold, int | float) or math.isnan(threshold)
    ):
        raise RaterbenchError(f"{where}: threshold = {threshold!r} must be a number: values from it on are foreground")
    if darker is not None and not isinstance(darker, bool):
        raise RaterbenchError(f"{where}: darker = {darker!r} must be true or false: true where the object is the dark part")
    if threshold is None and not darker:
        return labels
    if labels is None or _named_only(labels):
        names = TWO if labels is None else labels.classes
        values = (0, 255) if ignore not in (0, 255) else (1, 2) if ignore == 0 else (0, 1)
        labels = LabelValues(names, with_ignore({value: k for k, value in enumerate(values)}, ignore))
    elif len(labels.classes) != 2:
        raise RaterbenchError(
            f"{where}: a threshold makes two classes, but {len(labels.classes)} are declared: name the background and one more"
        )
    if threshold is not None and not _named_only(labels):
        wrong = [v for v, k in labels.table.items() if k != IGNORE and ((v >= threshold) != bool(darker)) != (k == 1)]
        if wrong:
            raise RaterbenchError(
                f"{where}: with threshold = {threshold:g}{' and darker = true' if darker else ''} the value {wrong[0]} is "
                f"not {labels.classes[labels.table[wrong[0]]]!r}, as the classes say: change one of them"
            )
    return replace(labels, threshold=threshold, darker=bool(darker))


def _named_only(labels: LabelValues) -> bool:
    """Whether two classes have the values that names alone get: 0 and 1, which say nothing of what is in the files."""
    return {value: k for value, k in labels.table.items() if k != IGNORE} in (
        {0: 0, 1: 1},
        {0: 0, 1: 1, 255: 1},
        {0: 0, 255: 1},
    )


def parse_classes(text: str, ignore: int | None = None) -> LabelValues:
    """``0,100,200``, ``0-39`` or ``background=0,liver=100,tumour=200+201`` as classes, the background first.

    Raises:
        RaterbenchError: it is not of that form, or a name or value comes twice.
    """
    names: list[str] = []
    values: list[list[int]] = []
    for part in text.split(","):
        name, equals, value = part.rpartition("=")
        span = re.fullmatch(r"\s*(-?\d+)-(\d+)\s*", value)
        try:
            found = list(range(int(span[1]), int(span[2]) + 1)) if span else [int(number) for number in value.split("+")]
        except ValueError as error:
            example = "0,255 or background=0,nucleus=255"
            raise RaterbenchError(f"--classes {text!r}: {part!r} has no whole number; write {example}") from error
        for group in [found] if equals else [[number] for number in found]:
            names.append(name.strip() if equals else f"label {group[0]}" if names else "background")
            values.append(group)
    flat = [value for group in values for value in group]
    twice = len(set(names)) < len(names) or len(set(flat)) < len(flat)
    if twice or not 2 <= len(names) <= MOST_CLASSES or ignore in flat or not all(values):
        raise RaterbenchError(
            f"--classes {text!r}: give the background and at least one more, each name and value once, none the ignored value"
        )
    return LabelValues(tuple(names), with_ignore({value: k for k, group in enumerate(values) for value in group}, ignore))
