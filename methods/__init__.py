"""What is compared: label fusion, networks and losses, one method a file.

``METHODS`` and ``FUSIONS`` find every method and fusion by name. Modules are imported when they are first asked for, so that
the contracts cost no network.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ..datasets.registry import Registry
from .base import Consensus, Fusion, Method

if TYPE_CHECKING:
    from .budget import Budget as Budget
    from .fused_labels import FusedLabels as FusedLabels
    from .network import NetworkMethod as NetworkMethod
    from .recipes import Recipe as Recipe

METHODS = Registry("method", Method, __package__)
FUSIONS = Registry("fusion", Fusion, __package__)

_LAZY = {"Budget": "budget", "FusedLabels": "fused_labels", "NetworkMethod": "network", "Recipe": "recipes"}

__all__ = [
    "FUSIONS",
    "METHODS",
    "Budget",
    "Consensus",
    "FusedLabels",
    "Fusion",
    "Method",
    "NetworkMethod",
    "Recipe",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
