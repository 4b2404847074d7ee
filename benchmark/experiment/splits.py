"""Who trains, who validates, who is tested: scikit-learn's splitters over subjects, and the manifest of what they gave."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import LeaveOneGroupOut, StratifiedKFold

from ...datasets.base import Dataset
from ...errors import RaterbenchError
from ...parameters import Range
from ...seeds import seed_sequence
from ...text_files import LARGEST_WRITTEN, parse_json, read_text
from .experiment import MOST_UNITS, Split, canonical
from .settings import build

Positions = tuple[int, ...]
Names = npt.NDArray[np.str_]
Places = npt.NDArray[np.intp]
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Fold:
    """Positions of cases in the data set's index, in order of the cases' names; no subject is in two of the three parts."""

    repeat: int
    fold: int
    train: Positions
    validation: Positions
    test: Positions


@dataclass(frozen=True)
class ListedFold:
    """A fold as a manifest lists it, by the names of the cases."""

    repeat: Annotated[int, Range(0, MOST_UNITS)]
    fold: Annotated[int, Range(0, MOST_UNITS)]
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


def make_folds(dataset: Dataset, split: Split, seed: int) -> list[Fold]:
    """All folds of all repeats, which depend on who the subjects are, their centres, the split and the seed.

    The order of the cases in the data set plays no part, and each part lists its cases by name.

    Raises:
        RaterbenchError: there are fewer subjects or centres than the split needs, or the manifest does not fit.
    """
    if split.manifest:
        return read_manifest(split.manifest, dataset)
    by_name = np.argsort(dataset.index["case"].to_numpy(str), kind="stable")
    ordered = dataset.subset(by_name.tolist())
    owner, centres = (ordered.index[column].to_numpy(str) for column in ("subject", "centre"))
    folds = []
    for repeat in range(split.repeats):
        for number, (rest, test) in enumerate(_outer(ordered, split, owner, centres, seed_sequence(seed, repeat))):
            if len(set(owner[rest])) < 2:
                alone = "a training part with one subject leaves nothing to validate on"
                raise RaterbenchError(f"data set {dataset.name!r}: {alone}")
            drawing = np.random.default_rng(seed_sequence(seed, repeat, number))
            train, validation = _inner(rest, owner, centres, split.validation, drawing)
            folds.append(Fold(repeat, number, *(tuple(by_name[part].tolist()) for part in (train, validation, test))))
    check_folds(folds, dataset, f"data set {dataset.name!r} with split.policy = {split.policy!r}")
    return folds


def _outer(
    dataset: Dataset, split: Split, owner: Names, centres: Names, seeds: np.random.SeedSequence
) -> Iterator[tuple[Places, Places]]:
    """Positions of the cases to learn from and to test; ``owner`` and ``centres`` [cases] say whose and where each case is."""
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
    return _by_subject(dataset.name, owner, centres, split.folds, seeds)


def _by_subject(
    name: str, owner: Names, centres: Names, folds: int, seeds: np.random.SeedSequence
) -> Iterator[tuple[Places, Places]]:
    """Folds with as many subjects each, give or take one, and each centre's subjects spread over them."""
    subjects, homes = _homes(owner, centres)
    if len(subjects) - math.ceil(len(subjects) / folds) < 2:
        what = f"data set {name!r} has {len(subjects)} subjects, too few for {folds} folds"
        raise RaterbenchError(f"{what}: training and validation need one each, beside those tested")
    if len(subjects) < folds:
        raise RaterbenchError(f"data set {name!r} has {len(subjects)} subjects, too few for {folds} folds: lower split.folds")
    # Centres with fewer subjects than folds cannot be spread evenly, so they go with the largest.
    names, sizes = np.unique(homes, return_counts=True)
    strata = np.where(np.isin(homes, names[sizes < folds]), names[sizes.argmax()], homes)
    random = np.random.RandomState(np.random.MT19937(seeds))
    for _, tested in StratifiedKFold(folds, shuffle=True, random_state=random).split(subjects, strata):
        test = np.isin(owner, subjects[tested])
        yield np.flatnonzero(~test), np.flatnonzero(test)


def _homes(owner: Names, centres: Names) -> tuple[Names, Names]:
    """The subjects in order of name, and the centre of each: of several, the first by name."""
    pairs = sorted(set(zip(owner.tolist(), centres.tolist(), strict=True)), reverse=True)
    home = dict(pairs)
    subjects = sorted(home)
    return np.array(subjects), np.array([home[subject] for subject in subjects])


def _inner(rest: Places, owner: Names, centres: Names, share: float, random: np.random.Generator) -> tuple[Places, Places]:
    """The positions ``rest`` divided into training and validation, with subjects of each centre in both where that can be."""
    subjects, homes = _homes(owner[rest], centres[rest])
    names, sizes = np.unique(homes, return_counts=True)
    seats = validation_seats(sizes.tolist(), min(math.ceil(share * len(subjects)), len(subjects) - 1))
    chosen = [random.permutation(subjects[homes == name])[:n] for name, n in zip(names, seats, strict=True)]
    validated = np.isin(owner[rest], np.concatenate(chosen))
    return rest[~validated], rest[validated]


def validation_seats(sizes: Sequence[int], n: int) -> list[int]:
    """How many of ``n`` validation subjects each centre gives; ``sizes`` are the centres' subjects, ``n`` is less than all.

    Each centre of two subjects or more gives one, the largest first, as far as ``n`` goes. The rest is shared in proportion
    to the sizes, by largest remainder, and a centre gives its last subject only when no other has one left to give.
    """
    seats = [0] * len(sizes)
    largest_first = sorted(range(len(sizes)), key=lambda centre: -sizes[centre])
    for centre in [centre for centre in largest_first if sizes[centre] >= 2][:n]:
        seats[centre] = 1
    fair = [n * size / sum(sizes) for size in sizes]
    while sum(seats) < n:
        giving = [c for c in largest_first if seats[c] < sizes[c] - 1] or [c for c in largest_first if seats[c] < sizes[c]]
        seats[max(giving, key=lambda centre: fair[centre] - seats[centre])] += 1
    return seats


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


def check_folds(folds: Sequence[Fold], dataset: Dataset, where: str) -> None:
    """Whatever made the folds, no result may stand on a leak.

    Raises:
        RaterbenchError: a part is empty, a subject is in two parts of a fold, a case is tested twice in a repeat, or folds
            and repeats are not numbered from 0 without gaps.
    """
    subjects, cases = dataset.index["subject"].tolist(), dataset.index["case"].tolist()
    numbers = Counter(fold.repeat for fold in folds)
    expected = [(repeat, fold) for repeat in range(len(numbers)) for fold in range(numbers[repeat])]
    if not folds or sorted((fold.repeat, fold.fold) for fold in folds) != expected:
        raise RaterbenchError(f"{where}: repeats, and the folds of each, must be numbered 0, 1 and so on, each once")
    tested: set[tuple[int, int]] = set()
    for fold in folds:
        here, owner = f"repeat {fold.repeat}, fold {fold.fold}", dict[str, str]()
        for part, positions in (("train", fold.train), ("validation", fold.validation), ("test", fold.test)):
            if not positions:
                raise RaterbenchError(f"{where}: the {part} part of {here} is empty")
            if len(set(positions)) < len(positions):
                raise RaterbenchError(f"{where}: the {part} part of {here} lists a case twice")
            for i in positions:
                if owner.setdefault(subjects[i], part) != part:
                    raise RaterbenchError(
                        f"{where}: subject {subjects[i]!r} is in {owner[subjects[i]]} and {part} of {here}: "
                        "give each subject to one part"
                    )
        for i in fold.test:
            if (fold.repeat, i) in tested:
                raise RaterbenchError(f"{where}: case {cases[i]!r} is tested twice in repeat {fold.repeat}")
            tested.add((fold.repeat, i))
