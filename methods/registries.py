"""Every method and every fusion by its name."""

from ..registry import Registry
from .base import CaseFusion, Fusion, Method

ROOMS = ("networks", "raters", "sampling", "quality", "diagnosis")
METHODS = Registry("method", Method, *(f"{__package__}.{room}" for room in ROOMS))
FUSIONS = Registry("fusion", Fusion, f"{__package__}.fusion")
CASE_FUSIONS = Registry("case fusion", CaseFusion, f"{__package__}.diagnosis")
"""Fusions that see the case: what takes either kind finds it under ``fusion``, too."""
