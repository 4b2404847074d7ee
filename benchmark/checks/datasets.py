"""The contract of a data set as checks that can be run on any class, the suite's own or a plug-in's."""

from __future__ import annotations

import os
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...datasets.base import Card, Case, Dataset, check_case
from .result import BrokenContractError, CheckResult, require, run_checks

MOST = 3
"""Cases that are read from each end of the data set."""


def check_dataset(dataset: type[Dataset], data: str | None = None) -> list[CheckResult]:
    """Try a class of data sets with its default options; ``data`` (or ``RATERBENCH_DATA``) is where downloads lie."""
    data = data or os.environ.get("RATERBENCH_DATA")
    results = run_checks({"it can be built without options": _can_be_built}, dataset, data)
    return results + run_checks(CHECKS, dataset, data) if results[0].passed else results


def _can_be_built(cls: type[Dataset], data: str | None) -> None:
    _built(cls, data)


def _built(cls: type[Dataset], data: str | None) -> Dataset:
    return cls.from_options(data=data)


def _unread(cls: type[Dataset], data: str | None) -> Dataset:
    """The data set, of which no case can be read."""

    def load(self: Dataset, position: int) -> Case:
        del self, position
        raise BrokenContractError("a case was read to make the index: it must be made without reading a pixel")

    blind: type[Dataset] = types.new_class(cls.__name__, (cls,), exec_body=lambda body: body.update(load=load, listed=False))
    return _built(blind, data)


def _index(cls: type[Dataset], data: str | None) -> None:
    dataset = _unread(cls, data)
    index = dataset.index
    for column in ("case", "subject", "centre", "raters"):
        require(column in index, f"its index has no column {column!r}: use raterbench.datasets.base.index_table")
    for column in ("case", "subject", "centre"):
        strange = [value for value in index[column] if not isinstance(value, str)]
        require(not strange, f"its index has {column}s that are no text, such as {strange[:1]}: write str(...)")
    require(bool(index["case"].is_unique), "its index lists a case twice: give every case a name of its own")
    require(len(dataset) == len(index) > 0, f"it has {len(dataset)} cases and {len(index)} rows in its index")
    unknown = {rater for raters in index["raters"] for rater in raters} - set(dataset.raters)
    require(not unknown, f"its index names raters that are not among its raters: {', '.join(sorted(unknown))}")
    require(bool(index["raters"].map(len).all()), "its index has a case that nobody rated: leave such cases out")


def _describes_itself(cls: type[Dataset], data: str | None) -> None:
    dataset = _unread(cls, data)
    require(isinstance(dataset.name, str) and bool(dataset.name), "it has no name: set self.name")
    require(len(dataset.classes) >= 2, f"its classes are {dataset.classes}: name the background and one class at least")
    for what, names in (("classes", dataset.classes), ("raters", dataset.raters), ("diagnoses", dataset.diagnoses)):
        require(_names(names), f"its {what} are {names!r}: give a tuple of different names")
    require(
        isinstance(getattr(dataset, "card", None), Card), "it has no card: say in a Card where it comes from, and on what terms"
    )


def _names(names: Sequence[Any]) -> bool:
    return isinstance(names, tuple) and all(isinstance(n, str) for n in names) and len(set(names)) == len(names)


def _fingerprint(cls: type[Dataset], data: str | None) -> None:
    one, other = _unread(cls, data).fingerprint(), _unread(cls, data).fingerprint()
    require(one == other, f"built twice it has other fingerprints, {one} and {other}: sort what you list")


def _cases(cls: type[Dataset], data: str | None) -> None:
    dataset = _built(cls, data)
    for position in sorted({*range(len(dataset))[:MOST], *range(len(dataset))[-MOST:]}):
        case, row = dataset[position], dataset.index.iloc[position]
        where = f"the case at position {position}"
        for column, value in (("case", case.id), ("subject", case.subject), ("centre", case.centre)):
            require(value == row[column], f"{where} has the {column} {value!r}, but its index says {row[column]!r}")
        there, listed = sorted(case.ratings), sorted(row["raters"])
        require(there == listed, f"{where} was rated by {there}, but its index says {listed}: a rater who is absent has no key")
        shown = f"{case.image.dtype} {case.image.shape}"
        require(
            case.image.dtype == np.float32 and case.image.ndim in (3, 4), f"{where} has an image {shown}: give float32 [C, *S]"
        )
        wrong = [rater for rater, labels in case.ratings.items() if labels.dtype != np.uint8]
        require(not wrong, f"{where} has ratings of {', '.join(wrong)} that are not uint8")
        spacing = case.geometry.spacing
        same = len(spacing) == len(case.shape)
        require(same, f"{where} has shape {case.shape} and spacing {spacing}: one length for each axis")
        grid = dataset.grid_at(position)
        require(grid == (case.shape, case.geometry), f"{where} has {(case.shape, case.geometry)}, but grid_at says {grid}")
        axes = dataset.n_axes
        require(axes in (None, len(case.shape)), f"{where} has {len(case.shape)} axes, but its attribute n_axes is {axes}")
        unit, whole = case.geometry.unit, dataset.unit
        require(unit == whole, f"{where} measures lengths in {unit!r}, but the data set's attribute unit is {whole!r}")
        check_case(case, dataset.n_classes, dataset.diagnoses)
        if "diagnosis" in row:
            known = dataset.diagnosis_at(position)
            require(case.diagnosis == known, f"{where} has the diagnosis {case.diagnosis}, but its index says {known}")
        if (objects := case.instances) is not None:
            known = objects.rater in dataset.raters
            require(known, f"{where} has instances of {objects.rater!r}, who is none of its raters: name the one who drew them")
        again = dataset[position]
        same = np.array_equal(case.image, again.image)
        same = same and all(np.array_equal(labels, again.ratings[rater]) for rater, labels in case.ratings.items())
        if case.instances is not None:
            same = same and again.instances is not None and np.array_equal(case.instances.numbers, again.instances.numbers)
        require(same, f"{where} was different when it was read again: derive any randomness from a parameter")


CHECKS: dict[str, Callable[[type[Dataset], str | None], None]] = {
    "it describes itself": _describes_itself,
    "its index needs no pixel": _index,
    "its fingerprint is stable": _fingerprint,
    "its cases keep the contract": _cases,
}
