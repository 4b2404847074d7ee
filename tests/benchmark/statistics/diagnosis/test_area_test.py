"""Intervals and tests of areas: against t-tests, direct computations of DeLong's variance, and simulated chance."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from raterbench.benchmark.statistics.diagnosis.area_test import area_entries, area_test, difference_test
from raterbench.benchmark.statistics.diagnosis.network_scores import FoldScores, NetworkScores
from raterbench.benchmark.statistics.diagnosis.simulation import NullDiagnosis, rejection_rates
from raterbench.benchmark.statistics.diagnosis.these_models import bootstrap_interval, delong_p
from raterbench.benchmark.statistics.verdict.model_t import model_t

ONE_REPEAT = NullDiagnosis(n_cases=40, folds=4, repeats=1, model_spread=0.3)


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def test_in_one_repeat_it_is_the_t_test_over_the_areas_of_the_folds(rng):
    ours, theirs = ONE_REPEAT.draw(rng)
    areas = np.array([[one.area, other.area] for one, other in zip(ours.folds, theirs.folds, strict=True)])
    expected = stats.ttest_rel(*areas.T)
    found = difference_test(ours, theirs)
    assert (found.p, found.df, found.mean) == pytest.approx((expected.pvalue, 3, np.diff(areas[:, ::-1], axis=1).mean()))
    interval = stats.ttest_1samp(areas[:, 0], 0).confidence_interval(0.95)
    assert area_test(ours).interval(0.95) == pytest.approx(tuple(interval))


@pytest.mark.parametrize("design", [ONE_REPEAT, replace(ONE_REPEAT, repeats=3), replace(ONE_REPEAT, folds=1, repeats=4)])
def test_its_mean_is_the_pooled_area_with_folds_of_any_size(design, rng):
    scores, _ = design.draw(rng)
    # Cases that are missing here and there, and two cases of one subject.
    uneven = [fold.only(fold.case[number % 4 :]) for number, fold in enumerate(scores.folds)]
    uneven = [replace(fold, subject=np.array([case[:-1] for case in fold.case], object)) for fold in uneven]
    assert len({fold.n_pairs for fold in uneven}) > 1
    found = NetworkScores(uneven)
    values, subject, model = area_entries(found)
    assert model_t(values, subject, model).mean == pytest.approx(found.area)
    assert len(values) == sum(len(set(fold.subject)) for fold in uneven)


def test_equal_areas_are_no_difference_and_no_variation_gives_no_interval(rng):
    ours, _ = ONE_REPEAT.draw(rng)
    assert difference_test(ours, ours).p == 1
    perfect = NetworkScores([replace_score(fold, fold.positive.astype(float)) for fold in ours.folds])
    assert perfect.area == 1 and np.isnan(area_test(perfect).p)
    # The same order of scores, computed in another way: rounding error is no difference.
    assert difference_test(ours, NetworkScores([replace_score(f, f.score * 0.1 + 3) for f in ours.folds])).p == 1


def replace_score(fold, score):
    return FoldScores(fold.model, fold.case, fold.subject, fold.positive, score)


def doubled(fold):
    twice = [np.append(array, array) for array in (fold.subject, fold.positive, fold.score)]
    return FoldScores(fold.model, np.append(fold.case, fold.case + "'"), *twice)


def delong_directly(one, other, positive):
    """DeLong et al. (1988) word for word: kernels of all pairs, structural components, their covariance."""
    components = []
    for score in (one, other):
        psi = np.array([[float(x > y) + 0.5 * float(x == y) for y in score[~positive]] for x in score[positive]])
        components.append((psi.mean(axis=1), psi.mean(axis=0), psi.mean()))
    m, n = positive.sum(), (~positive).sum()
    s10 = np.cov(components[0][0], components[1][0]) / m
    s01 = np.cov(components[0][1], components[1][1]) / n
    contrast = np.array([1, -1])
    variance = contrast @ (s10 + s01) @ contrast
    z = (components[0][2] - components[1][2]) / np.sqrt(variance)
    return 2 * stats.norm.sf(abs(z))


@pytest.mark.parametrize("digits", [1, 6])
def test_in_one_fold_it_is_delongs_test_with_ties_too(digits, rng):
    ours, theirs = replace(ONE_REPEAT, folds=1).draw(rng)
    ours, theirs = (NetworkScores([replace_score(s.folds[0], s.folds[0].score.round(digits))]) for s in (ours, theirs))
    one, other = ours.folds[0], theirs.folds[0]
    assert delong_p(ours, theirs) == pytest.approx(delong_directly(one.score, other.score, one.positive))
    assert delong_p(ours, ours) == 1


def test_the_variances_of_folds_add_up_and_repeats_of_the_same_do_not_help(rng):
    ours, theirs = ONE_REPEAT.draw(rng)
    p = delong_p(ours, theirs)
    again = [NetworkScores([*s.folds, *(replace(f, model=(1, f.model[1])) for f in s.folds)]) for s in (ours, theirs)]
    assert delong_p(*again) == pytest.approx(p)
    # Cases of one subject together weigh as one: here every case is there twice.
    twins = [NetworkScores([doubled(fold) for fold in s.folds]) for s in (ours, theirs)]
    assert delong_p(*twins) == pytest.approx(p, rel=0.1)


def test_no_delong_where_a_fold_has_one_positive_or_the_diagnoses_differ(rng):
    ours, theirs = ONE_REPEAT.draw(rng)
    turned = NetworkScores([replace(fold, positive=~fold.positive) for fold in theirs.folds])
    assert np.isnan(delong_p(ours, turned))
    few = [NetworkScores([fold.only(fold.case[-3:]) for fold in s.folds]) for s in (ours, theirs)]
    assert np.isnan(delong_p(*few))


def test_the_bootstrap_draws_subjects_and_recomputes_the_pooled_area(rng):
    ours, theirs = ONE_REPEAT.draw(rng)
    low, high = bootstrap_interval([ours], resamples=400)
    assert low < ours.area < high
    names = np.unique(np.concatenate([fold.subject for fold in ours.folds]))
    times = np.random.default_rng(0).multinomial(len(names), np.full(len(names), 1 / len(names)), size=400)
    drawn = []
    for counts in times:  # Each case as often as it was drawn, word for word.
        of = dict(zip(names, counts, strict=True))
        folds = []
        for fold in ours.folds:
            take = np.repeat(np.arange(len(fold.case)), [of[s] for s in fold.subject])
            folds.append(FoldScores(fold.model, fold.case[take], fold.subject[take], fold.positive[take], fold.score[take]))
        drawn.append(NetworkScores.of(folds).area)
    assert low < np.quantile(drawn, 0.025) and np.quantile(drawn, 0.04) > low
    middle = bootstrap_interval([ours], resamples=400, confidence=0.5)
    assert middle == pytest.approx(tuple(np.quantile(drawn, [0.25, 0.75])), abs=0.01)
    assert bootstrap_interval([ours, ours], resamples=50) == (0, 0)
    gap = bootstrap_interval([ours, theirs], resamples=400)
    assert gap[0] < ours.area - theirs.area < gap[1]


def test_what_chance_does_is_called_a_difference_as_often_as_it_should():
    """Error of type I at .05: model t holds it, the corrected test is too careful, DeLong does not see the luck of training."""
    found = rejection_rates(NullDiagnosis(n_cases=100, model_spread=0.7), simulations=160)
    assert 0.01 <= found["model_t"] <= 0.1
    assert found["corrected_t"] <= 0.02
    assert found["delong"] >= 0.12
    assert 0.88 <= found["coverage"] <= 0.99


def test_an_advantage_is_found_by_model_t_more_often_than_by_the_corrected_test():
    found = rejection_rates(NullDiagnosis(n_cases=120, model_spread=0.1, advantage=0.5), simulations=30)
    assert found["model_t"] > 0.5 and found["model_t"] > found["corrected_t"] + 0.2
