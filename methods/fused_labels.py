"""Fuse the raters first, then train on the consensus as if it were the truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone

from ..datasets.base import IGNORE, Case, Dataset
from .base import Fusion
from .budget import Budget
from .majority import MajorityVote
from .network import NetworkMethod
from .recipes import Recipe


class FusedLabels(NetworkMethod):
    """A fusion and a recipe: the network learns the consensus's probability map as its only rater.

    The fusion sees each training case in native geometry, before anything is resampled. With a recipe that keeps labels soft
    the network learns the fusion's probabilities as they are: 0 or 1 for a vote, shares for the soft average, posteriors for
    STAPLE.

    Args:
        fusion: how labels are fused; None is ``MajorityVote()``. A pooled fusion is fitted on the training part only.
        recipe, budget: as in ``NetworkMethod``.
    """

    def __init__(self, *, fusion: Fusion | None = None, recipe: Recipe | None = None, budget: Budget | None = None) -> None:
        super().__init__(budget=budget, recipe=recipe)
        self.fusion = fusion

    @property
    def needs_rater_identity(self) -> bool:
        return self.fusion is not None and self.fusion.needs_rater_identity

    def fit_labels(self, train: Dataset) -> None:
        self.fusion_: Fusion = clone(self.fusion) if self.fusion is not None else MajorityVote()
        self.fusion_.fit(train, train.n_classes)

    def label_names(self, train: Dataset) -> tuple[str, ...]:
        del train
        return ("consensus",)

    def labels(self, case: Case) -> Mapping[str, npt.NDArray[Any]]:
        consensus = self.fusion_.fuse(case.ratings, self.n_classes_, geometry=case.geometry)
        probability = consensus.probability
        nobody = consensus.labels == IGNORE
        return {"consensus": np.where(nobody, np.float32(0), probability) if nobody.any() else probability}
