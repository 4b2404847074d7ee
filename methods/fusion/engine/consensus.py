"""From what a fusion decided for each pattern of votes to the consensus of the case."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....datasets.base import IGNORE
from ...base import Consensus
from .patterns import Float64s, Patterns
from .ties import Ties, best_classes, break_ties


def make_consensus(patterns: Patterns, share: Float64s, ties: Ties, *, tied: int | None = None, **fields: Any) -> Consensus:
    """Write the shares [K, P] of the classes in each pattern to the voxels of the case, as probability and as labels.

    Voxels that nobody judged get a uniform probability and the label ``IGNORE``.

    Args:
        patterns: the case.
        share: [K, P], sums to 1 over the classes.
        ties: the rule for classes with equal shares.
        tied: the number of voxels with a tie; None counts them in ``share``.
        fields: further fields of ``Consensus``.
    """
    nobody = patterns.judges == 0
    if tied is None:
        tied = int(patterns.counts[(best_classes(share).sum(axis=0) > 1) & ~nobody].sum())
    probability = np.where(nobody, 1.0 / len(share), share).astype(np.float32)
    labels = np.where(nobody, np.uint8(IGNORE), break_ties(share, ties))
    spread_probability, spread_labels = patterns.spread_all(probability, labels)
    return Consensus(spread_probability, spread_labels, patterns.raters, tied=tied, **fields)
