"""The base class of methods that fit one other method, their segmenter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import torch
from sklearn.base import clone

from ...datasets.base import Dataset
from ..base import Method, Need, NestingMethod
from ..fit_report import FitReport
from ..learning.budget import Budget
from ..learning.recipes import Recipe
from .fused_labels import FusedLabels


class SegmenterHolder(NestingMethod):
    """Base of methods that fit one other method, and then predict, repair and report as that one does.

    A subclass stores the parameter ``segmenter``, a method or None, and calls ``fit_segmenter`` in ``fit``. What it does not
    override is as the segmenter has it: what it needs, why it is skipped, how many networks it trains, how it is restored.

    After ``fit``: ``segmenter_``, and ``warnings_``, what the report says before the segmenter's own warnings.
    """

    listed = False
    segmenter: Method | None
    recipe: Recipe | None
    budget: Budget | None
    segmenter_: Method
    warnings_: Sequence[str] = ()

    def inner(self) -> Method:
        """The method that is held, not fitted."""
        return self.default_segmenter() if self.segmenter is None else self.segmenter

    def default_segmenter(self) -> Method:
        """The method that is held where none is given."""
        return FusedLabels(recipe=self.recipe, budget=self.budget)

    @property
    def needs(self) -> frozenset[Need]:
        return self.inner().needs

    @property
    def needs_rater_identity(self) -> bool:
        return self.inner().needs_rater_identity

    def skip_reason(self, dataset: Dataset) -> str | None:
        return self.inner().skip_reason(dataset)

    def n_networks(self, n_raters: int) -> int:
        return self.inner().n_networks(n_raters)

    def check_parameters(self) -> None:
        """Check the parameters, and those of the segmenter; errors as in ``Method.check_parameters``."""
        super().check_parameters()
        self.inner().check_parameters()

    def fit_segmenter(self, train: Dataset, validation: Dataset, *, seed: int, device: str | torch.device) -> None:
        """Set ``segmenter_``, fitted to these parts."""
        self.segmenter_ = clone(self.inner()).fit(train, validation, seed=seed, device=device)

    @property
    def fitted_method(self) -> Method:
        return self.segmenter_

    def fit_report(self) -> FitReport:
        report = super().fit_report()
        return replace(report, warnings=[*self.warnings_, *report.warnings]) if self.warnings_ else report

    def restore(
        self, weights: Mapping[str, torch.Tensor], facts: Mapping[str, Any], *, device: str | torch.device = "cpu"
    ) -> Self:
        self.check_parameters()
        self.segmenter_, self.warnings_ = clone(self.inner()).restore(weights, facts, device=device), ()
        return self
