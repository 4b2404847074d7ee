"""Areas and sensitivities of one trained model, against scikit-learn and by counting pairs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from raterbench.benchmark.statistics.diagnosis.roc import found_at_specificity, placements

scored = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=40).filter(
    lambda rows: 0 < sum(positive for _, positive in rows) < len(rows)
)


def arrays(rows):
    return np.array([score / 6 for score, _ in rows]), np.array([positive for _, positive in rows])


@settings(deadline=None)
@given(scored)
def test_the_mean_of_the_placements_is_the_area_of_scikit_learn_with_ties_too(rows):
    score, positive = arrays(rows)
    found, expected = placements(score, positive), roc_auc_score(positive, score)
    assert found.positives.mean() == pytest.approx(expected) and found.negatives.mean() == pytest.approx(expected)


@given(scored)
def test_a_placement_is_the_share_of_the_others_in_the_right_order(rows):
    score, positive = arrays(rows)
    in_order = (score[positive][:, None] > score[~positive]) + 0.5 * (score[positive][:, None] == score[~positive])
    found = placements(score, positive)
    assert np.allclose(found.positives, in_order.mean(axis=1)) and np.allclose(found.negatives, in_order.mean(axis=0))


@settings(deadline=None)
@given(scored, st.sampled_from([0.5, 0.8, 0.9, 0.95]))
def test_the_sensitivity_is_the_highest_that_scikit_learn_finds_with_that_specificity(rows, specificity):
    score, positive = arrays(rows)
    false, true, _ = roc_curve(positive, score, drop_intermediate=False)
    expected = true[false <= 1 - specificity + 1e-9].max()
    assert found_at_specificity(score, positive, specificity) / positive.sum() == pytest.approx(expected)


def test_ties_with_the_first_negative_too_many_are_not_found():
    negatives = np.linspace(0, 0.9, 10)  # One of ten may be called positive.
    score = np.array([*negatives, 0.8, 0.85, 0.95])
    assert found_at_specificity(score, np.arange(13) >= 10) == 2
    assert found_at_specificity(np.array([0.9, 0.5, 0.9, 0.95]), np.array([False, False, True, True])) == 1
