"""What a prediction is measured against: the truth, fused raters, or each rater alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
from scipy.ndimage import maximum_filter

from ...datasets.base import IGNORE, Case
from ...errors import RaterbenchError, nearest
from ..metrics.base import Mask, Segmentation, from_labels

RATER, RATERS = "rater:", "raters"
NO_REFERENCE = "none"
REFERENCE_NAMES = ("truth", RATERS, "majority", "staple", "soft average")
"""The references an experiment may name, beside ``rater:<name>``."""

SOFT_REFERENCES = ("truth", "soft average")
"""References whose probability is a soft label. The posterior of STAPLE is near 0 or 1 by construction, so it is none."""

MARGIN = 5


def is_reference(name: str) -> bool:
    """Whether ``name`` is a reference, ``rater:<name>`` included."""
    return name in REFERENCE_NAMES or name.startswith(RATER)


def foreground_region(case: Case, margin: int = MARGIN) -> Mask:
    """Voxels [*S] within ``margin`` voxels, along each in-plane axis, of what any rater of the case marked.

    In-plane axes are the last two that are longer than one voxel. The region depends on the raters alone, so it is the same
    for every candidate.
    """
    union = np.zeros(case.shape, np.uint8)
    for labels in case.ratings.values():
        union |= (labels > 0) & (labels != IGNORE)
    in_plane = [axis for axis, n in enumerate(union.shape) if n > 1][-2:]
    size = [2 * margin + 1 if axis in in_plane else 1 for axis in range(union.ndim)]
    region: Mask = maximum_filter(union, size=size, mode="constant").astype(bool)
    return region


class References:
    """The references of one case as segmentations, each built when it is first asked for.

    Fusions are kept. Single raters are made anew each time: that is cheap, and keeping them all is not in a large volume.
    ``without`` names a rater who is left out of every reference, for measuring that rater against the others; the
    region keeps all raters, so that it is the same voxels for everybody.
    """

    def __init__(self, case: Case, n_classes: int, *, without: str | None = None) -> None:
        self.case, self.n_classes = case, n_classes
        self.ratings = {rater: labels for rater, labels in case.ratings.items() if rater != without}
        self._built: dict[str, Segmentation | None] = {}

    @cached_property
    def region(self) -> Mask:
        """Voxels [*S] near what any rater marked."""
        return foreground_region(self.case)

    def __getitem__(self, name: str) -> Segmentation | None:
        """The reference called ``name``, or None where this case has none (unknown truth, an absent rater).

        Raises:
            RaterbenchError: there is no such reference, or a fusion is asked for and nobody rated the case.
        """
        if name.startswith(RATER):
            labels = self.ratings.get(name.removeprefix(RATER))
            return None if labels is None else from_labels(labels, self.n_classes, region=self.region)
        if name not in self._built:
            self._built[name] = self._build(name)
        return self._built[name]

    @property
    def raters(self) -> list[str]:
        """``rater:<name>`` for each rater of the case."""
        return [RATER + rater for rater in self.ratings]

    def _build(self, name: str) -> Segmentation | None:
        builders: dict[str, Callable[[], Segmentation | None]] = {
            "truth": self._truth,
            "majority": self._majority,
            "staple": self._staple,
            "soft average": self._soft_average,
        }
        if name not in builders:
            raise RaterbenchError(f"there is no single reference called {name!r}{nearest(name, builders)}")
        if name != "truth" and not self.ratings:
            raise RaterbenchError(f"case {self.case.id!r} has no rater to make the reference {name!r} from")
        return builders[name]()

    def _truth(self) -> Segmentation | None:
        truth = self.case.truth
        return None if truth is None else Segmentation(truth.labels, truth.probability, self.region)

    def _majority(self) -> Segmentation:
        from ...methods.fusion.majority import MajorityVote

        consensus = MajorityVote().fuse(self.ratings, self.n_classes, geometry=self.case.geometry)
        return from_labels(consensus.labels, self.n_classes, region=self.region)

    def _staple(self) -> Segmentation:
        from ...methods.fusion.staple import STAPLE

        consensus = STAPLE().fuse(self.ratings, self.n_classes, geometry=self.case.geometry)
        return from_labels(consensus.labels, self.n_classes, region=self.region)

    def _soft_average(self) -> Segmentation:
        from ...methods.fusion.soft_average import SoftAverage

        consensus = SoftAverage().fuse(self.ratings, self.n_classes, geometry=self.case.geometry)
        return Segmentation(consensus.labels, consensus.probability, self.region)
