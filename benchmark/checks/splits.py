"""The contract of a split policy as checks that can be run on any class, the suite's own or a plug-in's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...datasets.base import Case, Dataset, Geometry
from ...datasets.case_list import CaseList
from ..experiment.splits import Fold, SplitPolicy, folds_of
from .parameters import parameters_are_stored
from .result import CheckResult, require, run_checks

SUBJECTS, CASES, CENTRES = 18, 2, ("north", "south", "west")


def check_split(policy: type[SplitPolicy]) -> list[CheckResult]:
    """Try a split policy with its default parameters against the whole contract."""
    results = run_checks({"parameters are stored": parameters_are_stored}, policy)
    return results + run_checks(CHECKS, policy) if results[0].passed else results


def example(order: Sequence[int] | None = None) -> Dataset:
    """Eighteen subjects of three centres with two cases each, three subjects in a test part of its own."""
    image, labels = np.zeros((1, 1, 1), np.float32), np.zeros((1, 1), np.uint8)
    names = [(f"case {s:02}-{n}", f"subject {s:02}", CENTRES[s % 3]) for s in range(SUBJECTS) for n in range(CASES)]
    cases = [Case(*name, image, {"a": labels}, Geometry.axis_aligned(2)) for name in names]
    dataset = CaseList("example", [cases[i] for i in order or range(len(cases))], ("background", "object"))
    official = {name for name, subject, _ in names if subject < "subject 03"}
    dataset.official_test = tuple(i for i, case in enumerate(dataset.cases) if case.id in official)
    return dataset


def _folds(policy: type[SplitPolicy], dataset: Dataset, seed: int = 0) -> list[Fold]:
    return folds_of(policy(), dataset, seed, repeats=2, validation=0.2)


def _no_leak(policy: type[SplitPolicy]) -> None:
    for seed in range(3):
        _folds(policy, example(), seed)


def _repeatable(policy: type[SplitPolicy]) -> None:
    same = _folds(policy, example()) == _folds(policy, example())
    require(same, "the same data and seed gave other folds: draw all randomness from seeds")


def _order(policy: type[SplitPolicy]) -> None:
    order = np.random.default_rng(0).permutation(SUBJECTS * CASES).tolist()
    given, shuffled = example(), example(order)
    one, other = (
        [
            [sorted(data.index["case"].iloc[list(part)]) for part in (f.train, f.validation, f.test)]
            for f in _folds(policy, data)
        ]
        for data in (given, shuffled)
    )
    require(one == other, "the order of the cases in the data set changed the folds: look at names alone")


def _least(policy: type[SplitPolicy]) -> None:
    least, found = policy().least_folds(), sum(fold.repeat == 0 for fold in _folds(policy, example()))
    require(least <= found, f"least_folds gave {least}, and outer gave {found} folds: give the smallest number there can be")


CHECKS: dict[str, Callable[[type[SplitPolicy]], None]] = {
    "no subject is in two parts of a fold": _no_leak,
    "the same seed gives the same folds": _repeatable,
    "the order of cases": _order,
    "the number of folds": _least,
}
