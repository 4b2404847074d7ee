"""What ``raterbench list`` shows: every name of a kind with one line of purpose."""

from __future__ import annotations

from typing import Any

from ..datasets import DATASETS
from ..datasets.registry import Registry
from ..methods import FUSIONS, METHODS
from .candidates import load_plugins
from .experiment import read_experiment
from .experiment_files import shipped
from .metrics import METRICS


def describe(kind: str, plugins: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """(name, first line of its documentation) of all methods, fusions, recipes, datasets, metrics or experiments."""
    load_plugins(plugins)
    if kind == "experiments":
        return [(name, read_experiment(name).description) for name in shipped()]
    registry = _registries()[kind]
    return [(name, (registry.get(name).__doc__ or "").strip().partition("\n")[0]) for name in registry.names()]


def _registries() -> dict[str, Registry[Any]]:
    from ..methods.recipes import RECIPES

    return {"methods": METHODS, "fusions": FUSIONS, "recipes": RECIPES, "datasets": DATASETS, "metrics": METRICS}
