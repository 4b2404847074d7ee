"""The receiver operating characteristic of scores: placements, whose mean is the area under the curve, and sensitivity."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..arithmetic import Floats

Mask = npt.NDArray[np.bool_]

SPECIFICITY = 0.9
ROUNDING = 1e-9
"""So that 10 % of 30 negatives are 3, whatever 1 - .9 is as a floating-point number."""


class Placements(NamedTuple):
    """For each positive the share of negatives with a lower score, and for each negative of positives with a higher one.

    Ties count half. The mean of either is the area under the curve: the probability that a positive has the higher score.
    """

    positives: Floats
    negatives: Floats


def midranks(values: Floats) -> Floats:
    """Ranks [n] from 1; equal values share the mean of their ranks."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    found: Floats = (count.cumsum() - (count - 1) / 2)[place.ravel()]
    return found


def placements(score: Floats, positive: Mask) -> Placements:
    """The placements of scores [n]; by ranks, in n log n steps (Sun and Xu, 2014, eq. 5)."""
    m, n = int(positive.sum()), int((~positive).sum())
    above, ours, theirs = midranks(score), midranks(score[positive]), midranks(score[~positive])
    return Placements((above[positive] - ours) / n, 1 - (above[~positive] - theirs) / m)


def found_at_specificity(score: Floats, positive: Mask, specificity: float = SPECIFICITY) -> int:
    """How many positives are found at the lowest threshold with at least this specificity.

    Who has a score of at least the threshold is called positive. So a positive that ties with the first negative too many is
    not found. With fewer than 1 / (1 - specificity) negatives none of them may be called positive.
    """
    negatives = np.sort(score[~positive])[::-1]
    allowed = int((1 - specificity) * len(negatives) + ROUNDING)
    return int((score[positive] > negatives[allowed]).sum()) if allowed < len(negatives) else int(positive.sum())
