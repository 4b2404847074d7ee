"""Which cases are kept for pictures, and how they are stored: 8-bit, small, chosen by rule and never by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...datasets.base import IGNORE, Case, Floats


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
    dices = []
    for i, one in enumerate(masks):
        for other in masks[:i]:
            size = int(one.sum()) + int(other.sum())
            dices.append(2 * int((one & other).sum()) / size if size else 1.0)
    return float(np.mean(dices)) if dices else float("nan")


def pack_kept(kept: Mapping[str, Floats]) -> dict[str, npt.NDArray[np.uint8]]:
    """Probabilities [K, *S] as 8-bit arrays ``kept0``, ``kept1`` ..."""
    return {f"kept{i}": np.round(p * 255).astype(np.uint8) for i, p in enumerate(kept.values())}


def pack_reliability(
    kept: Mapping[str, Mapping[str, Floats]],
) -> tuple[list[tuple[str, list[str]]], dict[str, npt.NDArray[np.uint8]]]:
    """Reliability maps [*S] of kept cases as 8-bit arrays, with the list of cases and raters that says what is what."""
    listed = [(case, list(maps)) for case, maps in kept.items()]
    arrays = {
        f"reliability{n}_rater{i}": np.round(map_ * 255).astype(np.uint8)
        for n, maps in enumerate(kept.values())
        for i, map_ in enumerate(maps.values())
    }
    return listed, arrays


def pack_pictures(cases: Sequence[Case], why: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, npt.NDArray[np.uint8]]]:
    """Images (first channel, 8-bit), ratings and truth of kept cases, with the list that says what is what."""
    arrays: dict[str, npt.NDArray[np.uint8]] = {}
    listed = []
    for number, case in enumerate(cases):
        image = case.image[0]
        low, high = np.percentile(image, [0.5, 99.5])
        arrays[f"picture{number}_image"] = (np.clip((image - low) / max(high - low, 1e-6), 0, 1) * 255).astype(np.uint8)
        for i, labels in enumerate(case.ratings.values()):
            arrays[f"picture{number}_rating{i}"] = labels
        if case.truth is not None:
            arrays[f"picture{number}_truth"] = case.truth.labels
        listed.append({"case": case.id, "why": why[case.id], "raters": list(case.ratings)})
    return {"pictures": listed}, arrays
