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
    from .confusion_network import ConfusionNetwork as ConfusionNetwork
    from .fused_labels import FusedLabels as FusedLabels
    from .majority import MajorityVote as MajorityVote
    from .network import NetworkMethod as NetworkMethod
    from .random_rater import RandomRater as RandomRater
    from .recipes import Conventional as Conventional
    from .recipes import Recipe as Recipe
    from .recipes import SoftCrossEntropy as SoftCrossEntropy
    from .recipes import SoftSeg as SoftSeg
    from .soft_average import SoftAverage as SoftAverage
    from .staple import STAPLE as STAPLE
    from .tgce import TGCE as TGCE

METHODS = Registry("method", Method, __package__)
FUSIONS = Registry("fusion", Fusion, __package__)

_LAZY = {
    "STAPLE": "staple",
    "TGCE": "tgce",
    "Budget": "budget",
    "ConfusionNetwork": "confusion_network",
    "Conventional": "recipes",
    "FusedLabels": "fused_labels",
    "MajorityVote": "majority",
    "NetworkMethod": "network",
    "RandomRater": "random_rater",
    "Recipe": "recipes",
    "SoftAverage": "soft_average",
    "SoftCrossEntropy": "recipes",
    "SoftSeg": "recipes",
}

__all__ = [
    "FUSIONS",
    "METHODS",
    "STAPLE",
    "TGCE",
    "Budget",
    "ConfusionNetwork",
    "Consensus",
    "Conventional",
    "FusedLabels",
    "Fusion",
    "MajorityVote",
    "Method",
    "NetworkMethod",
    "RandomRater",
    "Recipe",
    "SoftAverage",
    "SoftCrossEntropy",
    "SoftSeg",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
