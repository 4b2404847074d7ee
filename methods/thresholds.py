"""Labels from probabilities: the threshold for two classes, searched on validation cases, and the most probable class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from ..datasets.base import Case, Dataset, Floats, Labels
from ..voxel_counts import Doubles, argmax_with_confidence, dice_from_counts, label_counts
from .fit_report import ThresholdSearch
from .fusion.majority import MajorityVote

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))


def hard_labels(probability: Floats, threshold: float = 0.5) -> Labels:
    """Labels [*S] of a map [K, *S]: ``p[1] >= threshold`` for two classes, else the most probable class, lowest on ties.

    A voxel whose probabilities are all 0 is background.
    """
    if len(probability) == 2:
        return np.asarray(probability[1] >= np.float32(threshold)).astype(np.uint8)
    return argmax_with_confidence(probability)[0]


def dice_by_threshold(probability: Floats, reference: Labels) -> Doubles | None:
    """Dice of one case at each of ``THRESHOLDS``, 1 where both are empty; None if no voxel was judged.

    ``probability`` [2, *S], ``reference`` [*S].
    """
    edges = np.array(THRESHOLDS, np.float32)
    passed = np.zeros(reference.shape, np.uint8)
    for edge in edges:
        passed += probability[1] >= edge
    counts = label_counts(passed, reference, len(edges) + 1)[:, :2]
    if not counts.any():
        return None
    # Row t of the sum from above: what passes threshold t, in and outside the reference.
    above = counts[::-1].cumsum(axis=0)[::-1][1:]
    return dice_from_counts(above[:, 1], above.sum(axis=1), counts[:, 1].sum())


def best_threshold(dices: Sequence[Doubles]) -> ThresholdSearch:
    """The threshold with the best mean over cases of ``dice_by_threshold``, the largest of equals; 0.5 without a case."""
    if not dices:
        return ThresholdSearch(THRESHOLDS, (), 0, 0.5)
    mean = np.mean(dices, axis=0)
    best = THRESHOLDS[int(np.flatnonzero(mean == mean.max())[-1])]
    return ThresholdSearch(THRESHOLDS, tuple(mean.tolist()), len(dices), best)


def search_threshold(probabilities: Iterable[Floats], references: Iterable[Labels]) -> ThresholdSearch:
    """Mean Dice over cases at each threshold of .05, .10 ... .95, and the best; the largest of equals (Lemay et al., 2022).

    ``probabilities`` [2, *S] and ``references`` [*S] case by case; a case without a judged voxel does not count.
    """
    found = [dice_by_threshold(*pair) for pair in zip(probabilities, references, strict=True)]
    return best_threshold([dices for dices in found if dices is not None])


def majority_threshold(predict: Callable[[Case], Floats], validation: Dataset) -> ThresholdSearch | None:
    """The threshold with the best Dice with the majority of the raters on validation cases; None unless there are two classes.

    Only cases with several raters count: the majority of one rater is that rater, and a threshold that fits single raters
    reproduces their mean error. Without such cases it is 0.5. ``predict`` gives the probability [2, *S] of a case.
    """
    if validation.n_classes != 2:
        return None
    vote = MajorityVote()
    several = validation.subset([i for i, raters in enumerate(validation.index["raters"]) if len(raters) > 1])
    majorities = (vote.fuse(case.ratings, 2, geometry=case.geometry).labels for case in several)
    return search_threshold((predict(case) for case in several), majorities)
