"""The contract of what tells a diagnosis from an image and a mask, and how such networks are trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Annotated, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from ...datasets.base import Dataset
from ...parameters import Parameterised, Range, check_stored
from ..fit_report import FitReport
from ..learning.budget import Width
from ..learning.volumes.choice import why_not_volumes

if TYPE_CHECKING:
    import torch

    from .slices import MaskedSlices

TWO = 2
"""The number of diagnoses that can be told apart: the healthy one and one other."""


class DiagnosisBudget(Parameterised):
    """How diagnosis networks are trained; apart from the budget of segmentation, because all candidates are judged by them.

    Args:
        epochs: passes over the training slices; the weights of the least validation loss are kept.
        batch_size: slices in a step.
        learning_rate: AdamW's largest; it rises in the first tenth of the steps and then falls to zero.
        weight_decay: of AdamW.
        features: channels of the first layer and of the three residual blocks.
        rotation: largest random rotation of image and mask in degrees. Nothing is scaled: size may be the diagnosis.
        translation: largest random shift as a share of the slice's side.
    """

    def __init__(
        self,
        *,
        epochs: Annotated[int, Range(1, 1_000_000)] = 25,
        batch_size: Annotated[int, Range(1, 100_000)] = 16,
        learning_rate: Annotated[float, Range(0, 100, without="low")] = 1e-2,
        weight_decay: Annotated[float, Range(0, 100)] = 1e-2,
        features: tuple[Width, Width, Width, Width] = (8, 16, 32, 64),
        rotation: Annotated[float, Range(0, 180)] = 10.0,
        translation: Annotated[float, Range(0, 1)] = 0.05,
    ) -> None:
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.features = features
        self.rotation = rotation
        self.translation = translation

    def check_parameters(self, where: str = "diagnosis_budget") -> None:
        """Raise a RaterbenchError if a parameter is of another kind or out of its range; ``where`` it was set."""
        check_stored(self, where)


class DiagnosisNetwork(BaseEstimator, ABC):
    """Tells one of two diagnoses from an image and a soft mask. A rule without a network keeps the same contract.

    Its name in experiments and in ``Prediction.diagnosis`` is that of the registry: the class's in kebab case, or ``name``.
    ``__init__`` only stores keyword parameters; fitted attributes end in ``_``.
    """

    def check_parameters(self) -> None:
        """Check the parameters against their type hints; ``fit`` begins with it.

        Raises:
            RaterbenchError: a parameter is no known word, not finite, or out of range.
        """
        check_stored(self)

    def skip_reason(self, dataset: Dataset) -> str | None:
        """Why it cannot diagnose this data set, in words; None if it can."""
        del dataset
        return None

    @abstractmethod
    def fit(
        self,
        train: MaskedSlices,
        validation: MaskedSlices,
        *,
        seed: int,
        budget: DiagnosisBudget | None = None,
        device: str | torch.device = "cpu",
    ) -> Self:
        """Learn. The same arguments give the same fitted network, bit for bit on the CPU.

        Args:
            train: slices with their masks and diagnoses.
            validation: slices that choose the epoch.
            seed: of everything random.
            budget: None is ``DiagnosisBudget()``.
            device: where to compute.

        Raises:
            RaterbenchError: no training slice has a known diagnosis.
        """

    @abstractmethod
    def predict(self, slices: MaskedSlices) -> npt.NDArray[np.float64]:
        """The probability of each diagnosis [N, D] of each slice, which sums to 1; it does not look at their diagnoses."""

    def fit_report(self) -> FitReport:
        """The report of ``fit``; empty by default."""
        return FitReport()

    def weights(self) -> dict[str, torch.Tensor]:
        """The fitted weights by name; empty for a rule."""
        return {}


DIAGNOSES_SLICES = "diagnosis networks see slices"


def diagnosis_skip_reason(dataset: Dataset) -> str | None:
    """Why no diagnosis can be learned on a data set; None if it has two diagnoses."""
    if not dataset.diagnoses:
        return "it needs the diagnosis, which this data set does not have"
    if (reason := why_not_volumes(dataset, DIAGNOSES_SLICES)) is not None:
        return reason
    if len(dataset.diagnoses) != TWO:
        return f"it tells two diagnoses apart, and there are {len(dataset.diagnoses)}"
    return None


def two_columns(positive: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The probability [N] of the second diagnosis as that of both, [N, 2]."""
    return np.stack([1 - positive, positive], axis=1)
