"""Which cases are kept for pictures, and how they are stored: 8-bit, small, chosen by rule and never by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...datasets.base import IGNORE, Case, Floats, Labels
from ...voxel_counts import dice_from_counts
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


def predicted_picture(stored: StoredPrediction, probability: Floats, samples: Sequence[Labels] = ()) -> PredictedPicture:
    """What a candidate predicts for a kept case, how far it believes each rater, and what it repaired, with 8 bits.

    ``samples`` are the labels [*S] of what it sampled.
    """
    shown = np.round(probability * 255).astype(np.uint8)
    believed = stored.reliability_raters, stored.reliability
    return PredictedPicture(stored.case, shown, *believed, stored.repaired_raters, stored.repaired,
                            np.stack(samples) if len(samples) else None)  # fmt: skip
