"""Repair cheap annotations with a network that a few careful ones taught, then train a segmenter on both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Self

import torch
from sklearn.base import clone

from ...datasets.base import Case, Dataset, Labels
from ...datasets.simulation.annotation_errors import AnnotationErrors
from ...errors import RaterbenchError
from ...parameters import Range
from ..base import Method, Need
from ..fit_report import AnnotationRepair, FitReport, RepairScore
from ..learning.budget import Budget
from ..learning.recipes import Recipe
from ..learning.volumes.choice import why_not_volumes
from ..networks.segmenter_holder import SegmenterHolder
from .error_estimate import estimate_errors
from .repair_scores import RepairedAnnotation, repair_score
from .upgrade_network import Objects, UpgradeNetwork, find_objects
from .views import (
    HQ,
    LQ,
    CaseView,
    Place,
    best_raters,
    careful_labels,
    check_two_qualities,
    missing_raters,
    places_rated_by,
    split_places,
)


class Upgrade(SegmenterHolder):
    """Learns from careful annotations to repair cheap ones, and trains a segmenter on both (Vadineanu 2025, chapter 3).

    The upgrade network learns the careful labels of an image from the image and the same labels with errors. It then repairs
    the cheap annotations of all training and validation cases. The segmenter is trained on the careful labels of a case, or on
    repaired ones where it has none, all with the same weight, and predicts test cases from the image alone.

    Careful annotations are few and fall in both parts of a fold, because subjects are not split: the upgrade network pools
    those of training and validation cases, and validates on a fifth of them that is drawn anew.

    For two classes. Where the paper's network sees each case once an epoch, an epoch here has by default as many slices as one
    of the segmenter, so that few careful annotations do not mean few steps.

    Args:
        segmenter: the second stage, any method; None is ``FusedLabels()`` with ``recipe`` and ``budget``.
        errors: the errors that the upgrade network learns to undo, drawn anew each time it sees a case. None estimates
            omission, inclusion and bias from the training and validation cases that both kinds of raters annotated.
        objects: which objects are left out or taken in: ``components``, the connected parts of careful labels, or
            ``instances``, those that the careful rater numbered. Distractors are known of the latter alone.
        hq: the careful raters; of several the majority is learned.
        lq: the cheap raters.
        draws: erroneous annotations of each case in an epoch of the upgrade network; None as above.
        recipe, budget: of the upgrade network, and of the segmenter where none is given, as in ``NetworkMethod``.

    After ``fit``: ``network_`` and ``segmenter_``, ``errors_``, and the repaired labels ``repaired_`` by case and rater. The
    report is that of the segmenter, with both trainings in ``stages`` and ``repair``, what is known of the annotations.

    >>> from raterbench.datasets import AnnotationErrors
    >>> from raterbench.methods import Upgrade
    >>> Upgrade(errors=AnnotationErrors(omission=0.7)).check_parameters()
    """

    repaired_: dict[str, dict[str, Labels]]

    def __init__(
        self,
        *,
        segmenter: Method | None = None,
        errors: AnnotationErrors | None = None,
        objects: Objects = "components",
        hq: tuple[str, ...] = HQ,
        lq: tuple[str, ...] = LQ,
        draws: Annotated[int, Range(1, 10_000)] | None = None,
        recipe: Recipe | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.segmenter = segmenter
        self.errors = errors
        self.objects = objects
        self.hq = hq
        self.lq = lq
        self.draws = draws
        self.recipe = recipe
        self.budget = budget

    @property
    def needs(self) -> frozenset[Need]:
        own: frozenset[Need] = frozenset({"instances"} if self.objects == "instances" else ())
        return own | super().needs

    @property
    def needs_rater_identity(self) -> bool:
        return True

    def skip_reason(self, dataset: Dataset) -> str | None:
        """Why it cannot run: there are more than two classes, volumes in 3-D, or a rater is not in the data set."""
        if dataset.n_classes != 2:
            return f"annotation errors are defined for two classes, and there are {dataset.n_classes}"
        flat = why_not_volumes(dataset, "errors are drawn in slices")
        return flat or missing_raters(dataset, [*self.hq, *self.lq]) or super().skip_reason(dataset)

    def n_networks(self, n_raters: int) -> int:
        return 1 + super().n_networks(n_raters)

    def check_parameters(self) -> None:
        """Check the parameters and those of all parts.

        Raises:
            RaterbenchError: one is wrong; a rater is in ``hq`` and in ``lq``; instances are asked for with several careful
                raters, or inclusion without instances.
        """
        super().check_parameters()
        check_two_qualities(self.hq, self.lq, "Upgrade")
        for part in (self.errors, self._network(AnnotationErrors(), 1)):
            if part is not None:
                part.check_parameters()
        if self.objects == "instances" and len(self.hq) > 1:
            raise RaterbenchError('Upgrade: objects = "instances" are those of one careful rater: name one in hq')
        if self.objects == "components" and self.errors is not None and self.errors.inclusion:
            raise RaterbenchError(
                f"Upgrade: errors.inclusion = {self.errors.inclusion:g} is a share of distractors, which only instance maps "
                'have: write objects = "instances", or leave it out'
            )

    def fit(self, train: Dataset, validation: Dataset, *, seed: int, device: str | torch.device = "cpu") -> Self:
        """Train the upgrade network, repair, train the segmenter; the same arguments give the same bits on the CPU.

        Raises:
            RaterbenchError: no case has a careful annotation, or a part has none of either kind; the errors are to be estimated
                and no case has both kinds.
        """
        self.check_parameters()
        careful = places_rated_by(self.hq, train, validation)
        if not careful:
            raise RaterbenchError(
                f"none of the {len(train) + len(validation)} training and validation cases is annotated by "
                f"{' or '.join(map(repr, self.hq))}, so that no repair can be learned: choose at least one case for it"
            )
        warnings: list[str] = []
        self.errors_ = self.errors if self.errors is not None else self._estimated(careful, warnings)
        learned, held_out = split_places([careful], seed)
        if len(careful) == 1:
            warnings.append("the upgrade network learned from one careful annotation, which also chose its best epoch")
        self.network_ = self._network(self.errors_, self._draws(len(learned), train))
        parts = (CaseView(places, [place.raters for place in places], lambda case: case) for places in (learned, held_out))
        self.network_.fit(*parts, seed=seed, device=device)
        scores = self._repair(train, validation)
        if not self._any_object(careful):
            warnings.append("no careful annotation has an object, so that repaired annotations have none either")
        self.fit_segmenter(self._second_stage(train), self._second_stage(validation), seed=seed, device=device)
        names = [place.case for place in careful]
        known = AnnotationRepair(
            len(self.repaired_), self.lq, self.hq, tuple(names), self.errors_.get_params(), self.errors is None, scores
        )
        self._report(warnings, known)
        return self

    def fit_report(self) -> FitReport:
        return self.report_

    def weights(self) -> Mapping[str, torch.Tensor]:
        """Those of both stages, which begin with ``upgrade.`` and ``segmenter.``."""
        stages = {"upgrade": self.network_, "segmenter": self.segmenter_}
        return {f"{stage}.{name}": tensor for stage, method in stages.items() for name, tensor in method.weights().items()}

    def facts(self) -> Mapping[str, Any] | None:
        """Those of both stages."""
        network, segmenter = self.network_.facts(), self.segmenter_.facts()
        return {"upgrade": network, "segmenter": segmenter} if segmenter is not None else None

    def restore(
        self, weights: Mapping[str, torch.Tensor], facts: Mapping[str, Any], *, device: str | torch.device = "cpu"
    ) -> Self:
        """Restore both stages: it segments, and repairs annotations of new cases."""
        self.check_parameters()
        first, second = (
            {name.removeprefix(stage): tensor for name, tensor in weights.items() if name.startswith(stage)}
            for stage in ("upgrade.", "segmenter.")
        )
        self.network_ = self._network(AnnotationErrors(), 1).restore(first, facts["upgrade"], device=device)
        super().restore(second, facts["segmenter"], device=device)
        self.repaired_, self.report_ = {}, self.segmenter_.fit_report()
        return self

    def repaired(self) -> Mapping[str, Mapping[str, Labels]]:
        return self.repaired_

    def repair(self, case: Case) -> Mapping[str, Labels]:
        return {rater: self.network_.repair_labels(case, case.ratings[rater]) for rater in self.lq if rater in case.ratings}

    def _network(self, errors: AnnotationErrors, draws: int) -> UpgradeNetwork:
        # It keeps no pictures: what it predicts of an image depends on the annotation that it sees beside it.
        budget = clone(self.budget).set_params(keep_epochs=0) if self.budget is not None else None
        return UpgradeNetwork(hq=self.hq, errors=errors, objects=self.objects, draws=draws, recipe=self.recipe, budget=budget)

    def _draws(self, learned: int, train: Dataset) -> int:
        """Draws of each case, so that an epoch has about as many cases as the training part."""
        return self.draws if self.draws is not None else max(1, round(len(train) / learned))

    def _estimated(self, careful: Sequence[Place], warnings: list[str]) -> AnnotationErrors:
        """The errors of the cheap raters on the cases that careful raters annotated, too."""
        pairs = []
        for place in careful:
            if set(self.lq).isdisjoint(place.raters):
                continue
            case = place.part[place.position]
            labels = careful_labels(case, self.hq, 2)
            there = find_objects(case, labels, self.objects, self.hq)
            pairs += [(there, case.ratings[rater]) for rater in self.lq if rater in case.ratings]
        if not pairs:
            raise RaterbenchError(
                f"no training or validation case is annotated by {' or '.join(map(repr, self.hq))} and also by "
                f"{' or '.join(map(repr, self.lq))}, from which the errors could be estimated: give errors, or let both "
                "annotate some cases"
            )
        found = estimate_errors(pairs)
        if not found.objects:
            warnings.append("the cases that both kinds of raters annotated have no object: no error could be estimated")
        return found.errors

    def _repair(self, train: Dataset, validation: Dataset) -> tuple[RepairScore, ...]:
        """Repair every cheap annotation; how near to the careful labels it is then, where the case has both."""
        self.repaired_ = {}
        both = []
        for place in places_rated_by(self.lq, train, validation):
            case = place.part[place.position]
            self.repaired_[case.id] = dict(self.repair(case))
            if not set(self.hq).isdisjoint(case.ratings):
                better = careful_labels(case, self.hq, 2)
                repaired = self.repaired_[case.id].items()
                both += [RepairedAnnotation(case.id, case.ratings[rater], labels, better) for rater, labels in repaired]
        score = repair_score("training", "careful labels that the repair was learned from", both)
        return () if score is None else (score,)

    def _second_stage(self, part: Dataset) -> Dataset:
        """The cases of a part with careful labels, or else repaired ones."""
        places = places_rated_by([*self.hq, *self.lq], part)
        if not places:
            names = " or ".join(map(repr, (*self.hq, *self.lq)))
            raise RaterbenchError(
                f"none of {len(part)} cases that learn, or of those that validate, is annotated by {names}: split the data "
                "otherwise, or name other raters in hq and lq"
            )
        raters = [best_raters(place.raters, self.hq, self.lq) for place in places]
        return CaseView(places, raters, self._relabelled)

    def _relabelled(self, case: Case) -> Case:
        given = {**case.ratings, **self.repaired_.get(case.id, {})}
        ratings = {rater: given[rater] for rater in best_raters(given, self.hq, self.lq)}
        return replace(case, ratings=ratings).blind(self.inner().needs)

    def _any_object(self, careful: Sequence[Place]) -> bool:
        return any((careful_labels(place.part[place.position], self.hq, 2) == 1).any() for place in careful)

    def _report(self, warnings: list[str], known: AnnotationRepair) -> None:
        """The segmenter's report, with both stages, and what is known of the annotations."""
        first, second = self.network_.fit_report(), self.segmenter_.fit_report()
        stages = {"upgrade network": first, "segmenter": second}
        told = [*warnings, *first.warnings, *second.warnings]
        self.report_ = replace(second, warnings=told, stages=stages, repair=known)
