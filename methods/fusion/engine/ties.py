"""The rules for ties in label fusion: which class wins where several have the largest share of the votes.

Where no rule can be chosen (labels of predictions), the lowest class wins: ``voxel_counts.argmax_with_confidence``.
"""

from __future__ import annotations

from typing import Literal, assert_never

import numpy as np

from ....datasets.base import IGNORE, Labels
from .patterns import Bools, Float64s

Ties = Literal["lowest", "highest", "background", "foreground", "undecided"]
"""The names of the rules. To add one, add its name here, and what it does in ``break_ties``.

Among the classes that tie, the winner is

* ``"lowest"``, ``"highest"``: the class with the lowest or highest index;
* ``"background"``: class 0, also where it is not one of them;
* ``"foreground"``: the class with the lowest index above 0;
* ``"undecided"``: none; the label is ``IGNORE``.
"""

CLOSE = 1e-9
"""Shares that differ by no more than this are equal, so that rounding errors neither break nor make ties."""


def best_classes(share: Float64s) -> Bools:
    """Which classes have the largest of the shares [K, ...], up to rounding: [K, ...]."""
    best: Bools = share >= share.max(axis=0) - CLOSE
    return best


def break_ties(share: Float64s, ties: Ties) -> Labels:
    """The class with the largest of the shares [K, P], by the rule ``ties`` where several have it: [P], or ``IGNORE``."""
    best = best_classes(share)
    winner = best.argmax(axis=0)
    tied = best.sum(axis=0) > 1
    if ties == "lowest":
        pass  # argmax gives it.
    elif ties == "highest":
        winner = len(share) - 1 - best[::-1].argmax(axis=0)
    elif ties == "foreground":
        winner[tied] = 1 + best[1:, tied].argmax(axis=0)
    elif ties == "background":
        winner[tied] = 0
    elif ties == "undecided":
        winner[tied] = IGNORE
    else:
        assert_never(ties)
    labels: Labels = winner.astype(np.uint8)
    return labels


def winner_takes_all(share: Float64s, ties: Ties) -> Float64s:
    """Shares [K, P] of 1 for the class that wins and 0 for all others; undecided ties share evenly."""
    winner, best = break_ties(share, ties), best_classes(share)
    taken: Float64s = np.where(winner == IGNORE, best / best.sum(axis=0), winner == np.arange(len(share))[:, None])
    return taken
