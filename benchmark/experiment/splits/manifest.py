"""The file ``splits.json``: the folds of an experiment by the names of their cases, to be written and used again."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from ....datasets.base import Dataset
from ....errors import RaterbenchError
from ....parameters import Range
from ....text_files import LARGEST_WRITTEN, parse_json, read_text
from ..settings import MOST_UNITS, build, canonical
from .make import PARTS, Fold, check_folds


@dataclass(frozen=True)
class ListedFold:
    """A fold as a manifest lists it, by the names of the cases."""

    repeat: Annotated[int, Range(0, MOST_UNITS)]
    fold: Annotated[int, Range(0, MOST_UNITS)]
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


def manifest(dataset: Dataset, folds: Sequence[Fold]) -> dict[str, Any]:
    """The folds by the names of their cases, with a hash of them: what ``splits.json`` holds."""
    names = dataset.index["case"].tolist()
    listed = [
        {
            "repeat": fold.repeat,
            "fold": fold.fold,
            **{part: [names[i] for i in getattr(fold, part)] for part in PARTS},
        }
        for fold in folds
    ]
    return {"dataset": dataset.name, "hash": manifest_hash(listed), "folds": listed}


def manifest_hash(listed: Sequence[dict[str, Any]]) -> str:
    """A short hash of the folds."""
    return hashlib.sha256(canonical(listed).encode()).hexdigest()[:16]


def read_manifest(path: str | Path, dataset: Dataset) -> list[Fold]:
    """Folds from a ``splits.json``.

    Raises:
        RaterbenchError: no such file, it was altered, a case is unknown, or ``check_folds`` finds a fault.
    """
    where = f"split manifest {str(path)!r}"
    stored = parse_json(read_text(Path(path), "split manifest", largest=LARGEST_WRITTEN), where)
    if not isinstance(stored, dict) or not isinstance(stored.get("folds"), list):
        raise RaterbenchError(f"{where} has no list of folds: give a splits.json as it lies in a results folder")
    listed = [dataclasses.asdict(build(ListedFold, entry, f"{where}: fold {n}")) for n, entry in enumerate(stored["folds"])]
    if stored.get("hash", (found := manifest_hash(listed))) != found:
        raise RaterbenchError(f"{where} was altered: its folds do not fit its hash; to use it as it is, take 'hash' out of it")
    position = {name: i for i, name in enumerate(dataset.index["case"])}
    folds = []
    for entry in listed:
        unknown = [name for part in PARTS for name in entry[part] if name not in position]
        if unknown:
            raise RaterbenchError(f"{where} names case {unknown[0]!r}, which {dataset.name!r} lacks")
        positions = (tuple(position[name] for name in sorted(entry[part])) for part in PARTS)
        folds.append(Fold(entry["repeat"], entry["fold"], *positions))
    check_folds(folds, dataset, where)
    return folds
