"""The scores of one network for the test cases of one candidate, trained model by trained model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..arithmetic import Floats
from .roc import SPECIFICITY, Mask, Placements, found_at_specificity, placements

KIND = ["source", "control", "network", "positive"]
"""Columns that tell apart what may be compared: scores of one network for labels of one kind."""
Model = tuple[int, int]
"""Repeat and fold."""


@dataclass(frozen=True, eq=False)
class FoldScores:
    """The test cases [n] of one trained model: case, subject, whether positive, and score."""

    model: Model
    case: npt.NDArray[np.object_]
    subject: npt.NDArray[np.object_]
    positive: Mask
    score: Floats

    @property
    def n_pairs(self) -> int:
        """Positives times negatives."""
        return int(self.positive.sum()) * int((~self.positive).sum())

    @cached_property
    def area(self) -> float:
        """The area under the curve; NaN where all cases are of one class."""
        return float(self.placements.positives.mean()) if self.n_pairs else np.nan

    @cached_property
    def placements(self) -> Placements:
        """The placements of positives and negatives."""
        return placements(self.score, self.positive)

    def only(self, cases: npt.NDArray[np.object_]) -> FoldScores:
        """The scores of some cases."""
        kept = np.isin(self.case, cases)
        if kept.all():
            return self  # With what it has computed already.
        return FoldScores(self.model, self.case[kept], self.subject[kept], self.positive[kept], self.score[kept])


@dataclass(frozen=True, eq=False)
class NetworkScores:
    """The ``folds`` with positives and negatives; those with cases of one class alone are ``left_out``.

    An area under the curve is one within each trained model, because scores of different models are on different scales. Pooled
    over models it is weighted by positives times negatives: the share of the pairs within models that are in the right order.
    """

    folds: Sequence[FoldScores]
    left_out: Sequence[Model] = field(default=())

    @classmethod
    def of(cls, folds: Sequence[FoldScores]) -> NetworkScores:
        """From all folds, those with one class included."""
        return cls([fold for fold in folds if fold.n_pairs], [fold.model for fold in folds if not fold.n_pairs])

    @cached_property
    def weights(self) -> Floats:
        """The share of each fold in the pooled area."""
        pairs = np.array([fold.n_pairs for fold in self.folds], float)
        shares: Floats = pairs / pairs.sum()
        return shares

    @cached_property
    def area(self) -> float:
        """The pooled area under the curve; NaN without a fold."""
        return float(self.weights @ [fold.area for fold in self.folds]) if self.folds else np.nan

    @property
    def n_repeats(self) -> int:
        """Repeats with a fold."""
        return len({fold.model[0] for fold in self.folds})

    def sensitivity(self, specificity: float = SPECIFICITY) -> float:
        """The share of positives that are found with a threshold for each trained model (``roc.found_at_specificity``)."""
        found = sum(found_at_specificity(fold.score, fold.positive, specificity) for fold in self.folds)
        return found / total if (total := sum(int(fold.positive.sum()) for fold in self.folds)) else np.nan

    def brier(self) -> float:
        """The mean squared difference of score and 1 or 0, over all cases of all models (Brier, 1950)."""
        gaps = [fold.score - fold.positive for fold in self.folds]
        return float(np.square(np.concatenate(gaps)).mean()) if gaps else np.nan

    def per_repeat(self, *, positive: bool) -> float:
        """Positive or negative cases in a repeat, the mean over repeats."""
        n = sum(int((fold.positive == positive).sum()) for fold in self.folds)
        return n / self.n_repeats if self.folds else 0.0


def shared_scores(ours: NetworkScores, theirs: NetworkScores) -> tuple[NetworkScores, NetworkScores]:
    """Both on the trained models and cases that they share."""
    other = {fold.model: fold for fold in theirs.folds}
    pairs = [
        (fold.only(match.case), match.only(fold.case)) for fold in ours.folds if (match := other.get(fold.model)) is not None
    ]
    both = [pair for pair in pairs if pair[0].n_pairs and pair[1].n_pairs]
    return NetworkScores([one for one, _ in both]), NetworkScores([two for _, two in both])


def network_scores(diagnoses: pd.DataFrame) -> Iterator[tuple[tuple[str, ...], dict[str, NetworkScores]]]:
    """For each kind of scores (``KIND``) in ``Results.diagnoses`` those of each candidate.

    Cases of which the diagnosis is not known, or the score not finite, are left out.
    """
    known = diagnoses[(diagnoses["diagnosis"] != "") & np.isfinite(diagnoses["score"].astype(float))]
    for kind, part in known.groupby(KIND, sort=False):
        by_candidate = {}
        for candidate, mine in part.groupby("candidate", sort=False):
            folds = [_fold(rows) for _, rows in mine.groupby(["repeat", "fold"])]
            by_candidate[str(candidate)] = NetworkScores.of(folds)
        yield tuple(map(str, kind)), by_candidate


def _fold(rows: pd.DataFrame) -> FoldScores:
    rows = rows.sort_values("case")
    model = int(rows["repeat"].iloc[0]), int(rows["fold"].iloc[0])
    case, subject = rows["case"].to_numpy(object), rows["subject"].to_numpy(object)
    positive = (rows["diagnosis"] == rows["positive"]).to_numpy(bool)
    return FoldScores(model, case, subject, positive, rows["score"].to_numpy(float))


def areas_by_model(diagnoses: pd.DataFrame) -> pd.DataFrame:
    """The area under the curve of each trained model: ``candidate``, ``KIND``, ``repeat fold auc n_positive n_negative``.

    Models whose test cases are of one class have none.
    """
    rows = [
        [candidate, *kind, *fold.model, fold.area, int(fold.positive.sum()), int((~fold.positive).sum())]
        for kind, by_candidate in network_scores(diagnoses)
        for candidate, scores in by_candidate.items()
        for fold in scores.folds
    ]
    return pd.DataFrame(rows, columns=["candidate", *KIND, "repeat", "fold", "auc", "n_positive", "n_negative"])
