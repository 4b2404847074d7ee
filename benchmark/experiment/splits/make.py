"""Makes the folds of an experiment, and checks that no subject is on two sides of one."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ....datasets.base import Dataset
from ....errors import RaterbenchError
from ....plugin_errors import calling
from ....seeds import seed_sequence
from .base import SPLITS, Parts, Positions, SplitCases, SplitPolicy
from .draw import draw_by_subject
from .settings import Split

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Fold:
    """Positions of cases in the data set's index, in order of the cases' names; no subject is in two of the three parts."""

    repeat: int
    fold: int
    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]


def make_folds(dataset: Dataset, split: Split, seed: int) -> list[Fold]:
    """All folds of all repeats, which depend on who the subjects are, their centres, the split and the seed.

    The order of the cases in the data set does not matter, and each part lists its cases by name.

    Raises:
        RaterbenchError: there are fewer subjects or centres than the split needs, or the manifest does not fit.
    """
    if split.manifest:
        from .manifest import read_manifest

        return read_manifest(split.manifest, dataset)
    return folds_of(split.build(), dataset, seed, repeats=split.repeats, validation=split.validation)


def folds_of(policy: SplitPolicy, dataset: Dataset, seed: int, *, repeats: int, validation: float) -> list[Fold]:
    """The folds that a policy makes, checked; ``validation`` is the share of the subjects which are not tested.

    Raises:
        RaterbenchError: the policy cannot split the data set, or a subject is in two parts of a fold.
    """
    name = SPLITS.name_of(type(policy))
    by_name, cases = _by_name(dataset)
    folds = []
    for repeat in range(repeats):
        with calling(type(policy), f"split policy {name!r}"):
            made = [Parts(*parts) for parts in policy.outer(cases, seed_sequence(seed, repeat))]
            for number, parts in enumerate(made):
                random = np.random.default_rng(seed_sequence(seed, repeat, number))
                train, validating = _train_and_validation(parts, cases, validation, random)
                positions = (tuple(by_name[np.sort(part)].tolist()) for part in (train, validating, parts.test))
                folds.append(Fold(repeat, number, *positions))
    check_folds(folds, dataset, f"data set {dataset.name!r} with split.policy = {name!r}")
    return folds


def without_test(dataset: Dataset, validation: float, seed: int) -> Fold:
    """All cases to learn from, for a model that nothing is left to test; a share of the subjects validates, as in a fold.

    Raises:
        RaterbenchError: there is one subject alone.
    """
    by_name, cases = _by_name(dataset)
    parts = Parts(np.arange(len(dataset)), np.empty(0, np.intp))
    drawn = _train_and_validation(parts, cases, validation, np.random.default_rng(seed_sequence(seed)))
    train, validating = (tuple(by_name[np.sort(part)].tolist()) for part in drawn)
    return Fold(0, 0, train, validating, ())


def _by_name(dataset: Dataset) -> tuple[Positions, SplitCases]:
    """The positions of the cases in the order of their names, and the cases in this order."""
    by_name = np.argsort(dataset.index["case"].to_numpy(str), kind="stable")
    ordered = dataset.subset(by_name.tolist())
    subjects, centres = (ordered.index[column].to_numpy(str) for column in ("subject", "centre"))
    return by_name, SplitCases(dataset.name, subjects, centres, np.array(ordered.official_test or (), np.intp))


def _train_and_validation(
    parts: Parts, cases: SplitCases, share: float, random: np.random.Generator
) -> tuple[Positions, Positions]:
    """The rest of a fold in two: as the policy says, or with validation subjects drawn from each centre where that can be."""
    if parts.validation is not None:
        return np.setdiff1d(parts.rest, parts.validation), np.asarray(parts.validation)
    n = len(set(cases.subjects[parts.rest]))
    if n < 2:
        alone = "a training part with one subject leaves nothing to validate on"
        raise RaterbenchError(f"data set {cases.dataset!r}: {alone}")
    return draw_by_subject(np.asarray(parts.rest), cases, min(math.ceil(share * n), n - 1), random)


def check_folds(folds: Sequence[Fold], dataset: Dataset, where: str) -> None:
    """Check folds, whoever made them, so that no subject is both learned from and tested.

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
