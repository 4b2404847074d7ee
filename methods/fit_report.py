"""What methods report, and words that results keep; apart from the contracts, as results are read without scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Control = Literal["as published", "cross-fitted", "permuted"]
"""How fused labels were made that depend on the diagnosis; ``methods.base.DiagnosedLabels`` says what the words mean."""


OWN_LABELS = ", own labels"
"""Ends the name of a diagnosis network that learned from the labels of the candidate's fusion, not from the majority vote."""


@dataclass
class FitReport:
    """What ``fit`` reports: the course of training, and what a reader must know. Stored with the results.

    Args:
        curve: (epoch, training loss, validation loss) of each epoch that ran; empty for methods without epochs.
        best_epoch: the epoch whose weights were kept; -1 for methods without epochs.
        warnings: sentences about the data or the training that a reader of the results must know.
        alarms: sentences about what was learned, such as "labels may be swapped"; not repeated in ``warnings``.
        majority_dice: Dice between the learned truth and the majority of the raters on validation slices, after each epoch.
        stages: the reports of methods that were fitted within this one, by name: stages, members of an ensemble, trials.
        trials: the settings that a tuned method tried, in order, each with its validation score.
        by_epoch: what the network predicted for one validation slice after some epochs, where the budget keeps them.
        repair: what a method that repairs annotations knows of them.
    """

    curve: list[tuple[int, float, float]] = field(default_factory=list)
    best_epoch: int = -1
    warnings: list[str] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    majority_dice: list[float] = field(default_factory=list)
    stages: dict[str, FitReport] = field(default_factory=dict)
    trials: list[Trial] = field(default_factory=list)
    by_epoch: EpochPictures | None = None
    repair: AnnotationRepair | None = None


@dataclass(frozen=True, eq=False)
class EpochPictures:
    """The predictions of one validation slice after some epochs, with 8 bits; the last is that of the best epoch.

    ``image`` [h, w], its first channel; ``epochs`` are counted from 0, as in the curve; ``foreground`` [n, h, w], the
    probability that a voxel is not background, in units of 1/255.
    """

    image: npt.NDArray[np.uint8]
    epochs: tuple[int, ...]
    foreground: npt.NDArray[np.uint8]

    def __post_init__(self) -> None:
        if self.foreground.shape != (len(self.epochs), *self.image.shape):
            raise ValueError(f"foreground {self.foreground.shape} must be {len(self.epochs)} maps {self.image.shape}")


@dataclass(frozen=True)
class Trial:
    """One setting that a tuned method tried: its parameters, its score on validation cases, and why it failed, if it did."""

    parameters: dict[str, Any]
    score: float
    failed: str = ""


@dataclass(frozen=True)
class AnnotationRepair:
    """What a method did to the annotations of training and validation cases before it learned from them.

    ``repaired`` is the number of cases with a repaired annotation, ``raters`` made those, and ``careful_raters`` better ones.
    ``careful`` names the cases that the repair was learned from, ``errors`` the errors that it undoes, by parameter, and
    ``estimated`` says whether these come from cases that both kinds of raters annotated; all empty for a method that does not
    learn from careful annotations. The benchmark adds ``scores`` of annotations that the method has not seen.
    """

    repaired: int
    raters: tuple[str, ...] = ()
    careful_raters: tuple[str, ...] = ()
    careful: tuple[str, ...] = ()
    errors: dict[str, Any] = field(default_factory=dict)
    estimated: bool = False
    scores: tuple[RepairScore, ...] = ()


@dataclass(frozen=True)
class RepairScore:
    """The Dice of annotations ``against`` better ones, before and after the repair: of each annotation, and of all voxels.

    ``part`` is ``training``, which includes validation cases, or ``test``; ``cases`` has the case of each annotation.
    """

    part: str
    against: str
    cases: tuple[str, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]
    pooled_before: float
    pooled_after: float


@dataclass(frozen=True)
class ThresholdSearch:
    """The search for the threshold that makes labels of probabilities, for two classes.

    ``dice`` is the mean Dice over ``cases`` validation cases at each of ``thresholds``; ``chosen`` is the best, and .5 where no
    case could be used.
    """

    thresholds: tuple[float, ...]
    dice: tuple[float, ...]
    cases: int
    chosen: float
