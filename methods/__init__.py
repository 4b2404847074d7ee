"""What is compared: label fusion, networks and losses, one method a file.

``METHODS`` and ``FUSIONS`` find every method and fusion by name; the modules are imported when they are first asked.
"""

from ..datasets.registry import Registry
from .base import Fusion, Method

METHODS = Registry("method", Method, __package__)
FUSIONS = Registry("fusion", Fusion, __package__)

__all__ = ["FUSIONS", "METHODS"]
