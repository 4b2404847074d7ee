"""An upper bound for confusion-matrix networks: the raters' true matrices are given, only the truth is learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from ...datasets.base import IGNORE, Case, Dataset
from ...datasets.simulation.raters import pooled_confusion, true_confusion
from ..base import Need, Prediction
from ..learning.budget import Budget
from ..learning.losses import masked_mean
from ..learning.network import NetworkMethod, nan_confusion

NEVER = torch.finfo(torch.float32).tiny
"""The smallest likelihood of a class, in place of 0."""


class OracleConfusionNetwork(NetworkMethod):
    """The oracle of Zhang et al. (2020): each rater's confusion is measured against the truth, and kept fixed.

    The loss does not use the truth itself. With the matrix A of a rater who said i, the loss at a voxel is
    ``-log(sum_j A[i, j] p[j])``, so a rating enters as the likelihood of each class, scaled to sum to 1, which changes no
    gradient. The matrices that it reports for a test image are those over the training cases; the paper does not say
    how it got the error of its oracle, which is not zero.

    Args:
        level: matrices over all training cases (``global``), or of each training ``image``, as the paper's error is measured.
        budget: what all candidates share.
    """

    needs: frozenset[Need] = frozenset({"truth"})
    needs_rater_identity = True
    predicts_with = ("confusion_",)

    def __init__(self, *, level: Literal["global", "image"] = "image", budget: Budget | None = None) -> None:
        super().__init__(budget=budget)
        self.level = level

    def fit_targets(self, train: Dataset) -> None:
        """Measure each rater over the training cases.

        Raises:
            RaterbenchError: a case has no truth.
        """
        found = pooled_confusion(train)
        self.confusion_ = np.stack([found.get(rater, nan_confusion(train.n_classes)) for rater in train.raters])

    def targets(self, case: Case) -> Mapping[str, npt.NDArray[Any]]:
        own = true_confusion(case) if self.level == "image" else {}
        overall = dict(zip(self.raters_, self.confusion_, strict=True))
        found = {}
        for rater, labels in case.ratings.items():
            matrix = own.get(rater, overall[rater])
            # A class that this image lacks has no column of its own; a rater whom training never saw is no evidence.
            matrix = np.where(np.isnan(matrix), overall[rater], matrix)
            found[rater] = _likelihoods(labels, np.nan_to_num(matrix, nan=1 / self.n_classes_))
        return found

    def loss(self, outputs: torch.Tensor, ratings: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        # Known matrices hold zeros: a network that is certain of an impossible class still needs a gradient, so this is
        # computed in logarithms, in which no probability becomes 0.
        joint = ratings.clamp(min=NEVER).log() + outputs.float().log_softmax(dim=1).unsqueeze(1)
        return masked_mean(-joint.logsumexp(dim=2), present)

    def predict(self, case: Case, *, samples: int = 0, seed: int = 0) -> Prediction:
        """Probability, and each rater's true matrix [K, K] over the training cases, the same for every case."""
        prediction = super().predict(case, samples=samples, seed=seed)
        return replace(prediction, rater_confusion=dict(zip(self.raters_, self.confusion_, strict=True)))


def _likelihoods(labels: npt.NDArray[Any], matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Rows of ``matrix`` [K, K] by label, scaled to sum to 1: [K, *S], zero where not judged, uniform where impossible."""
    rows = matrix.sum(axis=1, keepdims=True)
    table = np.where(rows > 0, matrix / np.where(rows > 0, rows, 1), 1 / len(matrix)).astype(np.float32)
    judged = labels != IGNORE
    found = table[np.where(judged, labels, 0)] * judged[..., None]
    return np.ascontiguousarray(np.moveaxis(found, -1, 0))
