"""Diagnosis: networks that tell the diagnosis of a case from its image and a mask, and what is built on them.

To add a network, write a subclass of ``DiagnosisNetwork`` in a file here or in a plug-in file; ``dl_roi.py`` is the example.
"""

from __future__ import annotations

from ...registry import Registry
from .base import DiagnosisNetwork

DIAGNOSIS_NETWORKS: Registry[DiagnosisNetwork] = Registry("diagnosis network", DiagnosisNetwork, __name__)
"""Every diagnosis network, and every rule that stands for one, by name."""

__all__ = ["DIAGNOSIS_NETWORKS", "DiagnosisNetwork"]
