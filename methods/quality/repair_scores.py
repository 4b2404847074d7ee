"""How near annotations are to better ones, before and after they were repaired."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ...datasets.base import Labels
from ...voxel_counts import dice_from_counts, label_counts
from ..fit_report import RepairScore


def repair_score(against: str, pairs: Iterable[tuple[Labels, Labels, Labels]]) -> RepairScore | None:
    """The Dice of each (given, repaired, reference) labels [*S], and that of all voxels together; None without a pair.

    Voxels that either side did not judge do not count. A case without foreground on both sides counts 1.
    """
    counts = [[label_counts(labels, better, 2) for labels in (given, repaired)] for given, repaired, better in pairs]
    if not counts:
        return None
    table = np.array(counts)  # [cases, before or after, 2, 2]
    both, marked, better = table[..., 1, 1], table[..., 1, :].sum(axis=-1), table[..., :, 1].sum(axis=-1)
    dice = dice_from_counts(both, marked, better)
    pooled = dice_from_counts(both.sum(axis=0), marked.sum(axis=0), better.sum(axis=0))
    before, after = (tuple(dice[:, k].tolist()) for k in range(2))
    return RepairScore(against, before, after, float(pooled[0]), float(pooled[1]))
