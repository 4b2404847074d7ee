"""Fuse the raters first, then train on the consensus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from ...datasets.base import Case, Dataset
from ...datasets.cache.array_files import Arrays, content_hash
from ...datasets.cache.disk_cache import kept
from ...datasets.case_list import CaseList
from ..base import CaseFusion, Consensus, Fusion, Need
from ..fusion.engine.cases import fitted_fusion, fuse_cases, fusion_identity, is_repeatable, judged_voxels
from ..fusion.majority import MajorityVote
from ..learning.batches.slices import Slices
from ..learning.budget import Budget
from ..learning.network import NetworkMethod
from ..learning.preparation import one_hot
from ..learning.recipes import SINGLE, Recipe


class FusedLabels(NetworkMethod):
    """Trains a network on the consensus of the raters, as if it were the only rater.

    The fusion gets each training case in native geometry, before anything is resampled. With a recipe that keeps labels soft
    the targets are the fusion's probabilities: 0 or 1 for a vote, proportions for the soft average, posteriors for STAPLE, and
    the proportions of the tied classes where ``ties="undecided"`` leaves a voxel without a label. A recipe that makes labels
    hard by the fusion's rule for ties (``conventional``) cannot use equal probabilities: its target is the label that the rule
    gives, and an undecided voxel is left out as if nobody had judged it.

    Args:
        fusion: how labels are fused; None is ``MajorityVote()``. A pooled fusion, and one that sees the case, is fitted on the
            training part only. What the latter needs, the method needs; predictions are made from the image alone.
        target: ``posterior`` learns the fusion's probabilities; ``consensus`` its labels, each voxel one class, as where
            STAPLE's result is a binary mask. Resampling and augmentation make both softer. Undecided voxels have no label and
            are left out.
        recipe, budget: as in ``NetworkMethod``.
    """

    def __init__(
        self,
        *,
        fusion: Fusion | CaseFusion | None = None,
        target: Literal["posterior", "consensus"] = "posterior",
        recipe: Recipe | None = None,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(budget=budget, recipe=recipe)
        self.fusion = fusion
        self.target = target

    @property
    def needs(self) -> frozenset[Need]:
        return self.fusion.needs if isinstance(self.fusion, CaseFusion) else frozenset()

    @property
    def needs_rater_identity(self) -> bool:
        return isinstance(self.fusion, Fusion) and self.fusion.needs_rater_identity

    def check_parameters(self) -> None:
        super().check_parameters()
        if self.fusion is not None:
            self.fusion.check_parameters()

    def skip_reason(self, dataset: Dataset) -> str | None:
        """Why the fusion cannot run on the data set: its own reason, or it needs more raters than some cases have."""
        super().skip_reason(dataset)
        if isinstance(self.fusion, CaseFusion):
            return self.fusion.skip_reason(dataset)
        needed = self.fusion.min_raters() if self.fusion is not None else 1
        fewer = sum(len(raters) < needed for raters in dataset.index["raters"])
        if not fewer:
            return None
        return f"{type(self.fusion).__name__} needs {needed} raters a case, and {fewer} of {len(dataset)} cases have fewer"

    def prepare(self, train: Dataset, *, seed: int, device: str | torch.device = "cpu") -> Slices:
        self.check_parameters()
        self._fused: dict[str, Consensus] = {}
        self.diagnosis_names_ = train.diagnoses
        self.fusion_ = fitted_fusion(self.fusion or MajorityVote(), train, seed=seed, device=device)
        return super().prepare(train, seed=seed, device=device)

    def target_names(self, train: Dataset) -> tuple[str, ...]:
        del train
        return ("consensus",)

    def slices(self, part: Dataset) -> Slices:
        if isinstance(self.fusion_, CaseFusion):  # All at once, which is much faster than one by one.
            self._fused = {case.id: consensus for case, consensus in fuse_cases(self.fusion_, part)}
        prepared = super().slices(part)
        self._fused = {}
        return prepared

    def targets(self, case: Case) -> Mapping[str, npt.NDArray[Any]]:
        consensus = self._fused.get(case.id)
        if consensus is not None or not is_repeatable(self.fusion_):
            return {"consensus": self._target(consensus or self._consensus(case), case)}

        def made_from() -> list[Any]:
            contents = [(rater, content_hash(labels)) for rater, labels in case.ratings.items()]
            how = [fusion_identity(self.fusion_), self.target, self.recipe_.makes_hard, self.n_classes_]
            return [*how, contents, case.geometry.spacing]

        size = sum(labels.nbytes for labels in case.ratings.values())
        found = kept("fused", size, made_from, lambda: Arrays({"target": self._target(self._consensus(case), case)}))
        return {"consensus": found.arrays["target"]}

    def _target(self, consensus: Consensus, case: Case) -> npt.NDArray[Any]:
        probability, labels = consensus.probability, consensus.labels
        if self.target == "consensus":
            return labels
        judged = judged_voxels(consensus, case)
        if self.recipe_.makes_hard:
            tied = (probability > probability.max(axis=0) - SINGLE).sum(axis=0) > 1
            probability = np.where(tied, one_hot(labels, len(probability)), probability).astype(np.float32)
        return probability if judged.all() else np.where(judged, probability, np.float32(0))

    def _consensus(self, case: Case) -> Consensus:
        if isinstance(self.fusion_, Fusion):
            return self.fusion_.fuse(case.ratings, self.n_classes_, geometry=case.geometry)
        classes = [str(k) for k in range(self.n_classes_)]
        alone = CaseList("one case", [case], classes=classes, raters=self.raters_, diagnoses=self.diagnosis_names_)
        return self.fusion_.fuse_cases(alone)[0]
