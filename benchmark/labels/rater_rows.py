"""Table rows with each rater's performance against a consensus, one row for each class."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...datasets.base import IGNORE, Case
from ...datasets.label_files.rating_files import LabelCode
from ...methods.base import Consensus
from ...methods.fusion.engine.rater_models import normalise_columns
from ...voxel_counts import Doubles, label_counts, ratio


def rater_rows(case: Case, consensus: Consensus, code: LabelCode) -> list[dict[str, Any]]:
    """Sensitivity, specificity and Dice of each rater; with more than two classes also the column of the confusion matrix.

    ``performance`` names the source of the first two: "estimated" by the fusion, or "counted" against the consensus if the
    fusion estimates no raters. Dice is always counted; it is NaN if neither the rater nor the consensus has the class.
    ``weight`` is given for fusions that weight raters. What cannot be estimated is NaN.
    """
    classes, rows = code.labels.classes, []
    many = len(classes) > 2
    estimated = None
    if consensus.confusion is not None:  # [R, K, K], or [R, K, K, *S], of which the mean over voxels is shown
        estimated = consensus.confusion.reshape(*consensus.confusion.shape[:3], -1).mean(axis=-1)
    judged = consensus.labels != IGNORE
    shares = [p.mean(dtype=np.float64, where=judged) if judged.any() else np.nan for p in consensus.probability]
    prior = np.array(shares)
    for place, rater in enumerate(consensus.raters):
        counts = label_counts(case.ratings[rater], consensus.labels, len(classes))
        confusion = normalise_columns(counts) if estimated is None else estimated[place]
        dice = ratio(2 * counts.diagonal(), counts.sum(axis=1) + counts.sum(axis=0))
        for k in range(0 if many else 1, len(classes)):
            row = {"case": case.id, "rater": rater, "class": classes[k], "label": code.values[k]}
            row |= {"sensitivity": confusion[k, k], "specificity": _specificity(confusion, prior, k), "dice": dice[k]}
            row |= {"voxels": int(counts[k].sum()), "performance": "counted" if estimated is None else "estimated"}
            if consensus.weights is not None:
                row["weight"] = float(consensus.weights[place])
            row |= {"iterations": consensus.iterations, "status": consensus.status, "region": consensus.region}
            if many:
                row |= {f"says {name}": confusion[i, k] for i, name in enumerate(classes)}
            rows.append(row)
    return rows


def _specificity(confusion: Doubles, prior: Doubles, k: int) -> float:
    """p(rater does not say k | truth is not k), the mean over the other classes weighted by ``prior`` [K]."""
    others = [j for j in range(len(prior)) if j != k and prior[j] > 0 and not np.isnan(confusion[k, j])]
    total = prior[others].sum()
    return float(((1 - confusion[k, others]) * prior[others]).sum() / total) if total > 0 else float("nan")
