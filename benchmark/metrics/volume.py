"""Volumes: relative and absolute difference, and the volume that is predicted outside the reference."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, prod

import numpy as np

from ...datasets.base import Unit
from ...voxel_counts import Doubles, ratio
from .base import Metric, Segmentation
from .overlap import hits


class RelativeVolumeDifference(Metric):
    """(V_reference - V_prediction) / V_reference: positive is under-segmentation; many papers use the other sign."""

    name, label = "rvd", "Relative volume difference"
    better, range, per_class = "zero", (-inf, 1.0), True
    empty = "The relative volume difference is left out where the reference is empty."

    def measure(self, prediction: Segmentation, reference: Segmentation | None, *, spacing: Sequence[float]) -> Doubles:
        del spacing
        found = hits(self, prediction, reference)
        return ratio(found.referred - found.predicted, found.referred)


class AbsoluteVolumeDifference(Metric):
    """|V_reference - V_prediction| / V_reference: the relative volume difference without its sign (AVD in papers)."""

    name, label = "avd", "Absolute relative volume difference"
    better, range, per_class = "lower", (0.0, inf), True
    empty = "The absolute relative volume difference is left out where the reference is empty."

    def measure(self, prediction: Segmentation, reference: Segmentation | None, *, spacing: Sequence[float]) -> Doubles:
        del spacing
        found = hits(self, prediction, reference)
        return ratio(np.abs(found.referred - found.predicted), found.referred)


class FalsePositiveVolume(Metric):
    """The volume (area in 2-D) that is predicted outside the reference, in the unit of the geometry: mm³, mm², px³ or px².

    A volume of one slice has a thickness, so what is measured in it is a volume. The metric stands beside Dice, which says
    nothing about how much was predicted where the reference is empty.
    """

    name, label, quantity = "false positive volume", "False-positive volume", "size"
    better, range, per_class = "lower", (0.0, inf), True
    empty = "The false-positive volume is the whole predicted volume where the reference is empty."

    def label_in(self, unit: Unit, ndim: int) -> str:
        what = "area" if ndim == 2 else "volume"
        return f"False-positive {what} [{self.unit_in(unit, ndim)}]"

    def measure(self, prediction: Segmentation, reference: Segmentation | None, *, spacing: Sequence[float]) -> Doubles:
        found = hits(self, prediction, reference)
        voxel = prod(float(s) for s in spacing) if found.total else np.nan
        return np.asarray((found.predicted - found.both) * voxel, np.float64)
