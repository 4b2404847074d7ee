"""Scores pooled over trained models: the weights of folds, what is left out, and calibration."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from raterbench.benchmark.statistics.diagnosis.network_scores import (
    NetworkScores,
    areas_by_model,
    network_scores,
    shared_scores,
)
from raterbench.benchmark.statistics.diagnosis.score_calibration import bin_table, calibration_errors, score_counts

from ....made_diagnoses import score_rows

ROWS = [
    *(("A", 0, 0, f"a{i}", "ill" if i < 2 else "healthy", s) for i, s in enumerate([0.9, 0.3, 0.5, 0.1, 0.2, 0.25])),
    *(("A", 0, 1, f"b{i}", "ill" if i < 3 else "healthy", s) for i, s in enumerate([0.2, 0.4, 0.6, 0.5])),
    *(("A", 0, 2, f"c{i}", "healthy", 0.7) for i in range(5)),
    ("A", 0, 0, "unknown", "", 1.0),
]


def of_one(table) -> NetworkScores:
    ((_, by_candidate),) = network_scores(table)
    return by_candidate["A"]


def test_the_pooled_area_weighs_folds_by_positives_times_negatives():
    table = score_rows(ROWS)
    scores = of_one(table)
    areas = []
    for fold in (0, 1):
        mine = table[(table["fold"] == fold) & (table["diagnosis"] != "")]
        areas.append(roc_auc_score(mine["diagnosis"] == "ill", mine["score"]))
    assert [fold.area for fold in scores.folds] == pytest.approx(areas)
    assert scores.area == pytest.approx((2 * 4 * areas[0] + 3 * 1 * areas[1]) / (2 * 4 + 3 * 1))
    # The same as one area over all pairs within folds: 7 of 8 pairs are in order, and 1 of 3.
    assert scores.area == pytest.approx((7 + 1) / 11)


def test_a_fold_of_one_class_and_cases_of_unknown_diagnosis_are_left_out():
    scores = of_one(score_rows(ROWS))
    assert scores.left_out == [(0, 2)] and [fold.model for fold in scores.folds] == [(0, 0), (0, 1)]
    assert "unknown" not in scores.folds[0].case
    assert (scores.per_repeat(positive=True), scores.per_repeat(positive=False)) == (5, 5)
    table = areas_by_model(score_rows(ROWS))
    assert table[["repeat", "fold", "n_positive", "n_negative"]].to_numpy().tolist() == [[0, 0, 2, 4], [0, 1, 3, 1]]


def test_nothing_but_one_class_has_no_area():
    scores = of_one(score_rows([("A", 0, 0, "a", "ill", 0.2), ("A", 0, 0, "b", "ill", 0.7)]))
    assert np.isnan(scores.area) and np.isnan(scores.sensitivity()) and scores.left_out == [(0, 0)]


def test_what_two_share_are_the_models_and_cases_of_both():
    other = score_rows([row for row in ROWS if row[1:3] == (0, 0) and row[3] != "a5"])
    ours, theirs = shared_scores(of_one(score_rows(ROWS)), of_one(other))
    assert [fold.model for fold in ours.folds] == [(0, 0)]
    assert ours.folds[0].case.tolist() == theirs.folds[0].case.tolist() == ["a0", "a1", "a2", "a3", "a4"]


def test_the_brier_score_is_that_of_scikit_learn_over_all_cases():
    table = score_rows([row for row in ROWS if row[2] != 2])
    known = table[table["diagnosis"] != ""]
    expected = brier_score_loss(known["diagnosis"] == "ill", known["score"])
    assert of_one(table).brier() == pytest.approx(expected)


def test_the_calibration_error_is_the_mean_gap_of_its_bins():
    rng = np.random.default_rng(0)
    score = np.append(rng.uniform(0, 1, 400), [1.0, 1.0, 0.0])
    positive = np.append(rng.uniform(0, 1, 400) < score[:400] ** 2, [True, False, False])
    rows = [("A", 0, 0, f"{i:03}", "ill" if p else "healthy", s) for i, (s, p) in enumerate(zip(score, positive, strict=True))]
    counts = score_counts(of_one(score_rows(rows)))
    number = np.minimum((score * 10).astype(int), 9)
    gaps = [abs(score[number == b].sum() - positive[number == b].sum()) for b in range(10)]
    error, debiased = calibration_errors(counts)
    assert error == pytest.approx(sum(gaps) / len(score), abs=1e-6) and 0 < debiased < error
    bins = bin_table(counts)
    assert bins["n"].tolist() == np.bincount(number, minlength=10).tolist()
    assert bins["positives"].tolist() == np.bincount(number[positive], minlength=10).tolist()
    assert bins["score_sum"].sum() == pytest.approx(score.sum(), abs=1e-5)
