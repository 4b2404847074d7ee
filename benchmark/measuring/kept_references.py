"""The files of fused references: which cases are in one, and the references of a few cases, read without torch."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from ..store.archive import Archive, DamagedError
from ..store.units import SCHEMA
from .references import StoredReference

FOLDER = "references"
"""Where the files are, in the folder of an experiment."""


@dataclass(frozen=True)
class ReferenceHead:
    """What a file of fused references holds."""

    schema: int
    key: str
    reference: str
    cases: tuple[str, ...]


def reference_part(case: str) -> str:
    """The name of a case's part in a file."""
    return f"case/{quote(case, safe='')}"


def kept_references(folder: Path, cases: Collection[str]) -> dict[str, dict[str, StoredReference]]:
    """The fused references of some cases in an experiment's folder, by case and name of the reference.

    Damaged files are passed over. After a change of the code a case is in two files; where these differ, nobody knows here
    which of them was measured against, and the reference is left out.
    """
    found: dict[tuple[str, str], list[StoredReference]] = {}
    for path in sorted((folder / FOLDER).glob("*.npz")):
        try:
            with Archive(path) as archive:
                head = archive.read("head", ReferenceHead)
                for case in [c for c in head.cases if c in cases] if head.schema == SCHEMA else []:
                    found.setdefault((case, head.reference), []).append(archive.read(reference_part(case), StoredReference))
        except (DamagedError, OSError):
            continue
    kept: dict[str, dict[str, StoredReference]] = {}
    for (case, reference), stored in found.items():
        if all(np.array_equal(stored[0].labels, other.labels) for other in stored[1:]):
            kept.setdefault(case, {})[reference] = stored[0]
    return kept
