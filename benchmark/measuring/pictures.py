"""Which cases are kept for pictures, and how they are stored: 8-bit, small, chosen by rule and never by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...datasets.base import IGNORE, Case, Dataset, Floats, Labels, slicing_axis
from ...methods.base import DiagnosedLabels
from ...voxel_counts import dice_from_counts
from ..store.diagnoses import FusedPicture
from ..store.predictions import StoredPrediction
from ..store.units import Picture, PredictedPicture


def choose_pictures(agreements: Mapping[str, float], n: int) -> dict[str, str]:
    """Case names and why they were kept: evenly spread from the lowest to the highest agreement of their raters.

    ``agreements`` maps a case's name to ``agreement``; cases with one rater are chosen, by name, only where all have one.
    """
    if n < 1:
        return {}
    scored = [(value, name) for name, value in agreements.items()]
    # NaN has no order: sorting it among numbers would leave those unsorted too.
    several = sorted(entry for entry in scored if np.isfinite(entry[0])) or sorted(scored, key=lambda entry: entry[1])
    places = np.unique(np.linspace(0, len(several) - 1, n).round().astype(int))
    chosen = {}
    for place in places:
        value, name = several[place]
        share = place / max(1, len(several) - 1)
        word = "lowest" if place == 0 else "highest" if place == len(several) - 1 else f"{share:.0%} quantile of"
        chosen[name] = f"{word} rater agreement" + (f" (Dice {value:.2f})" if np.isfinite(value) else "")
    return chosen


def agreement(case: Case) -> float:
    """Mean Dice of all pairs of raters, foreground classes together; NaN with one rater. Two empty masks agree fully."""
    masks = [(labels > 0) & (labels != IGNORE) for labels in case.ratings.values()]
    dices = [
        dice_from_counts((one & other).sum(), one.sum(), other.sum()) for i, one in enumerate(masks) for other in masks[:i]
    ]
    return float(np.mean(dices)) if dices else float("nan")


def picture_of(case: Case, why: str) -> Picture:
    """The image (first channel, 8 bits), ratings and truth of a kept case."""
    image = case.image[0]
    low, high = np.percentile(image, [0.5, 99.5])
    scaled = (np.clip((image - low) / max(high - low, 1e-6), 0, 1) * 255).astype(np.uint8)
    ratings = np.stack(list(case.ratings.values())) if case.ratings else np.zeros((0, *case.shape), np.uint8)
    return Picture(case.id, why, scaled, tuple(case.ratings), ratings, None if case.truth is None else case.truth.labels)


def fused_pictures(records: Sequence[DiagnosedLabels], tested: Dataset) -> tuple[FusedPicture, ...]:
    """The first tested case of each diagnosis with its fused labels, in the order of the diagnoses; chosen by no result."""
    by_case: dict[str, list[DiagnosedLabels]] = {}
    for record in records:
        if record.control != "permuted":
            by_case.setdefault(record.case, []).append(record)
    chosen: dict[int, tuple[Case, list[DiagnosedLabels]]] = {}
    for case in tested if by_case else ():
        if case.diagnosis is not None and case.id in by_case:
            chosen.setdefault(case.diagnosis, (case, by_case[case.id]))
    names = tested.diagnoses
    return tuple(
        _fused_picture(case, names[diagnosis], mine)
        for diagnosis, (case, mine) in sorted(chosen.items(), key=lambda entry: entry[0])
    )


def _fused_picture(case: Case, diagnosis: str, records: Sequence[DiagnosedLabels]) -> FusedPicture:
    """Of a volume the slice on which raters disagree on most voxels."""
    drawn = picture_of(case, "")
    where: tuple[int | slice, ...] = (slice(None), slice(None))
    if len(case.shape) == 3:
        axis = slicing_axis(case.shape)
        differ = drawn.ratings.max(axis=0) != drawn.ratings.min(axis=0)
        best = int(np.moveaxis(differ, axis, 0).sum(axis=(1, 2)).argmax())
        where = tuple(best if place == axis else slice(None) for place in range(3))
    weights = None
    if all(record.weights is not None for record in records):
        nothing = np.zeros(case.shape, np.float32)
        maps = [[(record.weights or {}).get(rater, nothing)[where] for rater in drawn.raters] for record in records]
        weights = np.rint(np.clip(np.array(maps), 0, 1) * 255).astype(np.uint8)
    return FusedPicture(
        case.id,
        diagnosis,
        drawn.image[where],
        drawn.raters,
        drawn.ratings[(slice(None), *where)],
        None if drawn.truth is None else drawn.truth[where],
        tuple(record.control for record in records),
        np.stack([np.asarray(record.labels)[where] for record in records]),
        weights,
    )


def predicted_picture(stored: StoredPrediction, probability: Floats, samples: Sequence[Labels] = ()) -> PredictedPicture:
    """What a candidate predicts for a kept case, how far it believes each rater, and what it repaired, with 8 bits.

    ``samples`` are the labels [*S] of what it sampled.
    """
    shown = np.round(probability * 255).astype(np.uint8)
    believed = stored.reliability_raters, stored.reliability
    return PredictedPicture(stored.case, shown, *believed, stored.repaired_raters, stored.repaired,
                            np.stack(samples) if len(samples) else None)  # fmt: skip
