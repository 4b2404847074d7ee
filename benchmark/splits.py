"""Who trains, who validates, who is tested: scikit-learn's splitters over subjects, and the manifest of what they gave."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GroupShuffleSplit, LeaveOneGroupOut, StratifiedGroupKFold

from ..datasets.base import Dataset
from ..datasets.errors import RaterbenchError
from .experiment import Split, canonical

Positions = tuple[int, ...]


@dataclass(frozen=True)
class Fold:
    """Positions of cases in the data set's index; no subject is in two of the three parts."""

    repeat: int
    fold: int
    train: Positions
    validation: Positions
    test: Positions


def make_folds(dataset: Dataset, split: Split, seed: int) -> list[Fold]:
    """All folds of all repeats; they depend on the data set's index, the split and the seed only.

    Raises:
        RaterbenchError: there are fewer subjects or centres than the split needs, or the manifest does not fit.
    """
    if split.manifest:
        return read_manifest(split.manifest, dataset)
    folds = []
    for repeat in range(split.repeats):
        for number, (rest, test) in enumerate(_outer(dataset, split, seed + repeat)):
            train, validation = _inner(dataset, rest, split.validation, seed=seed + 1000 * repeat + number)
            folds.append(Fold(repeat, number, train, validation, tuple(map(int, test))))
    return folds


def _outer(dataset: Dataset, split: Split, seed: int) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    subjects, centres = dataset.index["subject"].to_numpy(str), dataset.index["centre"].to_numpy(str)
    everything = np.arange(len(dataset))
    if split.policy == "holdout":
        if not dataset.official_test:
            raise RaterbenchError(f'data set {dataset.name!r} has no test part of its own: use split.policy = "folds"')
        test = np.array(dataset.official_test)
        return iter([(np.setdiff1d(everything, test), test)])
    if split.policy == "leave-one-centre-out":
        if len(np.unique(centres)) < 2:
            raise RaterbenchError(f'data set {dataset.name!r} has one centre only: use split.policy = "folds"')
        return iter(LeaveOneGroupOut().split(everything, groups=centres))
    n = len(np.unique(subjects))
    if n < max(split.folds, 3):
        raise RaterbenchError(f"data set {dataset.name!r} has {n} subjects, too few for {split.folds} folds: lower split.folds")
    # A centre's subjects are spread evenly; scikit-learn warns where a centre has fewer subjects than there are folds.
    rare = np.isin(centres, [c for c in np.unique(centres) if len(np.unique(subjects[centres == c])) < split.folds])
    strata = np.where(rare, "", centres)
    splitter = StratifiedGroupKFold(split.folds, shuffle=True, random_state=seed)
    return iter(splitter.split(everything, strata, groups=subjects))


def _inner(dataset: Dataset, rest: npt.NDArray[np.intp], share: float, seed: int) -> tuple[Positions, Positions]:
    groups = dataset.index["subject"].to_numpy(str)[rest]
    if len(np.unique(groups)) < 2:
        raise RaterbenchError(f"data set {dataset.name!r}: a training part with one subject leaves nothing to validate on")
    train, validation = next(GroupShuffleSplit(1, test_size=share, random_state=seed).split(rest, groups=groups))
    return tuple(map(int, rest[train])), tuple(map(int, rest[validation]))


def manifest(dataset: Dataset, folds: Sequence[Fold]) -> dict[str, Any]:
    """The folds by the names of their cases, with a hash of them: what ``splits.json`` holds."""
    names = dataset.index["case"].tolist()
    listed = [
        {
            "repeat": fold.repeat,
            "fold": fold.fold,
            **{part: [names[i] for i in getattr(fold, part)] for part in ("train", "validation", "test")},
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
        RaterbenchError: no such file, a case is unknown, or a subject is in two parts of a fold.
    """
    try:
        listed = json.loads(Path(path).read_text(encoding="utf-8"))["folds"]
    except (OSError, ValueError, KeyError) as error:
        raise RaterbenchError(f"split manifest {str(path)!r} cannot be read: {error}") from error
    position = {name: i for i, name in enumerate(dataset.index["case"])}
    subjects = dataset.index["subject"].tolist()
    folds = []
    for entry in listed:
        parts: dict[str, Positions] = {}
        for part in ("train", "validation", "test"):
            unknown = [name for name in entry[part] if name not in position]
            if unknown:
                raise RaterbenchError(f"split manifest {str(path)!r} names case {unknown[0]!r}, which {dataset.name!r} lacks")
            parts[part] = tuple(position[name] for name in entry[part])
        owner: dict[str, str] = {}
        for part, positions in parts.items():
            for i in positions:
                if owner.setdefault(subjects[i], part) != part:
                    raise RaterbenchError(
                        f"split manifest {str(path)!r}: subject {subjects[i]!r} is in {owner[subjects[i]]} and {part} "
                        f"of repeat {entry['repeat']}, fold {entry['fold']}: give each subject to one part"
                    )
        folds.append(Fold(int(entry["repeat"]), int(entry["fold"]), **parts))
    return folds
