"""What a prediction is measured against: the truth, fused raters, or each rater alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...datasets.base import IGNORE, Case, Geometry, Labels
from ...errors import RaterbenchError, nearest
from ...voxel_counts import is_judged
from ..experiment.references import SOME_RATERS, single_raters
from ..metrics.base import Mask, Segmentation, from_labels
from ..store.units import RATER

if TYPE_CHECKING:
    from ...methods.base import Fusion

RATERS = "raters"
NO_REFERENCE = "none"
SOFT_REFERENCES = ("truth", "soft average")
"""References whose probability is a soft label. The posterior of STAPLE is near 0 or 1 by construction, so it is none; of other
fusions the labels are used alone."""

FUSED = ("majority", "staple", "soft average")
"""References with a name of their own that are fused from the raters of a case."""

MARGIN = 5


def foreground_region(case: Case, margin: int = MARGIN) -> Mask:
    """Voxels [*S] within ``margin`` voxels, along each in-plane axis, of what any rater of the case marked.

    In-plane axes are the last two that are longer than one voxel. The region depends on the raters alone, so it is the same
    for every candidate.
    """
    from scipy.ndimage import maximum_filter  # Here, so that a report does not load what only measuring needs.

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
    region keeps all raters, so that it is the same voxels for everybody. ``fused`` are references that were fused before,
    ``fusions`` make the references that an experiment names by a fusion.
    """

    def __init__(
        self,
        case: Case,
        n_classes: int,
        *,
        without: str | None = None,
        fused: Mapping[str, StoredReference] | None = None,
        fusions: Mapping[str, Fusion] | None = None,
    ) -> None:
        self.case, self.n_classes = case, n_classes
        self.fused = {} if without is not None else dict(fused or {})
        self.fusions = dict(fusions or {})
        self.ratings = {rater: labels for rater, labels in case.ratings.items() if rater != without}
        self._built: dict[str, Segmentation | None] = {}

    @cached_property
    def region(self) -> Mask:
        """Voxels [*S] near what any rater marked."""
        return foreground_region(self.case)

    def __getitem__(self, name: str) -> Segmentation | None:
        """The reference called ``name``, or None where this case has none: unknown truth, an absent rater, too few raters.

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

    def parts(self, name: str) -> list[str]:
        """The references over which ``name`` is a mean, in this case: itself, or each of the raters that it stands for."""
        if name == RATERS:
            return self.raters
        if name.startswith(SOME_RATERS):
            return [RATER + rater for rater in single_raters(name) if rater in self.ratings]
        return [name]

    def _build(self, name: str) -> Segmentation | None:
        if name == "truth":
            truth = self.case.truth
            return None if truth is None else Segmentation(truth.labels, truth.probability, self.region)
        if name not in (*FUSED, *self.fusions):
            known = ("truth", *FUSED, *self.fusions)
            raise RaterbenchError(f"there is no single reference called {name!r}{nearest(name, known)}")
        if not self.ratings:
            raise RaterbenchError(f"case {self.case.id!r} has no rater to make the reference {name!r} from")
        fusion = self.fusions.get(name)
        stored = self.fused.get(name) or fuse_reference(name, self.ratings, self.case.geometry, self.n_classes, fusion)
        if stored is None:
            return None
        if stored.probability is None:
            return from_labels(stored.labels, self.n_classes, region=self.region)
        return Segmentation(stored.labels, stored.probability, self.region)


@dataclass(frozen=True, eq=False)
class StoredReference:
    """A reference that was fused from raters: ``labels`` [*S], and the soft ``probability`` [K, *S] where it has one."""

    labels: npt.NDArray[np.uint8]
    probability: npt.NDArray[np.float32] | None = None


def fuse_reference(
    name: str,
    ratings: Mapping[str, Labels],
    geometry: Geometry | None,
    n_classes: int,
    fusion: Fusion | None = None,
) -> StoredReference | None:
    """Fuse the raters of a case into the reference called ``name``: one of ``FUSED``, or what ``fusion`` makes.

    None where the fusion needs more raters than judged the case.
    """
    if fusion is None:
        from ...methods.fusion.majority import MajorityVote
        from ...methods.fusion.soft_average import SoftAverage
        from ...methods.fusion.staple import STAPLE

        fusion = {"majority": MajorityVote, "staple": STAPLE, "soft average": SoftAverage}[name]()
    needed = fusion.min_raters()
    if needed > 1 and sum(map(is_judged, ratings.values())) < needed:
        return None
    consensus = fusion.fuse(ratings, n_classes, geometry=geometry)
    return StoredReference(consensus.labels, consensus.probability if name in SOFT_REFERENCES else None)
