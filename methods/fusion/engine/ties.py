"""From shares to one label, with one rule for ties that all fusions have in common."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ....datasets.base import IGNORE, Labels
from ...base import Consensus
from .patterns import Float64s, Patterns

Ties = Literal["lowest", "highest", "background", "foreground", "undecided"]
"""Which class wins among equals: the lowest or highest index, class 0 whoever ties, the lowest index above 0, or nobody."""

CLOSE = 1e-9
"""Shares closer than this are equal: rounding in a product of probabilities decides nothing."""


def best_classes(share: Float64s) -> npt.NDArray[np.bool_]:
    """Which classes have the largest of the shares [K, ...], rounding apart: [K, ...] bool."""
    best: npt.NDArray[np.bool_] = share >= share.max(axis=0) - CLOSE
    return best


def decide(share: Float64s, ties: Ties) -> Labels:
    """The winning class [P] uint8 of shares [K, P]; ``IGNORE`` where a tie stays undecided."""
    best = best_classes(share)
    winner = best.argmax(axis=0)
    tied = best.sum(axis=0) > 1
    if ties == "highest":
        winner = len(share) - 1 - best[::-1].argmax(axis=0)
    elif ties == "foreground":
        winner[tied] = 1 + best[1:, tied].argmax(axis=0)
    elif ties != "lowest":
        winner[tied] = 0 if ties == "background" else IGNORE
    labels: Labels = winner.astype(np.uint8)
    return labels


def count_tied(patterns: Patterns, share: Float64s) -> int:
    """How many judged voxels of a case have several best classes, by the shares [K, P] of its patterns."""
    tied = (best_classes(share).sum(axis=0) > 1) & (patterns.judges > 0)
    return int(patterns.counts[tied].sum())


def consensus(patterns: Patterns, share: Float64s, ties: Ties, *, tied: int | None = None, **more: Any) -> Consensus:
    """Spread the shares [K, P] of the patterns over the case; nobody's voxels become uniform and ``IGNORE``.

    ``tied`` is the number of voxels that tie, None to count them from the shares; ``more`` are further fields.
    """
    tied = count_tied(patterns, share) if tied is None else tied
    nobody = patterns.judges == 0
    probability = np.where(nobody, 1.0 / len(share), share)
    labels = np.where(nobody, np.uint8(IGNORE), decide(share, ties))
    spread, spread_labels = patterns.spread_all(probability.astype(np.float32), labels)
    return Consensus(spread, spread_labels, patterns.raters, tied=tied, **more)
