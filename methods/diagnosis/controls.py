"""How well fused labels can be diagnosed, with and without what a fusion may have written into them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import clone

from ...datasets.base import Case, Dataset, Floats
from ...seeds import derived_seed, seed_sequence
from ..base import CaseFusion, DiagnosedLabels, Fusion
from ..fit_report import Control
from ..fusion.engine.cases import RememberedFusion, fitted_fusion, fuse_cases, judged_probability
from ..learning.volumes.choice import preparation_of_slices
from . import DIAGNOSIS_NETWORKS
from .base import DIAGNOSES_SLICES, DiagnosisBudget, DiagnosisNetwork
from .diagnosis_first import DiagnosisFusion
from .slices import by_case, masked_slices

JUDGES, PERMUTED = 8, 9
"""Streams of random numbers; see ``learning.training`` for the others."""


class Judges:
    """Diagnosis networks that learn from fused labels and then say what they think of other masks.

    Their seed comes from that of the fold alone, so that the labels and segmentations of all candidates are judged alike.
    """

    def __init__(
        self, networks: Sequence[DiagnosisNetwork], budget: DiagnosisBudget | None, seed: int, device: str | torch.device
    ) -> None:
        self.networks: dict[str, DiagnosisNetwork] = {name_of(network): clone(network) for network in networks}
        self.budget, self.seed, self.device = budget, derived_seed(seed, JUDGES), device

    def fit(self, fusion: Fusion | CaseFusion, train: Dataset, validation: Dataset) -> Judges:
        """Learn from the labels that a fitted fusion gives to the training cases; validation cases choose the epoch."""
        self.n_classes, self.preparation = train.n_classes, preparation_of_slices(train, DIAGNOSES_SLICES)
        parts = []
        for part in (train, validation):
            pairs = [(case, judged_probability(consensus, case)) for case, consensus in fuse_cases(fusion, part)]
            parts.append(masked_slices(pairs, self.n_classes, self.preparation))
        learned, held_out = parts
        self.padded = (learned.images.shape[-2], learned.images.shape[-1])
        for network in self.networks.values():
            network.fit(learned, held_out, seed=self.seed, budget=self.budget, device=self.device)
        return self

    def diagnose(self, case: Case, mask: Floats) -> Mapping[str, npt.NDArray[np.float64]]:
        """The probability of each diagnosis [D], the mean over slices, by network; ``mask`` [K, *S] has a judged voxel."""
        slices = masked_slices([(case, mask)], self.n_classes, self.preparation, self.padded)
        return {name: by_case(network.predict(slices), slices)[0] for name, network in self.networks.items()}


def name_of(network: DiagnosisNetwork) -> str:
    """The name of a network in tables."""
    return DIAGNOSIS_NETWORKS.name_of(type(network))


def possible_controls(fusion: Fusion | CaseFusion) -> tuple[Control, ...]:
    """The controls that say something of the labels of a fusion."""
    always: tuple[Control, ...] = ("cross-fitted", "permuted")
    return ("as published", *always) if isinstance(fusion, DiagnosisFusion) else always


def judging_networks(
    fusion: Fusion | CaseFusion, control: Control, networks: Sequence[DiagnosisNetwork]
) -> list[DiagnosisNetwork]:
    """The networks that may judge the labels of a fusion: those of a kind that it has not used, unless ``as published``."""
    if control == "as published" or not isinstance(fusion, DiagnosisFusion):
        return list(networks)
    return [network for network in networks if not isinstance(network, fusion.fused_with)]


@dataclass(frozen=True, eq=False)
class JudgedFusion:
    """A fitted fusion and networks that learned from its labels, under one control (``DiagnosedLabels``)."""

    control: Control
    fusion: Fusion | CaseFusion
    judges: Judges
    seed: int

    def diagnose_labels(self, cases: Dataset) -> list[DiagnosedLabels]:
        """What the networks say of the fused labels of cases; without those that have no diagnosis or no judged voxel."""
        if self.control == "permuted":
            cases = PermutedDiagnoses(cases, derived_seed(self.seed, PERMUTED, 2))
        found = []
        for case, consensus in fuse_cases(self.fusion, cases):
            mask = judged_probability(consensus, case)
            if case.diagnosis is not None and mask.any():
                said = self.judges.diagnose(case, mask)
                weights = consensus.weight_maps
                found.append(DiagnosedLabels(case.id, self.control, consensus.labels, case.diagnosis, said, weights))
        return found


def fitted_for_control(
    fusion: Fusion | CaseFusion, train: Dataset, *, cross_fitted: bool, seed: int, device: str | torch.device
) -> Fusion | CaseFusion:
    """A clone that has learned from the training cases, cross-fitted or not if it uses the diagnosis.

    One that sees cases fuses each of them once for each diagnosis, however many parts of a method ask for it.
    """
    used: Any = clone(fusion)
    if isinstance(used, DiagnosisFusion):
        used.set_params(cross_fitted=cross_fitted)
    fitted = fitted_fusion(used, train, seed=seed, device=device)
    return RememberedFusion(fitted) if isinstance(fitted, CaseFusion) else fitted


def judged_fusions(
    controls: Sequence[Control],
    fusion: Fusion | CaseFusion,
    train: Dataset,
    validation: Dataset,
    *,
    fitted: Mapping[bool, Fusion | CaseFusion],
    networks: Sequence[DiagnosisNetwork],
    budget: DiagnosisBudget | None,
    seed: int,
    device: str | torch.device,
) -> list[JudgedFusion]:
    """Fit a fusion to the training cases, and networks to what it makes of them, under each control.

    Diagnoses are permuted after the fusion has learned: a fusion that learned from permuted ones would not know how to write a
    diagnosis into labels, and a leak could not be seen. So the same fitted fusion serves ``cross-fitted`` and ``permuted``.
    ``fitted`` has those that are there already, by whether they are cross-fitted.
    """
    fitted, judged = dict(fitted), []
    for control in controls:
        cross_fitted = control != "as published"
        if cross_fitted not in fitted:
            fitted[cross_fitted] = fitted_for_control(fusion, train, cross_fitted=cross_fitted, seed=seed, device=device)
        parts = [train, validation]
        if control == "permuted":
            parts = [PermutedDiagnoses(part, derived_seed(seed, PERMUTED, place)) for place, part in enumerate(parts)]
        judges = Judges(judging_networks(fusion, control, networks), budget, seed, device)
        judged.append(JudgedFusion(control, fitted[cross_fitted], judges.fit(fitted[cross_fitted], *parts), seed))
    return judged


class PermutedDiagnoses(Dataset):
    """The same cases, whose subjects have exchanged their diagnoses by chance.

    The diagnoses of a subject's cases go to another subject together, because those of one subject are alike. Where that
    one has more cases, they are repeated. Unknown diagnoses stay unknown.
    """

    listed = False

    def __init__(self, part: Dataset, seed: int) -> None:
        self.part = part
        self.name, self.classes, self.raters, self.diagnoses = part.name, part.classes, part.raters, part.diagnoses
        self.preparation, self.unit, self.anonymous_raters = part.preparation, part.unit, part.anonymous_raters
        self.index = part.index
        positions, own = dict[str, list[int]](), dict[str, list[int]]()
        for position, case in enumerate(part):
            if case.diagnosis is not None:
                positions.setdefault(case.subject, []).append(position)
                own.setdefault(case.subject, []).append(case.diagnosis)
        subjects = sorted(own)
        order = np.random.default_rng(seed_sequence(seed)).permutation(len(subjects))
        self.given: dict[int, int] = {}
        for subject, other in zip(subjects, (own[subjects[i]] for i in order), strict=True):
            for place, position in enumerate(positions[subject]):
                self.given[position] = other[place % len(other)]

    @property
    def whole(self) -> Dataset:
        return self.part.whole

    def load(self, position: int) -> Case:
        return replace(self.part[position], diagnosis=self.given.get(position))
