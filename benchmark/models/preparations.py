"""How a fitted method prepares cases, which may be otherwise than the data set says: ``own-preparation`` has its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from ...datasets.base import Preparation


def fitted_preparations(facts: Mapping[str, Any] | None) -> list[Preparation]:
    """The different preparations in the facts of a fitted method (``Method.facts``), at any depth; none without a network."""
    found: list[Preparation] = []
    for preparation in _within(facts):
        if preparation not in found:
            found.append(preparation)
    return found


def stored_preparation(facts: Mapping[str, Any]) -> Preparation:
    """The preparation that results keep; one without a mode is from before there were volumes, and of slices."""
    return msgspec.convert({"mode": "slices", **facts["preparation"]}, Preparation)


def _within(value: Any) -> Iterator[Preparation]:
    """What stands under ``preparation``, as ``NetworkFacts`` keep it."""
    if not isinstance(value, Mapping):
        return
    for key, entry in value.items():
        if key == "preparation" and isinstance(entry, Mapping):
            try:
                yield msgspec.convert({"mode": "slices", **entry}, Preparation)
            except msgspec.ValidationError:  # Something else of a plug-in that has the name.
                continue
        else:
            yield from _within(entry)
