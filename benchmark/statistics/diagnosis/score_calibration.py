"""Whether scores are probabilities: of all cases with a score near .3, are three in ten diagnosed?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...metrics.calibration import N_BINS, UNIT, expected_calibration_error
from ..calibration import Counts, debiased_calibration_error
from .network_scores import NetworkScores


def score_counts(scores: NetworkScores) -> Counts:
    """Counts [subjects, 11, 3] int64 over all trained models: cases, positives, and summed scores in units of 2^-24.

    Bins as in ``metrics.calibration``: ten of equal width, and a score of exactly 1 apart.
    """
    subject = np.concatenate([fold.subject for fold in scores.folds])
    score = np.concatenate([fold.score for fold in scores.folds])
    positive = np.concatenate([fold.positive for fold in scores.folds])
    names, place = np.unique(subject, return_inverse=True)
    bins = np.searchsorted(np.linspace(0, 1, N_BINS), score, side="right") - 1
    counts = np.zeros((len(names), N_BINS, 3), np.int64)
    fixed = np.rint(score / UNIT).astype(np.int64)
    np.add.at(counts, (place.ravel(), bins), np.stack([np.ones_like(fixed), positive.astype(np.int64), fixed], axis=1))
    return counts


def calibration_errors(counts: Counts) -> tuple[float, float]:
    """The calibration error of counts [subjects, 11, 3], and the same with its upward bias removed."""
    return float(expected_calibration_error(counts.sum(axis=0), "closed")), debiased_calibration_error(counts, "closed")


def bin_table(counts: Counts) -> pd.DataFrame:
    """``bin n positives score_sum`` of counts [subjects, 11, 3], pooled; a score of exactly 1 is in the last of ten bins."""
    pooled = counts.sum(axis=0)
    merged = pooled[:-1].copy()
    merged[-1] += pooled[-1]
    columns = {"n": merged[:, 0], "positives": merged[:, 1], "score_sum": merged[:, 2] * UNIT}
    return pd.DataFrame({"bin": range(len(merged)), **columns})
