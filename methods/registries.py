"""Every method and every fusion by its name."""

from ..registry import Registry
from .base import Fusion, Method

METHODS = Registry("method", Method, f"{__package__}.networks", f"{__package__}.quality", f"{__package__}.sampling")
FUSIONS = Registry("fusion", Fusion, f"{__package__}.fusion")
