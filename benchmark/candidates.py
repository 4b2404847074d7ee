"""From the words of an experiment to configured objects: methods with their fusion, recipe and budget."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from sklearn.base import BaseEstimator

from ..datasets import DATASETS
from ..datasets.base import Dataset
from ..datasets.errors import RaterbenchError
from ..datasets.registry import Registry, load_plugin
from ..methods import FUSIONS, METHODS
from ..methods.base import Fusion, Method
from ..methods.budget import Budget
from .experiment import Candidate, Experiment, check_keys
from .metrics import METRICS

T = TypeVar("T", bound=BaseEstimator)


def build_method(candidate: Candidate, experiment: Experiment) -> Method:
    """The method of a candidate, with the experiment's budget.

    Raises:
        RaterbenchError: a method, fusion, recipe or parameter is unknown; the nearest known name is given.
    """
    cls = METHODS.get(candidate.method)
    where = f"candidate {candidate.name!r}"
    known = _parameters(cls)
    check_keys(candidate.options, known, where)
    options: dict[str, Any] = dict(candidate.options)
    if "fusion" in options:
        options["fusion"] = _part(FUSIONS, options["fusion"], f"{where}: fusion")
    if "recipe" in options:
        options["recipe"] = _recipe(options["recipe"], f"{where}: recipe")
    if "budget" in known:
        options["budget"] = _configured(Budget, {**experiment.budget, **options.get("budget", {})}, f"{where}: budget")
    return _configured(cls, options, where)


def build_fusions(experiment: Experiment) -> dict[str, Fusion]:
    """The fusions whose labels are measured without a network, by the name they have in tables.

    An entry of ``fused_rows`` is a name, or a table with the name and parameters.
    """
    fusions = {}
    for entry in experiment.fused_rows:
        fusion = _part(FUSIONS, entry, "fused_rows")
        options = "" if isinstance(entry, str) else " " + " ".join(str(v) for k, v in entry.items() if k != "name")
        fusions[(entry if isinstance(entry, str) else str(entry["name"])) + options] = fusion
    return fusions


def _recipe(value: Any, where: str) -> BaseEstimator:
    from ..methods.recipes import RECIPES

    return _part(RECIPES, value, where)


def _part(registry: Registry[Any], value: Any, where: str) -> Any:
    """A fusion or recipe from its name, or from a table with its name and parameters."""
    options = dict(value) if isinstance(value, Mapping) else {"name": value}
    if "name" not in options:
        raise RaterbenchError(f'{where}: the table has no name: add name = "..."')
    cls = registry.get(str(options.pop("name")))
    return _configured(cls, options, where)


def _configured(cls: type[T], options: Mapping[str, Any], where: str) -> T:
    check_keys(options, _parameters(cls), where)
    return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in options.items()})


def _parameters(cls: type) -> Mapping[str, Any]:
    parameters = inspect.signature(cls).parameters
    return {name: p.default for name, p in parameters.items() if name != "self" and p.kind is not p.VAR_KEYWORD}


def load_plugins(paths: tuple[str, ...]) -> None:
    """Import plug-in files and make what they define known by name; a worker calls this before it builds anything.

    Raises:
        RaterbenchError: a file defines nothing that raterbench could use.
    """
    registries: list[Registry[Any]] = [METHODS, FUSIONS, DATASETS, METRICS]
    for path in paths:
        module = load_plugin(path)
        if not [found for registry in registries for found in registry.add(module)]:
            raise RaterbenchError(
                f"plug-in {path!r} defines no method, fusion, dataset or metric: subclass one of raterbench's bases in it"
            )


def plugin_source(cls: type) -> str:
    """The text of the file that defines a class from outside the package, to be part of a unit's key; else empty."""
    if cls.__module__.startswith(__package__.rpartition(".")[0] + "."):
        return ""
    source = inspect.getsourcefile(cls)
    return Path(source).read_text(encoding="utf-8") if source else ""


def skip_reason(method: Method, dataset: Dataset) -> str | None:
    """Why a method cannot run on a data set: its own reason, or that it needs a truth nobody knows."""
    if method.needs_truth and dataset[0].truth is None:
        return "it needs the truth, which this data set does not have"
    return method.skip_reason(dataset)
