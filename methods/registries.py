"""Every method and every fusion by its name."""

from ..registry import Registry
from .base import Fusion, Method

ROOMS = ("networks", "raters", "sampling", "quality")
METHODS = Registry("method", Method, *(f"{__package__}.{room}" for room in ROOMS))
FUSIONS = Registry("fusion", Fusion, f"{__package__}.fusion")
