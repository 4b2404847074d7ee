"""Both kinds of fusions used alike: those that see label maps alone, and those that see the whole case."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import clone

from ....datasets.base import IGNORE, Case, Dataset, Floats
from ....seeds import derived_seed
from ...base import CaseFusion, Consensus, Fusion, Need

FUSION = 6
"""The stream of random numbers of a fusion that is fitted within a method; see ``learning.training`` for the others."""


def fitted_fusion(
    fusion: Fusion | CaseFusion, train: Dataset, *, seed: int, device: str | torch.device = "cpu"
) -> Fusion | CaseFusion:
    """A clone that has learned from the training cases; ``seed`` is that of the method, of which the fusion gets its own."""
    fresh: Fusion | CaseFusion = clone(fusion)
    if isinstance(fresh, CaseFusion):
        return fresh.fit(train, seed=derived_seed(seed, FUSION), device=device)
    return fresh.fit(train, train.n_classes)


class RememberedFusion(CaseFusion):
    """A fitted fusion that fuses a case once for each diagnosis it is told, for parts of a method that fuse the same cases.

    It is never fitted again, and a clone of it is itself. What it fused stays in memory as long as it does.
    """

    def __init__(self, fitted: CaseFusion) -> None:
        self.fitted = fitted
        self._consensus: dict[tuple[str, int | None], Consensus] = {}

    def __sklearn_clone__(self) -> Self:
        return self

    @property
    def needs(self) -> frozenset[Need]:
        return self.fitted.needs

    def check_parameters(self) -> None:
        self.fitted.check_parameters()

    def skip_reason(self, dataset: Dataset) -> str | None:
        return self.fitted.skip_reason(dataset)

    def fit(self, cases: Dataset, *, seed: int, device: str | torch.device = "cpu") -> Self:
        del cases, seed, device
        return self

    def fuse_cases(self, cases: Dataset) -> list[Consensus]:
        told = [(case.id, case.diagnosis) for case in cases]
        new = [position for position, key in enumerate(told) if key not in self._consensus]
        if new:
            for position, consensus in zip(new, self.fitted.fuse_cases(cases.subset(new)), strict=True):
                self._consensus[told[position]] = consensus
        return [self._consensus[key] for key in told]


def fuse_cases(fusion: Fusion | CaseFusion, cases: Dataset) -> Iterator[tuple[Case, Consensus]]:
    """Each case with its consensus, in order.

    Raises:
        RaterbenchError: as ``Fusion.fuse`` and ``CaseFusion.fuse_cases`` do.
    """
    if isinstance(fusion, CaseFusion):
        yield from zip(cases, fusion.fuse_cases(cases), strict=True)
        return
    for case in cases:
        yield case, fusion.fuse(case.ratings, cases.n_classes, geometry=case.geometry)


def is_repeatable(fusion: Fusion | CaseFusion) -> bool:
    """Whether the consensus of a case is that of any other process: it sees label maps alone, learned nothing, and is ours."""
    ours = type(fusion).__module__.startswith(f"{__name__.partition('.')[0]}.")
    return isinstance(fusion, Fusion) and ours and not any(name.endswith("_") for name in vars(fusion))


def fusion_identity(fusion: Fusion | CaseFusion) -> list[Any]:
    """A fusion's class and all its parameters, as plain values."""
    found = sorted(fusion.get_params().items())
    return [type(fusion).__qualname__, [(name, type(v).__qualname__ if hasattr(v, "get_params") else v) for name, v in found]]


def judged_voxels(consensus: Consensus, case: Case) -> npt.NDArray[np.bool_]:
    """The voxels [*S] that one of the raters whom the consensus is made of judged."""
    given = [case.ratings[rater] for rater in consensus.raters]
    return np.any([labels != IGNORE for labels in given], axis=0) if given else np.zeros(case.shape, np.bool_)


def judged_probability(consensus: Consensus, case: Case) -> Floats:
    """The probability of a consensus [K, *S], and zeros where nobody judged the voxel."""
    judged = judged_voxels(consensus, case)
    return consensus.probability if judged.all() else np.where(judged, consensus.probability, np.float32(0))
