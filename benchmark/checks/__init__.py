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


def check_file(path: str | Path) -> Iterator[CheckResult]:
    """The findings on every method, fusion, metric and data set that a Python file defines, listed or not.

    A check's name starts with the class: ``"SymmetricCrossEntropy: rater order"``.

    Raises:
        RaterbenchError: the file cannot be imported, or defines nothing that could be checked.
    """
    from ...datasets.errors import RaterbenchError
    from ...datasets.foreign import foreign_code
    from ...datasets.registry import load_plugin

    module = load_plugin(path)
    found = list(_checkable(module))
    if not found:
        raise RaterbenchError(
            f"{str(path)!r} defines no method, fusion, dataset or metric to check: subclass one of raterbench's bases in it, "
            "and implement what the base leaves open"
        )
    for cls, check in found:
        try:
            with foreign_code("building it or asking for its parameters failed"):
                results = check_name(cls) + check(cls)
        except RaterbenchError as error:
            results = [CheckResult("it can be checked", False, str(error))]
        for result in results:
            yield replace(result, name=f"{cls.__name__}: {result.name}")


def check_name(cls: type) -> list[CheckResult]:
    """Whether a class can be found by a name of its own."""
    from ...datasets import DATASETS
    from ...datasets.errors import RaterbenchError
    from ...datasets.registry import Registry
    from ...methods import FUSIONS, METHODS
    from ..metrics import METRICS

    registries: tuple[Registry[Any], ...] = (METHODS, FUSIONS, DATASETS, METRICS)
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
    from ...methods.base import Fusion, Method
    from ..metrics.base import Metric
    from .datasets import check_dataset
    from .fusions import check_fusion
    from .methods import check_method
    from .metrics import check_metric

    kinds: dict[type, Callable[[Any], list[CheckResult]]] = {
        Method: check_method,
        Fusion: check_fusion,
        Dataset: check_dataset,
        Metric: check_metric,
    }
    for cls in vars(module).values():
        if inspect.isclass(cls) and cls.__module__ == module.__name__ and not inspect.isabstract(cls):
            yield from ((cls, check) for base, check in kinds.items() if issubclass(cls, base))
