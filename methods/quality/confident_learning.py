"""Find the voxels of cheap annotations that a teacher is sure are wrong, and soften their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Annotated, Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import clone

from ...datasets.base import IGNORE, Case, Dataset, Floats, Labels
from ...parameters import Range
from ...seeds import seed_sequence
from ..fit_report import AnnotationRepair
from ..learning.budget import Budget
from ..learning.network import NetworkMethod
from ..learning.preparation import one_hot
from ..learning.recipes import Recipe
from .two_quality_network import TwoQualityNetwork
from .views import HQ, LQ, CaseView, Place, best_raters, places_rated_by

FOLDS = 6
"""The stream of random numbers that divides the cases of the teachers; see ``learning.training`` for the others."""


class ConfidentLearning(TwoQualityNetwork):
    """Corrects cheap annotations where a network trained on other cheap ones is confident of another class.

    Two teachers are trained, each on the cheap annotations of half of the subjects, and predict those of the other half. A
    class is confident where its probability is at least its mean over the voxels that have this label (Northcutt et al., 2021).
    A voxel whose most probable confident class is not its label is taken for an error, and its label moves to that class with
    weight ``confidence``. Then a new network is trained on careful annotations as they are, and on corrected ones. Validation
    annotations are not corrected.

    Our own definition after the competitor of that name in Vadineanu (2025, table 3.3); the weight is that of its code.

    Args:
        confidence: the weight of the new class; the old one keeps the rest.
        hq, lq: as in ``TwoQualityNetwork``.
        recipe, budget: of teachers and network; a recipe that makes labels hard takes the heavier class.

    After ``fit``: ``corrected_``, the targets [K, *S] by case and rater. The report has the teachers in ``stages``.
    """

    listed = True
    corrected_: Mapping[str, Mapping[str, Floats]] = MappingProxyType({})

    def __init__(
        self,
        *,
        confidence: Annotated[float, Range(0, 1)] = 0.8,
        hq: tuple[str, ...] = HQ,
        lq: tuple[str, ...] = LQ,
        recipe: Recipe | None = None,
        budget: Budget | None = None,
    ) -> None:
        super().__init__(hq=hq, lq=lq, recipe=recipe, budget=budget)
        self.confidence = confidence

    def n_networks(self, n_raters: int) -> int:
        """The network and two teachers."""
        return 3 * super().n_networks(n_raters)

    def fit(self, train: Dataset, validation: Dataset, *, seed: int, device: str | torch.device = "cpu") -> Self:
        """Train the teachers, correct, train; the same arguments give the same bits on the CPU."""
        self.check_parameters()
        cheap = [place for place in places_rated_by(self.lq, train) if set(self.hq).isdisjoint(place.raters)]
        teachers = self._teachers(cheap, validation, seed, device) if cheap else []
        self.corrected_ = self._corrected(cheap, teachers, train.n_classes)
        super().fit(train, validation, seed=seed, device=device)
        if len(cheap) == 1:
            self.report_.warnings.append("there is one cheap annotation alone: its own teacher corrected it")
        self.report_.stages = {f"teacher {i}": teacher.fit_report() for i, (teacher, _) in enumerate(teachers, start=1)}
        self.report_.repair = AnnotationRepair(len(cheap), self.lq, self.hq)
        return self

    def targets(self, case: Case) -> Mapping[str, npt.NDArray[Any]]:
        return self.corrected_.get(case.id) or super().targets(case)

    def repaired(self) -> Mapping[str, Mapping[str, Labels]]:
        """The heavier class of each corrected label."""
        return {
            case: {
                rater: np.where(soft.any(axis=0), soft.argmax(axis=0), IGNORE).astype(np.uint8) for rater, soft in of.items()
            }
            for case, of in self.corrected_.items()
        }

    def _teachers(
        self, cheap: Sequence[Place], validation: Dataset, seed: int, device: str | torch.device
    ) -> list[tuple[NetworkMethod, list[int]]]:
        """Fitted networks, each with the positions of the cheap cases that it has not seen."""
        fold = _two_folds(cheap, seed)
        held_out = places_rated_by(self.lq, validation)
        found: list[tuple[NetworkMethod, list[int]]] = []
        for half in sorted(set(fold)):
            seen = [i for i in range(len(cheap)) if fold[i] == half]
            others = [i for i in range(len(cheap)) if fold[i] != half] or seen
            validating = held_out or [cheap[i] for i in seen]
            views = (self._view([cheap[i] for i in seen]), self._view(validating))
            teacher = NetworkMethod(
                budget=clone(self.budget) if self.budget else None, recipe=clone(self.recipe) if self.recipe else None
            )
            found.append((teacher.fit(*views, seed=seed, device=device), others))
        return found

    def _view(self, places: Sequence[Place]) -> CaseView:
        def cheap_alone(case: Case) -> Case:
            return replace(case, ratings={rater: case.ratings[rater] for rater in self.lq if rater in case.ratings})

        return CaseView(places, [best_raters(place.raters, (), self.lq) for place in places], cheap_alone)

    def _corrected(
        self, cheap: Sequence[Place], teachers: Sequence[tuple[NetworkMethod, list[int]]], n_classes: int
    ) -> dict[str, dict[str, Floats]]:
        predicted: dict[int, Floats] = {}
        cases = [place.part[place.position] for place in cheap]
        for teacher, positions in teachers:
            predicted |= {i: teacher.predict_proba(cases[i].unlabelled()) for i in positions}
        ratings = [{rater: case.ratings[rater] for rater in self.lq if rater in case.ratings} for case in cases]
        pairs = [(predicted[i], labels) for i, given in enumerate(ratings) for labels in given.values()]
        least = mean_confidence(pairs, n_classes)
        return {
            case.id: {rater: soften(predicted[i], labels, least, self.confidence) for rater, labels in ratings[i].items()}
            for i, case in enumerate(cases)
        }


def mean_confidence(pairs: Sequence[tuple[Floats, Labels]], n_classes: int) -> npt.NDArray[np.float64]:
    """The mean probability [K] of each class over the voxels labelled so, infinite for one that no voxel has."""
    sums, voxels = np.zeros(n_classes), np.zeros(n_classes)
    for probability, labels in pairs:
        for k in range(n_classes):
            sums[k] += probability[k][labels == k].sum(dtype=np.float64)
            voxels[k] += (labels == k).sum()
    return np.where(voxels > 0, sums / np.maximum(voxels, 1), np.inf)


def soften(probability: Floats, labels: Labels, least: npt.NDArray[np.float64], confidence: float) -> Floats:
    """The labels [*S] as targets [K, *S], of which confident errors move to the class that ``probability`` [K, *S] has there.

    ``least`` [K] is the probability from which each class is confident. What was not judged is zero.
    """
    least = least.reshape(-1, *[1] * labels.ndim)
    confident = np.where(probability >= least, probability, -1)
    best = confident.argmax(axis=0)
    wrong = (confident.max(axis=0) >= 0) & (best != labels) & (labels != IGNORE)
    given, other = (np.asarray(one_hot(k, len(probability)), np.float32) for k in (labels, best))
    return np.where(wrong, (1 - np.float32(confidence)) * given + np.float32(confidence) * other, given)


def _two_folds(places: Sequence[Place], seed: int) -> list[int]:
    """0 or 1 for each case, the same for all of a subject, unless there is one subject alone."""
    subjects = [place.subject for place in places]
    groups = subjects if len(set(subjects)) > 1 else [str(i) for i in range(len(places))]
    names = sorted(set(groups))
    order = np.random.default_rng(seed_sequence(seed, FOLDS)).permutation(len(names))
    fold = {names[name]: place % 2 for place, name in enumerate(order)}
    return [fold[group] for group in groups]
