"""How near annotations are to better ones, before and after they were repaired."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ...datasets.base import Labels
from ...voxel_counts import dice_from_counts, label_counts
from ..fit_report import RepairScore


class RepairedAnnotation(NamedTuple):
    """Labels [*S] of a case as they were ``given``, as they were ``repaired``, and ``better`` ones."""

    case: str
    given: Labels
    repaired: Labels
    better: Labels


def repair_score(part: str, against: str, annotations: Iterable[RepairedAnnotation]) -> RepairScore | None:
    """The Dice of each annotation, and that of all voxels together; None without an annotation.

    Voxels that either side did not judge do not count. A case without foreground on both sides counts 1.
    """
    annotations = list(annotations)
    if not annotations:
        return None
    counts = [[label_counts(labels, a.better, 2) for labels in (a.given, a.repaired)] for a in annotations]
    table = np.array(counts)  # [annotations, before or after, 2, 2]
    both, marked, better = table[..., 1, 1], table[..., 1, :].sum(axis=-1), table[..., :, 1].sum(axis=-1)
    dice = dice_from_counts(both, marked, better)
    pooled = dice_from_counts(both.sum(axis=0), marked.sum(axis=0), better.sum(axis=0))
    before, after = (tuple(dice[:, k].tolist()) for k in range(2))
    cases = tuple(annotation.case for annotation in annotations)
    return RepairScore(part, against, cases, before, after, float(pooled[0]), float(pooled[1]))
