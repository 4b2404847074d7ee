"""What ``raterbench list`` shows: every name of a kind with one line of purpose."""

from __future__ import annotations

from typing import Any

from ...datasets import DATASETS
from ...methods import FUSIONS, METHODS
from ...registry import Registry
from ..metrics import METRICS
from .experiment import read_experiment
from .factory import load_plugins
from .files import shipped


def describe(kind: str, plugins: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """(name, first line of its documentation) of all methods, fusions, recipes, datasets, metrics or experiments."""
    load_plugins(plugins)
    if kind == "experiments":
        return [(name, read_experiment(name).description) for name in shipped()]
    registry = _registries()[kind]
    return [(name, (registry.get(name).__doc__ or "").strip().partition("\n")[0]) for name in registry.names()]


def _registries() -> dict[str, Registry[Any]]:
    from ...methods.learning.recipes import RECIPES

    return {"methods": METHODS, "fusions": FUSIONS, "recipes": RECIPES, "datasets": DATASETS, "metrics": METRICS}
