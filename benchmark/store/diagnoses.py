"""What results keep of diagnoses: the scores of networks for the test cases of a trained model, and the tables of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

Source = Literal["predicted segmentation", "fused labels"]
"""What networks looked at beside the image: what the candidate predicts without labels, or the fused labels of a case."""
UNKNOWN = -1
"""The diagnosis of a case of which it is not known."""
COLUMNS = [
    *("candidate", "repeat", "fold", "case", "subject", "source", "control", "network", "positive", "diagnosis", "score"),
]
"""Columns of ``Results.diagnoses``, a row for each case, network and score."""
LABELS_COLUMNS = ["candidate", "repeat", "fold", "case", "subject", "control", "class", "reference", "dice"]
"""Columns of ``Results.diagnosed_labels``, a row for each case and foreground class of fused labels."""


@dataclass(frozen=True, eq=False)
class ScoredCases:
    """The scores of some networks for test cases, all from labels of one kind.

    Args:
        source: what the labels are.
        control: how fused labels were made (``methods.base.DiagnosedLabels``); empty for predicted segmentations.
        cases: their names.
        networks: the names of the networks, or rules, that gave scores.
        diagnosis: [cases] the index of the diagnosis that counts as true, -1 where it is not known.
        probability: [cases, networks, D] of each diagnosis.
        reference: what fused labels were measured against: ``truth``, or ``raters`` (the mean over single raters).
        dice: [cases, foreground classes] of fused labels; None for predicted segmentations, which metrics measure.
    """

    source: Source
    control: str
    cases: tuple[str, ...]
    networks: tuple[str, ...]
    diagnosis: npt.NDArray[np.int64]
    probability: npt.NDArray[np.float64]
    reference: str = ""
    dice: npt.NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        n = len(self.cases)
        fit = self.diagnosis.shape == (n,) and self.probability.shape[:2] == (n, len(self.networks))
        if not (fit and self.probability.ndim == 3 and (self.dice is None or len(self.dice) == n)):
            raise ValueError(f"diagnoses {self.diagnosis.shape} and probability {self.probability.shape} are not of {n} cases")


@dataclass(frozen=True, eq=False)
class FusedPicture:
    """A test case with its fused labels, for pictures; of a volume one slice [h, w].

    Args:
        case: its name.
        diagnosis: its own, by name.
        image: [h, w] of 0..255.
        raters: the raters of ``ratings`` and ``weights``.
        ratings: [R, h, w] labels.
        truth: [h, w] labels, None where it is not known.
        controls: those of ``labels`` and ``weights``; without ``permuted``, where the case has the diagnosis of another.
        labels: [controls, h, w] fused labels.
        weights: [controls, R, h, w] of 0..255, how much each rater counted; None where a fusion does not weigh voxels.
    """

    case: str
    diagnosis: str
    image: npt.NDArray[np.uint8]
    raters: tuple[str, ...]
    ratings: npt.NDArray[np.uint8]
    truth: npt.NDArray[np.uint8] | None
    controls: tuple[str, ...]
    labels: npt.NDArray[np.uint8]
    weights: npt.NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        shape, n = self.image.shape, len(self.raters)
        fit = self.ratings.shape == (n, *shape) and self.labels.shape == (len(self.controls), *shape)
        if not (fit and (self.weights is None or self.weights.shape == (len(self.controls), n, *shape))):
            raise ValueError(f"ratings {self.ratings.shape} and labels {self.labels.shape} are not of {n} raters and {shape}")


@dataclass(frozen=True, eq=False)
class Diagnoses:
    """All scores of one trained model; ``names`` are the diagnoses, the healthy one first, ``classes`` the foreground's.

    ``pictures`` are of the first test case of each diagnosis. Nothing is computed from them.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    scored: tuple[ScoredCases, ...]
    pictures: tuple[FusedPicture, ...] = ()

    def __post_init__(self) -> None:
        for part in self.scored:
            if part.probability.shape[2] != len(self.names):
                raise ValueError(f"probability {part.probability.shape} is not of {len(self.names)} diagnoses")
            if part.dice is not None and part.dice.shape[1] != len(self.classes):
                raise ValueError(f"dice {part.dice.shape} is not of {len(self.classes)} classes")


@dataclass(frozen=True, eq=False)
class ModelDiagnoses:
    """The diagnoses of one trained model: of which candidate, repeat and fold, and the subject of each case."""

    candidate: str
    repeat: int
    fold: int
    subjects: Mapping[str, str]
    diagnoses: Diagnoses


def scores_table(models: Sequence[ModelDiagnoses]) -> pd.DataFrame:
    """``Results.diagnoses``: a row for each case, network and ``positive`` diagnosis, of which ``score`` is the probability.

    Of two diagnoses the second is positive. Of more each one is positive in turn, against all others. ``diagnosis`` is the one
    that counts as true, empty where it is not known.
    """
    return _table(COLUMNS, (part for model in models for part in _score_rows(model)))


def _score_rows(model: ModelDiagnoses) -> Iterator[dict[str, Any]]:
    names = np.array(model.diagnoses.names, object)
    known = np.append(names, "")  # The index -1 is the last.
    positives = range(1, 2) if len(names) == 2 else range(len(names))
    for part in model.diagnoses.scored:
        for place, network in enumerate(part.networks):
            for positive in positives:
                yield _head(model, part) | {
                    "source": part.source,
                    "network": network,
                    "positive": names[positive],
                    "diagnosis": known[part.diagnosis],
                    "score": part.probability[:, place, positive],
                }


def labels_table(models: Sequence[ModelDiagnoses]) -> pd.DataFrame:
    """``Results.diagnosed_labels``: the Dice of fused labels, a row for each case and foreground class."""
    return _table(LABELS_COLUMNS, (part for model in models for part in _label_rows(model)))


def _label_rows(model: ModelDiagnoses) -> Iterator[dict[str, Any]]:
    for part in model.diagnoses.scored:
        if part.dice is not None:
            for name, values in zip(model.diagnoses.classes, part.dice.T, strict=True):
                yield _head(model, part) | {"class": name, "reference": part.reference, "dice": values}


def _head(model: ModelDiagnoses, part: ScoredCases) -> dict[str, Any]:
    cases = {"case": list(part.cases), "subject": [model.subjects.get(case, case) for case in part.cases]}
    return {"candidate": model.candidate, "repeat": model.repeat, "fold": model.fold, "control": part.control, **cases}


def _table(columns: Sequence[str], parts: Iterator[dict[str, Any]]) -> pd.DataFrame:
    frames = [pd.DataFrame(part) for part in parts]
    return pd.concat(frames, ignore_index=True)[list(columns)] if frames else pd.DataFrame(columns=list(columns))
