"""How a rater errs, estimated from cases that a careful rater annotated too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from ...datasets.base import IGNORE, Instances, Labels
from ...datasets.simulation.annotation_errors import PLANE, AnnotationErrors, Direction

MOST_STEPS = 10
"""The largest bias that is looked for."""
AGREEING = 5
"""So many images with a bias must all have it in one direction for the rater to have that direction alone."""


class ErrorEstimate(NamedTuple):
    """The estimated ``errors``, and what they rest on: numbers of objects, and the steps of each image, negative inwards."""

    errors: AnnotationErrors
    objects: int
    omitted: int
    distractors: int
    included: int
    steps: tuple[int, ...]


def estimate_errors(pairs: Iterable[tuple[Instances, Labels]]) -> ErrorEstimate:
    """The errors of a rater from pairs of the careful rater's objects and this rater's labels [*S] of the same image.

    An object, or a distractor, was annotated if this rater marks at least half of its core, the voxels that are farthest from
    its outline: they are the last that an erosion removes, and the last that the dilation of a neighbour reaches. Omission and
    inclusion are shares of the objects and distractors of all images. The steps of an image are those for which the annotated
    objects, eroded or dilated as a whole, overlap most with the labels. The bias has the range of the steps, extended on both
    sides by their mean distance, as the ends of a uniform distribution are estimated; it is 0 where at least half of the images
    have none.

    An object that erosion removed counts as left out. Segments and noise are not estimated.
    """
    counts, steps = np.zeros(4, int), []
    for instances, labels in pairs:
        marked = labels == 1
        targets, distractors = (
            [number for number in numbers if _is_marked(instances.numbers == number, marked)]
            for numbers in (instances.targets, instances.distractors)
        )
        there = len(instances.targets), len(instances.distractors)
        counts += [there[0], there[0] - len(targets), there[1], len(distractors)]
        if targets or distractors:
            judged = labels != IGNORE
            steps.append(_best_steps(np.isin(instances.numbers, [*targets, *distractors]), marked, judged))
    objects, omitted, others, included = counts.tolist()
    least, most, direction = _bias(steps)
    errors = AnnotationErrors(
        omission=omitted / max(objects, 1),
        inclusion=included / max(others, 1),
        bias=most,
        least_bias=least,
        direction=direction,
    )
    return ErrorEstimate(errors, objects, omitted, others, included, tuple(steps))


def shifted(mask: npt.NDArray[np.bool_], steps: int) -> npt.NDArray[np.bool_]:
    """The mask [*S] after so many dilations, or erosions where ``steps`` are negative, by 3 x 3 voxels in the plane."""
    if not steps:
        return mask
    extreme = ndimage.maximum_filter1d if steps > 0 else ndimage.minimum_filter1d
    moved = mask.astype(np.uint8)
    for axis in PLANE:
        moved = extreme(moved, 2 * abs(steps) + 1, axis=axis, mode="constant", cval=0 if steps > 0 else 1)
    return np.asarray(moved > 0)


def _is_marked(mask: npt.NDArray[np.bool_], marked: npt.NDArray[np.bool_]) -> bool:
    """Whether at least half of the core of an object [*S] is marked."""
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    core = inside = np.pad(mask[box], 1)
    while inside.any():
        core, inside = inside, shifted(inside, -1)
    return bool(np.pad(marked[box], 1)[core].mean() >= 0.5)


def _best_steps(mask: npt.NDArray[np.bool_], marked: npt.NDArray[np.bool_], judged: npt.NDArray[np.bool_]) -> int:
    """The steps of the largest Dice, the fewest of equals."""
    candidates = sorted(range(-MOST_STEPS, MOST_STEPS + 1), key=abs)
    dice = []
    for steps in candidates:
        moved = shifted(mask, steps) & judged
        dice.append(2 * (moved & marked).sum() / max(moved.sum() + marked.sum(), 1))
    return candidates[int(np.argmax(dice))]


def _bias(steps: Sequence[int]) -> tuple[int, int, Direction]:
    """The fewest and the most steps, and their direction."""
    sizes = np.abs([step for step in steps if step])
    if 2 * len(sizes) <= len(steps):
        return 1, 0, "either"
    gap = (sizes.max() - sizes.min()) / (len(sizes) - 1) if len(sizes) > 1 else 0
    least, most = max(1, round(sizes.min() - gap)), round(sizes.max() + gap)
    outward = sum(step > 0 for step in steps)
    if len(sizes) >= AGREEING and outward in (0, len(sizes)):
        return least, most, "out" if outward else "in"
    return least, most, "either"
