"""Rules that diagnose from the size of an inner structure within an outer one, without a deep network."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ...datasets.base import Dataset
from ...errors import RaterbenchError
from ..fit_report import FitReport
from .base import DiagnosisBudget, DiagnosisNetwork, two_columns
from .slices import MaskedSlices


class RatioThreshold(DiagnosisNetwork):
    """Diagnoses from the vertical extent of the inner structure as a share of that of the outer one (vCDR-TS; Wu et al., 2022).

    The outer structure is all foreground, the inner one the last class, each where its probability is above .5. The score is
    the ratio itself. A logistic curve through the training cases makes a probability of it and learns whether a large or a
    small ratio means disease; its order is that of the ratio. Without an outer structure the ratio is 0.

    >>> import torch
    >>> from raterbench.methods.diagnosis.ratios import vertical_and_area_ratio
    >>> labels = torch.tensor([[[1, 1], [2, 1], [2, 1], [1, 1]]])
    >>> masks = torch.nn.functional.one_hot(labels, 3).movedim(-1, 1)
    >>> vertical_and_area_ratio(masks).tolist()
    [[0.5, 0.25]]
    """

    def skip_reason(self, dataset: Dataset) -> str | None:
        return None if dataset.n_classes > 2 else "a ratio of two structures needs three classes, and there are two"

    def fit(
        self,
        train: MaskedSlices,
        validation: MaskedSlices,
        *,
        seed: int,
        budget: DiagnosisBudget | None = None,
        device: str | torch.device = "cpu",
    ) -> Self:
        """Learn which diagnosis goes with which ratio; nothing is random, and validation slices are not looked at.

        Raises:
            RaterbenchError: no training slice has a known diagnosis.
        """
        del validation, seed, budget, device
        self.check_parameters()
        known, self.report_ = train.known(), FitReport()
        self.classifier_: Any = None
        diagnoses = known.diagnoses.cpu().numpy()
        if not len(known):
            raise RaterbenchError("no training case has a known diagnosis: give cases with one, or leave diagnosis out")
        if len(np.unique(diagnoses)) == 1:
            self.report_.warnings.append("all training cases have the same diagnosis, so that the other one cannot be learned")
        else:
            self.classifier_ = make_pipeline(StandardScaler(), self.classifier())
            self.classifier_.fit(self.ratios(known), diagnoses)
        return self

    def classifier(self) -> Any:
        """What learns the diagnosis from the scaled ratios."""
        return LogisticRegression()

    def ratios(self, slices: MaskedSlices) -> npt.NDArray[np.float64]:
        """What is learned from, [N, F]."""
        return vertical_and_area_ratio(slices.masks)[:, :1].cpu().numpy()

    def predict(self, slices: MaskedSlices) -> npt.NDArray[np.float64]:
        if self.classifier_ is None:
            return np.full((len(slices), 2), 0.5)
        return two_columns(expit(self.classifier_.decision_function(self.ratios(slices))))

    def fit_report(self) -> FitReport:
        return self.report_


class RatioSVM(RatioThreshold):
    """Diagnoses from the vertical and the area ratio with a support vector machine (vCDR-SVM; Wu et al., 2022).

    Structures as in ``ratio-threshold``. The kernel is Gaussian, both diagnoses weigh the same, and the probability is the
    logistic of the distance from the margin: its order is right, its values are not calibrated.
    """

    name = "ratio-svm"

    def classifier(self) -> Any:
        return SVC(kernel="rbf", class_weight="balanced")

    def ratios(self, slices: MaskedSlices) -> npt.NDArray[np.float64]:
        return vertical_and_area_ratio(slices.masks).cpu().numpy()


def vertical_and_area_ratio(masks: torch.Tensor) -> torch.Tensor:
    """Vertical extent and area of the inner structure as shares of those of the outer one, [N, 2] float64 between 0 and 1.

    Of masks [N, K, H, W]: rows from the first to the last with a voxel above .5, and the number of such voxels.
    """
    inner, outer = masks[:, -1] > 0.5, masks[:, 1:].sum(dim=1) > 0.5
    inner = inner & outer
    sizes = [(_extent(structure), structure.flatten(1).sum(dim=1)) for structure in (inner, outer)]
    ratios = [within.double() / whole.clamp(min=1) for within, whole in zip(*sizes, strict=True)]
    return torch.stack(ratios, dim=1)


def _extent(structure: torch.Tensor) -> torch.Tensor:
    """Rows [N] from the first to the last with a voxel of the structure [N, H, W]; 0 where there is none."""
    rows = structure.any(dim=2).int()
    extent = rows.shape[1] - rows.argmax(dim=1) - rows.flip(1).argmax(dim=1)
    return torch.where(rows.any(dim=1), extent, 0)
