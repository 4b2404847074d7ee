"""The area under the curve by ``model t``: its interval and the test of a difference contain subjects and trained models."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..arithmetic import Floats, largest, round_to_scale
from ..verdict.model_t import ModelT, model_t
from .network_scores import NetworkScores, shared_scores

Numbers = npt.NDArray[np.intp]


def area_test(scores: NetworkScores) -> ModelT:
    """``model t`` of the pooled area under the curve; its mean is that area."""
    if not scores.folds:
        return model_t([], [], [])
    values, subject, model = area_entries(scores)
    return model_t(round_to_scale(values, 1.0), subject, model)


def difference_test(ours: NetworkScores, theirs: NetworkScores) -> ModelT:
    """``model t`` of the difference of two pooled areas, over the trained models and cases that both have."""
    one, other = shared_scores(ours, theirs)
    if not one.folds:
        return model_t([], [], [])
    values, subject, model = area_entries(one)
    gaps = values - area_entries(other)[0]
    return model_t(round_to_scale(gaps, largest(values, 1.0)), subject, model)


def area_entries(scores: NetworkScores) -> tuple[Floats, Numbers, Numbers]:
    """An entry for each subject and trained model: value, subject and model, each [N].

    The pooled area A is the mean over subjects of the mean over their entries, as ``model t`` takes it. The area of a model
    is not a mean over its cases; but it differs from its expectation by about the sum of what each case adds, which placements
    tell (DeLong et al., 1988): ``(placement - area) / n`` of a case that is one of n positives or negatives. Together with
    ``(area - A) / N`` for each of the N cases of the model, these parts add up to area - A; an entry is A plus the parts of
    a subject's cases, with the weight of the model, and scaled so that the mean over subjects is A.

    With one repeat of folds of one size and composition the test is the t-test over the areas of the folds.
    """
    pooled = scores.area
    subjects = np.unique(np.concatenate([fold.subject for fold in scores.folds]))
    parts, codes = [], []
    for fold, weight in zip(scores.folds, scores.weights, strict=True):
        added = np.full(len(fold.score), (fold.area - pooled) / len(fold.score))
        for side, placed in ((fold.positive, fold.placements.positives), (~fold.positive, fold.placements.negatives)):
            added[side] += (placed - fold.area) / side.sum()
        code, place = np.unique(np.searchsorted(subjects, fold.subject), return_inverse=True)
        parts.append(weight * np.bincount(place.ravel(), added))
        codes.append(code)
    subject = np.concatenate(codes)
    model = np.repeat(np.arange(len(codes)), [len(code) for code in codes])
    times = np.bincount(subject)[subject]
    return pooled + len(subjects) * times * np.concatenate(parts), subject, model
