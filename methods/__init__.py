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
    from .at_least import AtLeast as AtLeast
    from .budget import Budget as Budget
    from .confusion_network import ConfusionNetwork as ConfusionNetwork
    from .contested_staple import ContestedSTAPLE as ContestedSTAPLE
    from .cr_network import CRNetwork as CRNetwork
    from .crowd_layer import CrowdLayer as CrowdLayer
    from .fused_labels import FusedLabels as FusedLabels
    from .gce import GCE as GCE
    from .intersection import Intersection as Intersection
    from .log_opinion_pool_staple import LogOpinionPoolSTAPLE as LogOpinionPoolSTAPLE
    from .majority import MajorityVote as MajorityVote
    from .map_staple import MAPSTAPLE as MAPSTAPLE
    from .network import NetworkMethod as NetworkMethod
    from .one_coin_staple import OneCoinSTAPLE as OneCoinSTAPLE
    from .oracle_confusion_network import OracleConfusionNetwork as OracleConfusionNetwork
    from .random_rater import RandomRater as RandomRater
    from .recipes import Conventional as Conventional
    from .recipes import Recipe as Recipe
    from .recipes import SoftCrossEntropy as SoftCrossEntropy
    from .recipes import SoftSeg as SoftSeg
    from .separate_networks import SeparateNetworks as SeparateNetworks
    from .simple import SIMPLE as SIMPLE
    from .soft_average import SoftAverage as SoftAverage
    from .soft_staple import SoftSTAPLE as SoftSTAPLE
    from .spatial_staple import SpatialSTAPLE as SpatialSTAPLE
    from .staple import STAPLE as STAPLE
    from .tgce import TGCE as TGCE
    from .union import Union as Union

METHODS = Registry("method", Method, __package__)
FUSIONS = Registry("fusion", Fusion, __package__)

_LAZY = {
    "GCE": "gce",
    "MAPSTAPLE": "map_staple",
    "SIMPLE": "simple",
    "STAPLE": "staple",
    "TGCE": "tgce",
    "AtLeast": "at_least",
    "Budget": "budget",
    "CRNetwork": "cr_network",
    "ConfusionNetwork": "confusion_network",
    "ContestedSTAPLE": "contested_staple",
    "Conventional": "recipes",
    "CrowdLayer": "crowd_layer",
    "FusedLabels": "fused_labels",
    "Intersection": "intersection",
    "LogOpinionPoolSTAPLE": "log_opinion_pool_staple",
    "MajorityVote": "majority",
    "NetworkMethod": "network",
    "OneCoinSTAPLE": "one_coin_staple",
    "OracleConfusionNetwork": "oracle_confusion_network",
    "RandomRater": "random_rater",
    "Recipe": "recipes",
    "SeparateNetworks": "separate_networks",
    "SoftAverage": "soft_average",
    "SoftCrossEntropy": "recipes",
    "SoftSTAPLE": "soft_staple",
    "SoftSeg": "recipes",
    "SpatialSTAPLE": "spatial_staple",
    "Union": "union",
}

__all__ = [
    "FUSIONS",
    "GCE",
    "MAPSTAPLE",
    "METHODS",
    "SIMPLE",
    "STAPLE",
    "TGCE",
    "AtLeast",
    "Budget",
    "CRNetwork",
    "ConfusionNetwork",
    "Consensus",
    "ContestedSTAPLE",
    "Conventional",
    "CrowdLayer",
    "FusedLabels",
    "Fusion",
    "Intersection",
    "LogOpinionPoolSTAPLE",
    "MajorityVote",
    "Method",
    "NetworkMethod",
    "OneCoinSTAPLE",
    "OracleConfusionNetwork",
    "RandomRater",
    "Recipe",
    "SeparateNetworks",
    "SoftAverage",
    "SoftCrossEntropy",
    "SoftSTAPLE",
    "SoftSeg",
    "SpatialSTAPLE",
    "Union",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
