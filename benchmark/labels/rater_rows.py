"""What a consensus says of each rater, a row for each class."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...datasets.base import IGNORE, Case
from ...datasets.label_files.rating_files import LabelCode
from ...methods.base import Consensus
from ...voxel_counts import label_counts, ratio

Float64s = npt.NDArray[np.float64]


def rater_rows(case: Case, consensus: Consensus, code: LabelCode) -> list[dict[str, Any]]:
    """Sensitivity, specificity and Dice of every rater; with more than two classes also the column of the confusion matrix.

    ``performance`` says where the first two are from: "estimated" by the fusion, or "counted" against the consensus where
    it estimates none. Dice is always counted; it is NaN where neither the rater nor the consensus has the class. ``weight`` is
    there where the fusion weighs raters. Empty cells are what cannot be known.
    """
    classes, rows = code.labels.classes, []
    many = len(classes) > 2
    estimated = None if consensus.confusion is None else _flat(consensus.confusion)
    prior = _prior(consensus)
    for place, rater in enumerate(consensus.raters):
        counts = label_counts(case.ratings[rater], consensus.labels, len(classes))
        confusion = _columns(counts) if estimated is None else estimated[place]
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


def _flat(confusion: Float64s) -> Float64s:
    """[R, K, K] of one that may vary over voxels: its mean."""
    found: Float64s = confusion.reshape(*confusion.shape[:3], -1).mean(axis=-1)
    return found


def _columns(counts: npt.NDArray[np.int64]) -> Float64s:
    total = counts.sum(axis=0, keepdims=True)
    return ratio(counts, total)


def _prior(consensus: Consensus) -> Float64s:
    """The share of each class [K] in the consensus, where anybody judged."""
    judged = consensus.labels != IGNORE
    shares = [p.mean(dtype=np.float64, where=judged) if judged.any() else np.nan for p in consensus.probability]
    return np.array(shares)


def _specificity(confusion: Float64s, prior: Float64s, k: int) -> float:
    """p(rater does not say k | truth is not k), the other classes weighed as often as they occur."""
    others = [j for j in range(len(prior)) if j != k and prior[j] > 0 and not np.isnan(confusion[k, j])]
    total = prior[others].sum()
    return float(((1 - confusion[k, others]) * prior[others]).sum() / total) if total > 0 else float("nan")
