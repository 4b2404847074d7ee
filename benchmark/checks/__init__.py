"""Contract tests that a contributor runs on a class of their own, with every finding in plain words."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from .result import CheckResult

__all__ = ["CheckResult", "check_file"]

LONGEST = 600.0
"""Seconds that the checks of a class may take: a small network of pure Python ends long before."""


def check_file(path: str | Path, *, timeout: float = LONGEST) -> Iterator[CheckResult]:
    """The findings on every class that a Python file defines and that can be checked, listed or not.

    That is every method, fusion, diagnosis network, recipe, backbone, metric, split policy and data set.

    Each class is checked in a process of its own, so that one that hangs, crashes or ends its process is a failed check.
    A check's name starts with the class: ``"SymmetricCrossEntropy: rater order"``. ``timeout`` is in seconds, for each class.

    Raises:
        RaterbenchError: the file cannot be imported, or defines nothing that could be checked.
    """
    from ...errors import RaterbenchError
    from ...text_files import read_bytes

    read_bytes(Path(path), "plug-in")  # A missing file is an error before torch is imported, which takes seconds.
    from ..runner.workers import Died, side_by_side

    imports = (f"{__package__.rpartition('.')[0]}.runner.preloaded",)
    ((_, names),) = side_by_side([path], class_names, 1, timeout=timeout, imports=imports)
    if isinstance(names, Died):
        raise RaterbenchError(f"{str(path)!r} cannot be imported: {names.how}")
    for (_, name), found in side_by_side([(path, name) for name in names], _check_class, 1, timeout=timeout):
        results = [CheckResult("it lets the checks end", False, found.how)] if isinstance(found, Died) else found
        for result in results:
            yield replace(result, name=f"{name}: {result.name}")


def class_names(path: str | Path) -> list[str]:
    """The names of the classes in a Python file that can be checked.

    Raises:
        RaterbenchError: the file cannot be imported, or has none.
    """
    from ...errors import RaterbenchError
    from ...registry import load_plugin

    names = [cls.__name__ for cls, _ in _checkable(load_plugin(path))]
    if not names:
        raise RaterbenchError(
            f"{str(path)!r} defines no method, fusion, diagnosis network, recipe, backbone, metric, split policy or data "
            "set to check: subclass one of raterbench's bases in it, and implement what the base leaves open"
        )
    return names


def _check_class(place: tuple[str | Path, str]) -> list[CheckResult]:
    """The findings on the class of this name in a file."""
    from ...errors import RaterbenchError
    from ...plugin_errors import foreign_code
    from ...registry import load_plugin

    path, name = place
    cls, check = next(found for found in _checkable(load_plugin(path)) if found[0].__name__ == name)
    try:
        with foreign_code("building it or asking for its parameters failed"):
            return check_name(cls) + check(cls)
    except RaterbenchError as error:
        return [CheckResult("it can be checked", False, str(error))]


def check_name(cls: type) -> list[CheckResult]:
    """Whether a class can be found by a name of its own."""
    from ...datasets import DATASETS
    from ...errors import RaterbenchError
    from ...methods import CASE_FUSIONS, FUSIONS, METHODS
    from ...methods.backbones import BACKBONES
    from ...methods.diagnosis import DIAGNOSIS_NETWORKS
    from ...methods.learning.recipes import RECIPES
    from ...registry import Registry
    from ..experiment.splits import SPLITS
    from ..metrics import METRICS

    of_methods: tuple[Registry[Any], ...] = (METHODS, FUSIONS, CASE_FUSIONS, DIAGNOSIS_NETWORKS, RECIPES, BACKBONES)
    registries: tuple[Registry[Any], ...] = (*of_methods, DATASETS, METRICS, SPLITS)
    try:
        for registry in registries:
            if issubclass(cls, registry.base):
                registry.check_free(cls)
    except RaterbenchError as error:
        return [CheckResult("it has a name of its own", False, str(error))]
    return []


def _checkable(module: ModuleType) -> Iterator[tuple[type, Callable[[Any], list[CheckResult]]]]:
    """Each concrete class that the module defines, in the order of the file, with what checks it."""
    from ...datasets.base import Dataset
    from ...methods.backbones.base import Backbone
    from ...methods.base import CaseFusion, Fusion, Method
    from ...methods.diagnosis.base import DiagnosisNetwork
    from ...methods.learning.recipes import Recipe
    from ..experiment.splits import SplitPolicy
    from ..metrics.base import MetricBase
    from .backbones import check_backbone, check_recipe
    from .datasets import check_dataset
    from .diagnosis import check_case_fusion, check_diagnosis_network
    from .fusions import check_fusion
    from .methods import check_method
    from .metrics import check_metric
    from .splits import check_split

    kinds: dict[type, Callable[[Any], list[CheckResult]]] = {
        Method: check_method,
        Fusion: check_fusion,
        CaseFusion: check_case_fusion,
        DiagnosisNetwork: check_diagnosis_network,
        Recipe: check_recipe,
        Backbone: check_backbone,
        Dataset: check_dataset,
        MetricBase: check_metric,
        SplitPolicy: check_split,
    }
    for cls in vars(module).values():
        if inspect.isclass(cls) and cls.__module__ == module.__name__ and not inspect.isabstract(cls):
            yield from ((cls, check) for base, check in kinds.items() if issubclass(cls, base))
