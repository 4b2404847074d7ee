"""How an experiment names what predictions are measured against: words of its own, a rater, or any fusion."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from ...errors import RaterbenchError, shown
from ...registry import kebab

REFERENCE_NAMES = ("truth", "raters", "majority", "staple", "soft average")
"""The references that have a name of their own; beside them ``rater:<name>``, ``raters:<name>,<name>`` and every fusion."""
SOME_RATERS = "raters:"
"""How the reference begins that is the mean over some of the raters, whose names follow."""
SAME_AS = {"majority-vote": "majority", "staple": "staple", "soft-average": "soft average"}
"""Fusions that, with their defaults, make one of these references."""


class ReferenceEntry(NamedTuple):
    """A reference: its name in tables, and the fusion that makes it with its parameters (none for the words above)."""

    name: str
    fusion: str = ""
    options: Mapping[str, Any] = MappingProxyType({})


def reference_entry(entry: str | Mapping[str, Any]) -> ReferenceEntry:
    """What an entry of ``references`` means: a word, the name of a fusion, or a table with the fusion and its parameters.

    ``{ raters = ["a", "b"] }`` is the mean over these raters.

    Raises:
        RaterbenchError: a table names no fusion.
    """
    if isinstance(entry, str) and (entry in REFERENCE_NAMES or entry.startswith(("rater:", SOME_RATERS))):
        return ReferenceEntry(entry)
    options = {"fusion": entry} if isinstance(entry, str) else dict(entry)
    if set(options) == {"raters"}:
        return ReferenceEntry(SOME_RATERS + ",".join(map(str, options["raters"])))
    fusion = options.pop("fusion", None) or options.pop("name", None)
    if not isinstance(fusion, str):
        raise RaterbenchError(f'references: {shown(entry)} names no fusion: write {{ fusion = "staple", ... }}')
    if not options and kebab(fusion) in SAME_AS:
        return ReferenceEntry(SAME_AS[kebab(fusion)])
    told = f" ({', '.join(f'{key}={value}' for key, value in options.items())})" if options else ""
    return ReferenceEntry(fusion + told, fusion, options)


def single_raters(reference: str) -> list[str]:
    """The raters that a reference names, one or some; none for other references."""
    if reference.startswith(SOME_RATERS):
        return reference.removeprefix(SOME_RATERS).split(",")
    return [reference.removeprefix("rater:")] if reference.startswith("rater:") else []
