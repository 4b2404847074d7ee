"""Segment, and let diagnosis networks judge the segmentations and the fused labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import torch

from ...datasets.base import Case, Dataset
from ...errors import RaterbenchError
from ..base import CaseFusion, DiagnosedLabels, Fusion, Method, Need, Prediction
from ..fit_report import OWN_LABELS, Control, FitReport
from ..fusion.majority import MajorityVote
from ..learning.budget import Budget
from ..learning.recipes import Recipe
from ..networks.fused_labels import FusedLabels
from ..networks.segmenter_holder import SegmenterHolder
from .base import DiagnosisBudget, DiagnosisNetwork, diagnosis_skip_reason
from .controls import (
    JudgedFusion,
    Judges,
    fitted_for_control,
    judged_fusions,
    judging_networks,
    name_of,
    possible_controls,
)
from .diagnosis_first import DiagnosisFirst, DiagnosisFusion
from .dl_att import DLAtt
from .dl_cat import DLCat
from .residual_network import NoMask

CONTROLS: tuple[Control, ...] = ("as published", "cross-fitted", "permuted")
NO_MASK = name_of(NoMask())
"""It sees no mask, so that it has none of its own."""
SEGMENTER = "segmenter."
"""How the names of the segmenter's weights begin."""


class Diagnosed(SegmenterHolder):
    """Measures what a way of learning from raters is worth for the diagnosis (Wu et al., 2022, section 4.3).

    End to end: diagnosis networks learn from the training images with the majority vote as the mask, the same for all
    candidates. Of a test case they see the image and the segmenter's probability (tables 2 to 4). They know the style of the
    majority's labels alone. So where the segmenter learned from ``fusion``, cross-fitted if that uses the diagnosis, and the
    control ``cross-fitted`` is computed, the networks that learned from those labels judge its segmentations, too; after their
    names stands ``own labels``.

    Of fused labels: networks of their own learn from the training images with the labels of ``fusion`` as the mask, and judge
    its labels of test cases (figures 2 and 4) under the ``controls``, which ``DiagnosedLabels`` describes. A fusion that uses
    the diagnosis is cross-fitted or not as the control says, whatever its own setting, and networks of the kind that it uses
    judge it only ``as published``.

    A case of which the diagnosis is unknown teaches the segmenter alone.

    Args:
        segmenter: the method that segments; None is ``FusedLabels(fusion=fusion)`` with ``recipe`` and ``budget``. For a study
            of fusions alone take ``class-frequencies``, which costs nothing, and ``end_to_end = false``.
        fusion: whose labels are judged; None is ``MajorityVote()``.
        networks: the diagnosis networks, each of a different kind; None are ``no-mask``, ``dl-cat`` and ``dl-att``.
        end_to_end: whether the segmentations are judged.
        controls: those to compute; what means nothing for the fusion is left out. Empty: its labels are not judged.
        diagnosis_budget: how the networks are trained; None is ``DiagnosisBudget()``.
        recipe, budget: of the segmenter where none is given.

    After ``fit``: ``segmenter_``, ``judges_`` (None unless end to end) and ``judged_fusions_``.

    >>> from raterbench.methods.diagnosis.diagnosed import Diagnosed
    >>> from raterbench.methods.diagnosis.dl_roi import DLROI
    >>> Diagnosed(networks=(DLROI(),), controls=("cross-fitted",)).check_parameters()
    """

    def __init__(
        self,
        *,
        segmenter: Method | None = None,
        fusion: Fusion | CaseFusion | None = None,
        networks: tuple[DiagnosisNetwork, ...] | None = None,
        end_to_end: bool = True,
        controls: tuple[Control, ...] = CONTROLS,
        diagnosis_budget: DiagnosisBudget | None = None,
        recipe: Recipe | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.segmenter = segmenter
        self.fusion = fusion
        self.networks = networks
        self.end_to_end = end_to_end
        self.controls = controls
        self.diagnosis_budget = diagnosis_budget
        self.recipe = recipe
        self.budget = budget

    @property
    def needs(self) -> frozenset[Need]:
        fused = self.fusion.needs if isinstance(self.fusion, CaseFusion) else frozenset[Need]()
        return frozenset[Need]({"diagnosis"}) | fused | super().needs

    @property
    def needs_rater_identity(self) -> bool:
        return self._fusion().needs_rater_identity if isinstance(self._fusion(), Fusion) else False

    def skip_reason(self, dataset: Dataset) -> str | None:
        """Why it cannot run: there are not two diagnoses, or a part of it cannot run."""
        reasons = [diagnosis_skip_reason(dataset), super().skip_reason(dataset)]
        if isinstance(self.fusion, CaseFusion):
            reasons.append(self.fusion.skip_reason(dataset))
        reasons += [f"{name_of(network)}: {reason}" for network in self._networks() if (reason := network.skip_reason(dataset))]
        return next((reason for reason in reasons if reason is not None), None)

    def diagnosis_networks(self) -> list[tuple[DiagnosisNetwork, DiagnosisBudget]]:
        """Each diagnosis network that ``fit`` trains, as often as it does, with its budget: for estimates of time.

        ``n_networks`` has those of the segmenter alone, since these are much smaller.
        """
        budget, controls = self.diagnosis_budget or DiagnosisBudget(), self._controls()
        judges = list(self._networks()) if self.end_to_end else []
        for control in controls:
            judges += judging_networks(self._fusion(), control, self._networks())
        found = [(network, budget) for network in judges]
        # One fitted fusion serves all controls but ``as published``, and the segmenter that has no fusion of its own.
        fitted = {("judged", control != "as published"): self.fusion for control in controls}
        learned = self.inner().get_params(deep=False).get("fusion")
        if isinstance(learned, DiagnosisFirst):
            fitted["judged" if self.segmenter is None else "learned", learned.cross_fitted] = learned
        for (_, cross_fitted), fusion in fitted.items():
            if isinstance(fusion, DiagnosisFirst):
                n = fusion.folds if cross_fitted else 1
                found += [(fusion.fused_with(), fusion.diagnosis_budget or DiagnosisBudget())] * n
        return found

    def check_parameters(self) -> None:
        """Check the parameters and those of all parts.

        Raises:
            RaterbenchError: one is wrong; there is no network, or there are two of one kind; or a control has no network that
                may judge.
        """
        super().check_parameters()
        self._fusion().check_parameters()
        if self.diagnosis_budget is not None:
            self.diagnosis_budget.check_parameters()
        names = [name_of(network) for network in self._networks()]
        for network in self._networks():
            network.check_parameters()
        if not names:
            raise RaterbenchError("Diagnosed: networks names none: name at least one, or leave it out")
        if twice := {name for name in names if names.count(name) > 1}:
            raise RaterbenchError(f"Diagnosed: networks names {min(twice)!r} twice: each kind has one place in the results")
        for control in self._controls():
            if not judging_networks(self._fusion(), control, self._networks()):
                raise RaterbenchError(
                    f"Diagnosed: the control {control!r} has no network that may judge: the fusion itself uses the kind of "
                    f"{', '.join(names)}; name another in networks, or leave the control out"
                )

    def fit(self, train: Dataset, validation: Dataset, *, seed: int, device: str | torch.device = "cpu") -> Self:
        """Fit the segmenter, then the diagnosis networks on the majority vote, then those of each control.

        Raises:
            RaterbenchError: no training case has a known diagnosis, or a part raises one.
        """
        self.check_parameters()
        needs = self.inner().needs
        seen = [part.subset(range(len(part)), blind=True, needs=needs) for part in (train, validation)]
        fitted = dict[bool, Fusion | CaseFusion]()
        if self.segmenter is None and isinstance(self.fusion, CaseFusion):  # Slow, so the controls judge the segmenter's own.
            across = not isinstance(self.fusion, DiagnosisFusion) or self.fusion.cross_fitted
            fitted[across] = fitted_for_control(self.fusion, seen[0], cross_fitted=across, seed=seed, device=device)
            self.segmenter_ = FusedLabels(fusion=fitted[across], recipe=self.recipe, budget=self.budget)
            self.segmenter_.fit(*seen, seed=seed, device=device)
        else:
            self.fit_segmenter(*seen, seed=seed, device=device)
        self.judges_: Judges | None = None
        if self.end_to_end:
            judges = Judges(self._networks(), self.diagnosis_budget, seed, device)
            self.judges_ = judges.fit(MajorityVote(), train, validation)
        self.judged_fusions_: list[JudgedFusion] = judged_fusions(
            self._controls(),
            self._fusion(),
            train,
            validation,
            fitted=fitted,
            networks=self._networks(),
            budget=self.diagnosis_budget,
            seed=seed,
            device=device,
        )
        return self

    def restore(
        self, weights: Mapping[str, torch.Tensor], facts: Mapping[str, Any], *, device: str | torch.device = "cpu"
    ) -> Self:
        """Restore the segmenter alone: the diagnosis networks judged it, and what is restored diagnoses nothing."""
        own = {name.removeprefix(SEGMENTER): tensor for name, tensor in weights.items() if name.startswith(SEGMENTER)}
        self.judges_, self.judged_fusions_ = None, []
        return super().restore(own, facts, device=device)

    def predict(self, case: Case, *, samples: int = 0, seed: int = 0) -> Prediction:
        prediction = self.segmenter_.predict(case, samples=samples, seed=seed)
        if self.judges_ is None:
            return prediction
        said = {**(prediction.diagnosis or {}), **self.judges_.diagnose(case, prediction.probability)}
        if (own := self._own_judges()) is not None:
            by_own = own.diagnose(case, prediction.probability)
            said |= {f"{name}{OWN_LABELS}": scores for name, scores in by_own.items() if name != NO_MASK}
        return replace(prediction, diagnosis=said)

    def diagnose_labels(self, cases: Dataset) -> Sequence[DiagnosedLabels]:
        return [found for judged in self.judged_fusions_ for found in judged.diagnose_labels(cases)]

    def fit_report(self) -> FitReport:
        """That of the segmenter, with the trainings of all diagnosis networks in ``stages``."""
        own = self.segmenter_.fit_report()
        stages, told = dict(own.stages), list[str]()
        for where, judges in self._judges().items():
            for name, network in judges.networks.items():
                stages[f"{name}, {where}"] = report = network.fit_report()
                told += [f"{name}, {where}: {text}" for text in report.warnings]
        return replace(own, stages=stages, warnings=[*own.warnings, *told])

    def weights(self) -> Mapping[str, torch.Tensor]:
        """Those of the segmenter and of all diagnosis networks, which begin with ``segmenter.`` or the name of the network."""
        found = {f"{SEGMENTER}{name}": tensor for name, tensor in self.segmenter_.weights().items()}
        for where, judges in self._judges().items():
            for kind, network in judges.networks.items():
                found |= {f"{kind}, {where}.{name}": tensor for name, tensor in network.weights().items()}
        return found

    def _judges(self) -> dict[str, Judges]:
        """All judges, by the masks that they learned from."""
        end_to_end = {"majority vote": self.judges_} if self.judges_ is not None else {}
        return end_to_end | {f"fused labels {judged.control}": judged.judges for judged in self.judged_fusions_}

    def _own_judges(self) -> Judges | None:
        """The networks that learned from the labels that the segmenter learned from; None where there are none."""
        if self.segmenter is not None or (isinstance(self.fusion, DiagnosisFusion) and not self.fusion.cross_fitted):
            return None
        return next((judged.judges for judged in self.judged_fusions_ if judged.control == "cross-fitted"), None)

    def default_segmenter(self) -> Method:
        return FusedLabels(fusion=self.fusion, recipe=self.recipe, budget=self.budget)

    def _fusion(self) -> Fusion | CaseFusion:
        return self.fusion if self.fusion is not None else MajorityVote()

    def _networks(self) -> tuple[DiagnosisNetwork, ...]:
        return self.networks if self.networks is not None else (NoMask(), DLCat(), DLAtt())

    def _controls(self) -> list[Control]:
        return [control for control in possible_controls(self._fusion()) if control in self.controls]
