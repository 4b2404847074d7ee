"""How an experiment names what predictions are measured against: words of its own, a rater, or any fusion."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from ...errors import RaterbenchError, shown
from ...registry import kebab

REFERENCE_NAMES = ("truth", "raters", "majority", "staple", "soft average")
"""The references that have a name of their own; beside them ``rater:<name>`` and every fusion."""
SAME_AS = {"majority-vote": "majority", "staple": "staple", "soft-average": "soft average"}
"""Fusions that, with their defaults, make one of these references."""


class ReferenceEntry(NamedTuple):
    """A reference: its name in tables, and the fusion that makes it with its parameters (none for the words above)."""

    name: str
    fusion: str = ""
    options: Mapping[str, Any] = MappingProxyType({})


def reference_entry(entry: str | Mapping[str, Any]) -> ReferenceEntry:
    """What an entry of ``references`` means: a word, the name of a fusion, or a table with the fusion and its parameters.

    Raises:
        RaterbenchError: a table names no fusion.
    """
    if isinstance(entry, str) and (entry in REFERENCE_NAMES or entry.startswith("rater:")):
        return ReferenceEntry(entry)
    options = {"fusion": entry} if isinstance(entry, str) else dict(entry)
    fusion = options.pop("fusion", None) or options.pop("name", None)
    if not isinstance(fusion, str):
        raise RaterbenchError(f'references: {shown(entry)} names no fusion: write {{ fusion = "staple", ... }}')
    if not options and kebab(fusion) in SAME_AS:
        return ReferenceEntry(SAME_AS[kebab(fusion)])
    told = f" ({', '.join(f'{key}={value}' for key, value in options.items())})" if options else ""
    return ReferenceEntry(fusion + told, fusion, options)
