"""Backbones: the networks from images to logits, one a file, by the name that ``Budget(backbone=...)`` gives.

To add one, write a subclass of ``Backbone`` in a file here or in a plug-in file; ``unet.py`` is the example.
"""

from __future__ import annotations

from ...registry import Registry
from .base import Backbone

BACKBONES: Registry[Backbone] = Registry("backbone", Backbone, __name__)
"""Every backbone by name."""

__all__ = ["BACKBONES", "Backbone"]
