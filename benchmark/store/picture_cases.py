"""Kept cases as pictures: image, labels, and what each candidate made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .completeness import StoredUnit
from .units import Pictures, PredictedPictures


@dataclass(frozen=True, eq=False)
class PictureCase:
    """A kept case for pictures: ``image`` [*S] in 0..1, labels [*S] uint8, and each candidate's probability [K, *S].

    ``reliability``: how far a candidate believes each rater at each voxel, [*S] in 0..1, where it has an opinion.
    ``repaired``: the labels [*S] that a candidate has in place of a rater's, where it repairs annotations.
    ``samples``: the labels [n, *S] of the segmentations that a candidate sampled, where it draws some.
    """

    id: str
    why: str
    image: npt.NDArray[np.float32]
    ratings: dict[str, npt.NDArray[np.uint8]]
    truth: npt.NDArray[np.uint8] | None = None
    predictions: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    reliability: dict[str, dict[str, npt.NDArray[np.float32]]] = field(default_factory=dict)
    repaired: dict[str, dict[str, npt.NDArray[np.uint8]]] = field(default_factory=dict)
    samples: dict[str, npt.NDArray[np.uint8]] = field(default_factory=dict)


def picture_cases(units: Sequence[StoredUnit]) -> list[PictureCase]:
    """The kept cases of all units, with what each candidate predicted in its first repeat."""
    pictures: dict[str, PictureCase] = {}
    for stored in units:
        for part in stored.parts.values():
            if isinstance(part, Pictures):
                for kept in part.pictures:
                    image = np.divide(kept.image, 255, dtype=np.float32)
                    ratings = dict(zip(kept.raters, kept.ratings, strict=True))
                    pictures[kept.case] = PictureCase(kept.case, kept.why, image, ratings, kept.truth)
    for stored in units:
        for part in stored.parts.values():
            if isinstance(part, PredictedPictures) and stored.unit.repeat == 0:
                for shown in part.pictures:
                    if shown.case in pictures:
                        probability = shown.probability.astype(np.float32)
                        predicted = probability / np.maximum(probability.sum(axis=0), 1)
                        pictures[shown.case].predictions[stored.unit.name] = predicted
                        if shown.reliability is not None:
                            maps = np.divide(shown.reliability, 255, dtype=np.float32)
                            pictures[shown.case].reliability[stored.unit.name] = dict(zip(shown.raters, maps, strict=True))
                        if shown.repaired is not None:
                            named = zip(shown.repaired_raters, shown.repaired, strict=True)
                            pictures[shown.case].repaired[stored.unit.name] = dict(named)
                        if shown.samples is not None:
                            pictures[shown.case].samples[stored.unit.name] = shown.samples
    return list(pictures.values())
