"""The five raters of simulated spinal cords, and two variants of one of them for tests of fusions that use the diagnosis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .raters import BoundaryBias, BoundaryJitter, InventedPart, MissedPart, SimulatedRater, VoxelFlips

RATERS = (
    SimulatedRater("steady", (BoundaryJitter(0.15, 1.0),)),
    SimulatedRater("generous", (BoundaryBias((0.55, 0.40)), BoundaryJitter(0.20, 1.5))),
    SimulatedRater("sparing", (BoundaryBias((-0.45, -0.25)), BoundaryJitter(0.15, 1.5))),
    SimulatedRater(
        "patchy",
        (
            BoundaryBias((0.15, 0.15)),
            BoundaryJitter(0.25, 1.2),
            MissedPart(1, 0.7, 1.6),
            InventedPart(1, 0.6, 1.1),
            InventedPart(0, 0.4, 1.8),
        ),
    ),
    SimulatedRater(
        "careless",
        (BoundaryBias((0.30, 0.20)), BoundaryJitter(0.30, 1.2)),
        VoxelFlips(((0.97, 0.07, 0.03), (0.02, 0.84, 0.17), (0.01, 0.09, 0.80))),
    ),
)
"""The five raters: lengths in mm, for the outline of the whole cord and for that of the grey matter."""


@dataclass(frozen=True)
class KnowingRater(SimulatedRater):
    """A rater who knows the diagnosis and draws what it makes them expect, beyond what there is to see.

    ``bend`` [D, K-1] says how many mm each outline lies too far out in cases of each diagnosis; it comes after the ``effects``
    and draws no random numbers, so that the rater otherwise errs as one with the same effects who does not know.
    """

    bend: tuple[tuple[float, ...], ...] = ()

    def for_diagnosis(self, diagnosis: int | None) -> SimulatedRater:
        bent = () if diagnosis is None else (BoundaryBias(self.bend[diagnosis]),)
        return SimulatedRater(self.name, (*self.effects, *bent), self.flips)


Arm = Literal["independent", "sees more", "knows"]
STEADY, *OTHERS = RATERS
ARMS: Mapping[Arm, tuple[SimulatedRater, ...]] = {
    "independent": RATERS,
    "sees more": (SimulatedRater(STEADY.name, (BoundaryJitter(0.03, 1.0),)), *OTHERS),
    # Healthy cases are not bent. With 0.04 mm the labels tell patients about as well as those of "sees more" and the truth do:
    # the diagnosis alone cannot say which of the two raters is right.
    "knows": (KnowingRater(STEADY.name, STEADY.effects, bend=((0.0, 0.0), (0.0, -0.04))), *OTHERS),
}
"""The raters of each arm of a comparison; arms differ in *steady*, who draws without bias."""
