"""What is compared: label fusion, networks and losses, one method a file.

``METHODS`` and ``FUSIONS`` find every method and fusion by name. Modules are imported when they are first asked for, so that
the contracts cost no network.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ..registry import Registry
from .base import Consensus, FitReport, Fusion, Method, Prediction, Trial

if TYPE_CHECKING:
    from .fusion.at_least import AtLeast as AtLeast
    from .fusion.contested_staple import ContestedSTAPLE as ContestedSTAPLE
    from .fusion.intersection import Intersection as Intersection
    from .fusion.log_opinion_pool_staple import LogOpinionPoolSTAPLE as LogOpinionPoolSTAPLE
    from .fusion.majority import MajorityVote as MajorityVote
    from .fusion.map_staple import MAPSTAPLE as MAPSTAPLE
    from .fusion.one_coin_staple import OneCoinSTAPLE as OneCoinSTAPLE
    from .fusion.simple import SIMPLE as SIMPLE
    from .fusion.soft_average import SoftAverage as SoftAverage
    from .fusion.soft_staple import SoftSTAPLE as SoftSTAPLE
    from .fusion.spatial_staple import SpatialSTAPLE as SpatialSTAPLE
    from .fusion.staple import STAPLE as STAPLE
    from .fusion.union import Union as Union
    from .learning.budget import Budget as Budget
    from .learning.network import NetworkMethod as NetworkMethod
    from .learning.recipes import Conventional as Conventional
    from .learning.recipes import Recipe as Recipe
    from .learning.recipes import SoftCrossEntropy as SoftCrossEntropy
    from .learning.recipes import SoftSeg as SoftSeg
    from .networks.confusion_network import ConfusionNetwork as ConfusionNetwork
    from .networks.cr_network import CRNetwork as CRNetwork
    from .networks.crowd_layer import CrowdLayer as CrowdLayer
    from .networks.fused_labels import FusedLabels as FusedLabels
    from .networks.gce import GCE as GCE
    from .networks.oracle_confusion_network import OracleConfusionNetwork as OracleConfusionNetwork
    from .networks.random_rater import RandomRater as RandomRater
    from .networks.separate_networks import SeparateNetworks as SeparateNetworks
    from .networks.tgce import TGCE as TGCE
    from .networks.tuned import Tuned as Tuned

METHODS = Registry("method", Method, f"{__name__}.networks")
FUSIONS = Registry("fusion", Fusion, f"{__name__}.fusion")

_LAZY = {
    "GCE": "networks.gce",
    "MAPSTAPLE": "fusion.map_staple",
    "SIMPLE": "fusion.simple",
    "STAPLE": "fusion.staple",
    "TGCE": "networks.tgce",
    "AtLeast": "fusion.at_least",
    "Budget": "learning.budget",
    "CRNetwork": "networks.cr_network",
    "ConfusionNetwork": "networks.confusion_network",
    "ContestedSTAPLE": "fusion.contested_staple",
    "Conventional": "learning.recipes",
    "CrowdLayer": "networks.crowd_layer",
    "FusedLabels": "networks.fused_labels",
    "Intersection": "fusion.intersection",
    "LogOpinionPoolSTAPLE": "fusion.log_opinion_pool_staple",
    "MajorityVote": "fusion.majority",
    "NetworkMethod": "learning.network",
    "OneCoinSTAPLE": "fusion.one_coin_staple",
    "OracleConfusionNetwork": "networks.oracle_confusion_network",
    "RandomRater": "networks.random_rater",
    "Recipe": "learning.recipes",
    "SeparateNetworks": "networks.separate_networks",
    "SoftAverage": "fusion.soft_average",
    "SoftCrossEntropy": "learning.recipes",
    "SoftSTAPLE": "fusion.soft_staple",
    "SoftSeg": "learning.recipes",
    "SpatialSTAPLE": "fusion.spatial_staple",
    "Tuned": "networks.tuned",
    "Union": "fusion.union",
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
    "FitReport",
    "FusedLabels",
    "Fusion",
    "Intersection",
    "LogOpinionPoolSTAPLE",
    "MajorityVote",
    "Method",
    "NetworkMethod",
    "OneCoinSTAPLE",
    "OracleConfusionNetwork",
    "Prediction",
    "RandomRater",
    "Recipe",
    "SeparateNetworks",
    "SoftAverage",
    "SoftCrossEntropy",
    "SoftSTAPLE",
    "SoftSeg",
    "SpatialSTAPLE",
    "Trial",
    "Tuned",
    "Union",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
