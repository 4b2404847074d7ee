"""What ``raterbench list`` shows: every name of a kind with one line of purpose."""

from __future__ import annotations

from .experiment import read_experiment
from .factory import load_plugins, registries
from .files import shipped


def describe(kind: str, plugins: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """(name, first line of its documentation) of all classes of one kind, or of all experiments."""
    load_plugins(plugins)
    if kind == "experiments":
        return [(name, read_experiment(name).description) for name in shipped()]
    registry = registries()[kind]
    return [(name, (registry.get(name).__doc__ or "").strip().partition("\n")[0]) for name in registry.names()]
