"""How often each value occurs in each rater's file, where, and beside which values of other raters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .label_values import LabelValues, count_values

RARE = 0.2
"""A value is rare beside a lower and a higher one that are each this many times (1 / 0.2) as frequent."""
SAMPLED = 200_000
"""Voxels that are looked at where all would take long: along edges, and in pairs of raters."""
MOST_PAIRED = 64
"""Different values in a case up to which raters are compared value by value."""

Values = npt.NDArray[Any]


@dataclass(frozen=True)
class FileValues:
    """The values of one rating: ``counts`` maps each to its voxels, ``border`` to those on the outline of the image.

    ``edges``: of values that are rare beside a lower and a higher one, the voxels with both a lower and a higher value within
    two voxels. ``flat`` is the share of voxels that are equal to the next one along the last axis, the commonest value left
    out, where there are more than two values. ``one_side``: the file has several values, of which a declared threshold makes
    one class.
    """

    file: Path
    counts: Mapping[int, int]
    border: Mapping[int, int]
    edges: Mapping[int, int] = field(default_factory=dict)
    flat: float = 1.0
    one_side: bool = False


@dataclass(frozen=True)
class CaseValues:
    """The values of all ratings of a case.

    ``pairs`` maps two raters to how often (value of one, value of the other) meet in voxels where not everybody has the
    commonest value, or in an even sample of these; every rater is in two pairs. ``copies`` are raters with equal masks.
    ``binarised``: values are class indices already, by a declared threshold.
    """

    case: str
    files: Mapping[str, FileValues]
    pairs: Mapping[tuple[str, str], Mapping[tuple[int, int], int]] = field(default_factory=dict)
    copies: tuple[tuple[str, str], ...] = ()
    binarised: bool = False


def look_at_case(
    case: str, files: Mapping[str, Path], values: Mapping[str, Values], declared: LabelValues | None = None
) -> CaseValues:
    """Count the ``values`` [*S] of each rater's file; with a declared threshold the classes that it makes are counted.

    Ratings of different size are counted, but not compared.
    """
    binarised, one_sided = False, set()
    if declared is not None and declared.threshold is not None:
        binarised, one_sided = True, {rater for rater, here in values.items() if _on_one_side(here, declared)}
        values = {rater: declared.indices(here, files[rater]) for rater, here in values.items()}
    found = {}
    for rater, here in values.items():
        counts, border = count_values(here), count_values(_border(here))
        if len(counts) > 2 and not binarised:
            found[rater] = FileValues(files[rater], counts, border, _on_edges(here, counts), _flatness(here, counts))
        else:
            found[rater] = FileValues(files[rater], counts, border, one_side=rater in one_sided)
    same_size = len({here.shape for here in values.values()}) == 1
    pairs, copies = (_pairs(values, found), _copies(values, found)) if same_size else ({}, ())
    return CaseValues(case, found, pairs, copies, binarised)


def _on_one_side(values: Values, declared: LabelValues) -> bool:
    """Whether there are several values, all on one side of the threshold."""
    judged = values[~np.isin(values, list(declared.ignored))] if declared.ignored else values.reshape(-1)
    if declared.threshold is None or not judged.size:
        return False
    low, high = judged.min(), judged.max()
    return bool(low < high and (low >= declared.threshold) == (high >= declared.threshold))


def _border(values: Values) -> Values:
    """The voxels on the outline of an image, or of each slice of a volume: its first and last slices may show anything."""
    axes = [axis for axis in range(max(0, values.ndim - 2), values.ndim) if values.shape[axis] > 1]
    faces = [values.take(place, axis=axis).reshape(-1) for axis in axes for place in (0, -1)]
    return np.concatenate(faces) if faces else values.reshape(-1)[:0]


def _flatness(values: Values, counts: Mapping[int, int]) -> float:
    """How many of the voxels that do not have the commonest value are equal to the next one along the last axis."""
    rest = values[..., :-1] != max(counts, key=lambda value: counts[value])
    return float((values[..., 1:] == values[..., :-1])[rest].mean()) if rest.any() else 1.0


def _on_edges(values: Values, counts: Mapping[int, int]) -> dict[int, int]:
    """Voxels of each rare value between others that have a lower and a higher value within two voxels along an axis."""
    order = sorted(counts)
    number = np.array([counts[value] for value in order])
    below, above = np.maximum.accumulate(number), np.maximum.accumulate(number[::-1])[::-1]
    rare = [v for k, v in enumerate(order) if 0 < k < len(order) - 1 and number[k] <= RARE * min(below[k - 1], above[k + 1])]
    if not rare:
        return {}
    places = np.flatnonzero(np.isin(values, rare))
    step = len(places) // SAMPLED + 1
    where = np.unravel_index(places[::step], values.shape)
    mine = values[where]
    low, high = mine.copy(), mine.copy()
    for axis, length in enumerate(values.shape):
        for shift in (-2, -1, 1, 2):
            beside = list(where)
            beside[axis] = np.clip(where[axis] + shift, 0, length - 1)
            other = values[tuple(beside)]
            low, high = np.minimum(low, other), np.maximum(high, other)
    between = mine[(low < mine) & (mine < high)]
    return {value: n * step for value, n in count_values(between).items()}


def _pairs(values: Mapping[str, Values], found: Mapping[str, FileValues]) -> dict[tuple[str, str], dict[tuple[int, int], int]]:
    present = {value for file in found.values() for value in file.counts}
    if len(values) < 2 or not 2 <= len(present) <= MOST_PAIRED:
        return {}
    raters = list(values)
    first = found[raters[0]].counts
    common = max(first, key=lambda value: first[value])
    differs = np.zeros(values[raters[0]].size, bool)
    for here in values.values():
        differs |= here.reshape(-1) != common
    places = np.flatnonzero(differs)
    places = places[:: len(places) // SAMPLED + 1]
    order = sorted(present)
    seen = {rater: np.searchsorted(order, here.reshape(-1)[places]) for rater, here in values.items()}
    pairs = {}
    for k, rater in enumerate(raters if len(raters) > 2 else raters[:1]):
        other = raters[(k + 1) % len(raters)]
        joint = count_values(seen[rater] * len(order) + seen[other])
        pairs[rater, other] = {(order[key // len(order)], order[key % len(order)]): n for key, n in joint.items()}
    return pairs


def _copies(values: Mapping[str, Values], found: Mapping[str, FileValues]) -> tuple[tuple[str, str], ...]:
    """Raters with equal masks that show more than one value: two empty masks are no copies."""
    raters = [rater for rater in values if len(found[rater].counts) > 1]
    return tuple(
        (rater, other)
        for k, rater in enumerate(raters)
        for other in raters[k + 1 :]
        if found[rater].counts == found[other].counts and np.array_equal(values[rater], values[other])
    )
