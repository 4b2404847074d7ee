"""Diagnosis-first fusion: who gains weight, and which network has seen what."""

import dataclasses

import numpy as np
import pytest
import torch

from raterbench.datasets import IGNORE, CaseList, Geometry, RaterbenchError
from raterbench.methods import Budget, DiagnosisBudget, DiagnosisFirst, FusedLabels, MajorityVote
from raterbench.methods.diagnosis.dl_cat import DLCat

BUDGET = Budget(epochs=1, features=(4, 4, 4, 8, 8, 4), backbone="shallow")


@pytest.mark.parametrize("parameterisation", ["pixel", "expg"])
def test_a_blank_rater_loses_weight(parameterisation, bars, quickly):
    """The image shows nothing, so only a mask that is there tells the diagnosis."""
    cases = bars(40)
    fusion = DiagnosisFirst(parameterisation=parameterisation, steps=60, diagnosis_budget=quickly, folds=3, learning_rate=0.02)
    fused = fusion.fit(cases, seed=0).fuse_cases(cases)
    weights = np.array([consensus.weights for consensus in fused])
    assert fused[0].raters == ("blank", "one", "two")
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    blank, one, two = weights.mean(axis=0)
    assert blank < 0.3 < min(one, two)
    assert np.mean([consensus.log_likelihood[-1] - consensus.log_likelihood[0] for consensus in fused]) > 0
    assert all(consensus.iterations == 60 for consensus in fused)


def test_no_network_fuses_a_subject_that_it_has_seen(bars, monkeypatch):
    cases, seen = bars(12), []
    subjects = [f"subject {i // 2}" for i in range(12)]
    cases = CaseList("pairs", [dataclasses.replace(c, subject=s) for c, s in zip(cases, subjects, strict=True)], cases.classes)

    def noting(self, train, validation, **options):
        seen.append({subjects[i] for part in (train, validation) for i in part.cases.tolist()})
        return fit(self, train, validation, **options)

    fit = DLCat.fit
    monkeypatch.setattr(DLCat, "fit", noting)
    brief = DiagnosisBudget(epochs=1, features=(2, 2, 2, 2))
    fitted = DiagnosisFirst(folds=3, diagnosis_budget=brief).fit(cases, seed=0)
    assert len(seen) == len(fitted.networks_) == 3
    assert set(fitted.fold_of_) == set(subjects)
    for subject, number in fitted.fold_of_.items():
        assert subject not in seen[number]
    seen.clear()
    published = DiagnosisFirst(cross_fitted=False, diagnosis_budget=brief).fit(cases, seed=0)
    assert seen == [set(subjects)] and set(published.fold_of_.values()) == {0}


def test_folds_have_their_share_of_each_diagnosis(bars, quickly):
    cases = bars(20)
    fitted = DiagnosisFirst(folds=5, diagnosis_budget=quickly).fit(cases, seed=1)
    ill = [sum(case.diagnosis for case in cases if fitted.fold_of_[case.subject] == fold) for fold in range(5)]
    assert ill == [2] * 5


@pytest.fixture(scope="module")
def fitted(bars, quickly):
    fusion = DiagnosisFirst(parameterisation="pixel", steps=5, diagnosis_budget=quickly, folds=2, learning_rate=0.1)
    with pytest.warns(UserWarning, match="the epoch has the least training loss"):
        return fusion.fit(bars(16), seed=0)


def test_other_subjects_get_a_network_by_their_name(fitted, bars):
    new = [CaseList("new", [dataclasses.replace(bars(1)[0], subject=f"new {i}")], bars(1).classes) for i in range(6)]
    masks, again = ([fitted.fuse_cases(cases)[0].probability for cases in new] for _ in range(2))
    assert all(np.array_equal(m, n) for m, n in zip(masks, again, strict=True))
    assert len({mask.tobytes() for mask in masks}) == 2, "one case has one of two consensuses, by whose it is"


def test_an_unknown_diagnosis_means_equal_weights(fitted, bars):
    case = dataclasses.replace(bars(1)[0], diagnosis=None)
    cases = CaseList("unknown", [case], bars(1).classes)
    (fused,) = fitted.fuse_cases(cases)
    mean = np.mean([labels == 1 for labels in case.ratings.values()], axis=0)
    np.testing.assert_allclose(fused.probability[1], mean, atol=1e-6)
    np.testing.assert_allclose(fused.weights, 1 / 3, atol=1e-6)
    assert fused.iterations == 0


def test_the_diagnosis_changes_the_weights(fitted, bars):
    ill, healthy = (CaseList("one", [dataclasses.replace(bars(1)[0], diagnosis=d)], bars(1).classes) for d in (1, 0))
    assert not np.array_equal(fitted.fuse_cases(ill)[0].probability, fitted.fuse_cases(healthy)[0].probability)


def test_weight_maps_give_the_consensus(fitted, bars):
    case = bars(4)[3]
    ratings = {rater: labels.copy() for rater, labels in case.ratings.items()}
    ratings["one"][:, :12] = IGNORE
    for labels in ratings.values():
        labels[:3] = IGNORE
    del ratings["two"]
    ratings["three"] = case.ratings["two"].copy()
    ratings["three"][:3] = IGNORE
    cases = CaseList("one", [dataclasses.replace(case, ratings=ratings)], bars(1).classes, ["blank", "one", "three", "two"])
    (maps,), (fused,) = fitted.weight_maps(cases), fitted.fuse_cases(cases)
    assert sorted(maps) == ["blank", "one", "three"]
    assert all(np.array_equal(maps[rater], fused.weight_maps[rater]) for rater in maps)
    np.testing.assert_allclose(sum(maps.values()), 1, atol=1e-6)
    total = sum(weight * (ratings[rater] != IGNORE) for rater, weight in maps.items())
    marked = sum(weight * (ratings[rater] == 1) for rater, weight in maps.items())
    judged = np.arange(32)[:, None] + np.zeros((1, 32)) >= 3
    np.testing.assert_allclose(fused.probability[1][judged], (marked / np.where(judged, total, 1))[judged], atol=1e-6)
    assert (fused.probability[1][~judged] == 0.5).all() and (fused.labels[~judged] == IGNORE).all()
    assert np.array_equal(fused.labels[judged], (fused.probability[1] > 0.5)[judged])


def test_slices_in_which_raters_agree_take_no_part_whatever_else_is_fused_with_them(fitted, bars):
    """A volume has more slices than are fused at once, and raters differ in two of the last."""
    flat = bars(1)[0]
    same, different = np.stack([flat.ratings["one"]] * 40), np.stack([flat.ratings["one"]] * 40)
    different[36:38] = flat.ratings["blank"]
    image = np.stack([flat.image[0]] * 40)[None]
    geometry = Geometry.axis_aligned(3)
    volume = dataclasses.replace(flat, image=image, ratings={"one": same, "two": different}, geometry=geometry)
    alike = dataclasses.replace(volume, id="alike", ratings={"one": same, "two": same})
    both, alone = (CaseList("volumes", cases, bars(1).classes) for cases in ([volume, alike], [alike]))
    (contested, agreed), (agreed_alone,) = fitted.fuse_cases(both), fitted.fuse_cases(alone)
    assert (contested.iterations, agreed.iterations, agreed_alone.iterations) == (5, 0, 0)
    assert np.array_equal(agreed.labels, same) and np.array_equal(contested.labels[:36], same[:36])


def test_no_known_diagnosis_and_a_case_without_ratings_are_errors(fitted, bars, quickly):
    hidden = CaseList("hidden", [case.blind() for case in bars(4)], bars(1).classes)
    with pytest.raises(RaterbenchError, match="no training case has a known diagnosis"):
        DiagnosisFirst(diagnosis_budget=quickly).fit(hidden, seed=0)
    with pytest.raises(RaterbenchError, match=r"case 'case 0' has no rater at all"):
        nobody = bars(1)
        nobody.cases = [dataclasses.replace(nobody[0], ratings={})]
        fitted.fuse_cases(nobody)


def test_one_subject_cannot_be_cross_fitted_and_this_is_said(bars, quickly):
    cases = CaseList("one", [dataclasses.replace(case, subject="only") for case in bars(4)], bars(1).classes)
    with pytest.warns(UserWarning, match="nothing could be cross-fitted"):
        assert len(DiagnosisFirst(diagnosis_budget=quickly).fit(cases, seed=0).networks_) == 1


def test_it_is_skipped_where_there_are_not_two_diagnoses(bars):
    cases = bars(2)
    method = FusedLabels(fusion=DiagnosisFirst())
    assert method.needs == {"diagnosis"} and method.skip_reason(cases) is None
    cases.diagnoses = ()
    assert method.skip_reason(cases) == "it needs the diagnosis, which this data set does not have"
    cases.diagnoses = ("none", "mild", "severe")
    assert method.skip_reason(cases) == "it tells two diagnoses apart, and there are 3"


def test_a_network_learns_the_fused_labels(bars, quickly):
    train = bars(6)
    fusion = DiagnosisFirst(parameterisation="pixel", steps=3, cross_fitted=False, diagnosis_budget=quickly, learning_rate=0.5)
    method = FusedLabels(fusion=fusion, budget=BUDGET)
    slices = method.prepare(train, seed=4).whole()
    fused = method.fusion_.fuse_cases(train)
    for i, consensus in enumerate(fused):
        np.testing.assert_allclose(slices.ratings[i, 0].numpy(), consensus.probability, atol=1e-6)
    again = FusedLabels(fusion=fusion, budget=BUDGET).prepare(train, seed=4).whole()
    other = FusedLabels(fusion=fusion, budget=BUDGET).prepare(train, seed=5).whole()
    assert torch.equal(slices.ratings, again.ratings) and not torch.equal(slices.ratings, other.ratings)
    plain = FusedLabels(fusion=MajorityVote(), budget=BUDGET).prepare(train, seed=4).whole()
    assert not torch.equal(slices.ratings, plain.ratings)
