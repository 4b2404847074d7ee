"""A data set whose cases are kept once they were read."""

from __future__ import annotations

import warnings
from typing import Any

from ...errors import RaterbenchError
from ..base import Case, Dataset, Geometry, Instances, Truth
from .array_files import Array, Arrays
from .disk_cache import DiskCache

KIND = "cases"


class KeptCases:
    """Reads the cases of a data set, each from the process's cache (``DiskCache.current``) if it is there.

    What a case was made from is the fingerprint of the data set, with the contents of all its files, and ``identity``: plain
    values that say what the fingerprint does not, such as the options of the data set.
    """

    def __init__(self, dataset: Dataset, identity: object) -> None:
        self.dataset, self.identity = dataset, identity
        self._made_from: list[Any] | None = None

    def read(self, position: int) -> Case:
        """The case in row ``position`` of the data set."""
        cache = DiskCache.current
        if cache is None:
            return self.dataset.load(position)
        if self._made_from is None:
            try:
                self._made_from = [self.dataset.fingerprint(), self.identity]
            except RaterbenchError:
                return self.dataset.load(position)  # A file is not there, which is an error of the cases that need it alone.
        loaded: list[Case] = []
        found = cache.fetch(KIND, [*self._made_from, position], lambda: self._load(position, loaded))
        return loaded[0] if found is None else case_from(found)

    def _load(self, position: int, loaded: list[Case]) -> Arrays | None:
        """Read a case into ``loaded``; None if it cannot be kept, because it says more than a ``Case`` does, or warns."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            loaded.append(self.dataset.load(position))
        for warning in caught:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        return None if caught or type(loaded[0]) is not Case else arrays_of(loaded[0])


def arrays_of(case: Case) -> Arrays:
    """A case as arrays and plain values."""
    arrays: dict[str, Array] = {"image": case.image}
    arrays |= {f"ratings/{rater}": labels for rater, labels in case.ratings.items()}
    grid = {name: [float(v) for v in getattr(case.geometry, name)] for name in ("spacing", "origin", "direction")}
    facts: dict[str, Any] = {"id": case.id, "subject": case.subject, "centre": case.centre}
    facts["geometry"] = {**grid, "unit": case.geometry.unit}
    facts["diagnosis"] = None if case.diagnosis is None else int(case.diagnosis)
    facts["rater_diagnoses"] = {rater: int(value) for rater, value in case.rater_diagnoses.items()}
    if case.truth is not None:
        arrays |= {"truth/labels": case.truth.labels, "truth/probability": case.truth.probability}
    if case.instances is not None:
        arrays |= {"instances/numbers": case.instances.numbers, "instances/classes": case.instances.classes}
        facts["drawn_by"] = case.instances.rater
    return Arrays(arrays, facts)


def case_from(kept: Arrays) -> Case:
    """The case of which ``arrays_of`` made arrays."""
    arrays, facts = dict(kept.arrays), dict(kept.facts)
    grid = facts["geometry"]
    rater_of = {name: name.removeprefix("ratings/") for name in arrays if name.startswith("ratings/")}
    truth = instances = None
    if "truth/labels" in arrays:
        truth = Truth(arrays["truth/labels"], arrays["truth/probability"])
    if "instances/numbers" in arrays:
        instances = Instances(arrays["instances/numbers"], arrays["instances/classes"], facts["drawn_by"])
    return Case(
        id=facts["id"],
        subject=facts["subject"],
        centre=facts["centre"],
        image=arrays["image"],
        ratings={rater: arrays[name] for name, rater in rater_of.items()},
        geometry=Geometry(tuple(grid["spacing"]), tuple(grid["origin"]), tuple(grid["direction"]), grid["unit"]),
        truth=truth,
        diagnosis=facts["diagnosis"],
        instances=instances,
        rater_diagnoses=facts["rater_diagnoses"],
    )
