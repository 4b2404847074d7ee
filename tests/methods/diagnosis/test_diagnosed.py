"""Networks judge segmentations end to end, and fused labels under each control."""

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from raterbench.benchmark import Experiment, Split
from raterbench.benchmark.experiment.experiment import Candidate
from raterbench.benchmark.experiment.factory import build_method
from raterbench.benchmark.experiment.skipping import needs_of, skip_reason
from raterbench.datasets import CaseList, RaterbenchError
from raterbench.methods import (
    Budget,
    ClassFrequencies,
    Diagnosed,
    DiagnosisFirst,
    FusedLabels,
    MajorityVote,
    SingleRater,
    SoftAverage,
)
from raterbench.methods.base import Method
from raterbench.methods.diagnosis.controls import PermutedDiagnoses
from raterbench.methods.diagnosis.dl_att import DLAtt
from raterbench.methods.diagnosis.dl_cat import DLCat
from raterbench.methods.diagnosis.dl_ssl import DLSSL
from raterbench.methods.diagnosis.ratios import RatioSVM, RatioThreshold
from raterbench.methods.diagnosis.residual_network import NoMask

RULES = (RatioThreshold(), RatioSVM())


class Drawn(Method):
    """Segments a case as its first rater would: what is seen is in the name, since a segmenter sees no label."""

    listed = False

    def __init__(self, *, cases=None):
        self.cases = cases

    def fit(self, train, validation, *, seed, device="cpu"):
        assert all(case.diagnosis is None for part in (train, validation) for case in part)
        return self

    def predict_proba(self, case):
        labels = next(c.ratings["a"] for c in self.cases if c.id == case.id)
        return (labels == np.arange(3)[:, None, None]).astype(np.float32)


def aucs(found, control):
    chosen = [one for one in found if one.control == control]
    names = set(chosen[0].probability)
    truth = [one.diagnosis for one in chosen]
    return {name: roc_auc_score(truth, [one.probability[name][1] for one in chosen]) for name in names}


@pytest.fixture(scope="module")
def parts(discs):
    everything = discs(90)
    return everything, everything.subset(range(40)), everything.subset(range(40, 56)), everything.subset(range(56, 90))


def test_segmentations_are_judged_without_a_label(parts, quickly):
    everything, train, validation, test = parts
    method = Diagnosed(
        segmenter=Drawn(cases=everything.cases), networks=(NoMask(), DLCat()), controls=(), diagnosis_budget=quickly
    )
    method.fit(train, validation, seed=0)
    predictions = [method.predict(case.unlabelled()) for case in test]
    for prediction in predictions:
        assert set(prediction.diagnosis) == {"no-mask", "dl-cat"}
        assert all(p.shape == (2,) and p.sum() == pytest.approx(1) for p in prediction.diagnosis.values())
    truth = [case.diagnosis for case in test]
    assert roc_auc_score(truth, [p.diagnosis["dl-cat"][1] for p in predictions]) > 0.95
    assert not method.diagnose_labels(test)
    assert list(method.fit_report().stages) == ["no-mask, majority vote", "dl-cat, majority vote"]
    assert any(name.startswith("dl-cat, majority vote.") for name in method.weights())


def test_all_candidates_are_judged_by_the_same_networks(parts, quickly):
    everything, train, validation, test = parts
    drawn = Drawn(cases=everything.cases)
    short = {"diagnosis_budget": quickly, "controls": ()}
    one = Diagnosed(segmenter=drawn, networks=(DLCat(), RatioSVM()), **short).fit(train, validation, seed=3)
    other = Diagnosed(segmenter=drawn, fusion=SoftAverage(), networks=(NoMask(), DLCat()), **short).fit(
        train, validation, seed=3
    )
    for case in test.subset(range(3)):
        a, b = (method.predict(case.unlabelled()).diagnosis["dl-cat"] for method in (one, other))
        np.testing.assert_array_equal(a, b)
    third = Diagnosed(segmenter=drawn, networks=(DLCat(),), **short).fit(train, validation, seed=4)
    c = third.predict(test[0].unlabelled()).diagnosis["dl-cat"]
    assert not np.array_equal(c, one.predict(test[0].unlabelled()).diagnosis["dl-cat"])


def test_networks_that_learned_from_the_segmenters_own_labels_judge_it_too(parts, quickly):
    """Of the majority vote they are the same networks; those of another fusion, and of a foreign segmenter, are not."""
    everything, train, validation, test = parts
    budget = Budget(epochs=1, features=(4, 4, 4, 8, 8, 4), backbone="shallow")
    options = {"networks": (NoMask(), DLCat()), "diagnosis_budget": quickly, "controls": ("cross-fitted",), "budget": budget}
    names = ["no-mask", "dl-cat", "dl-cat, own labels"]
    for fusion, alike in ((MajorityVote(), True), (SingleRater(rater="a"), False)):
        method = Diagnosed(fusion=fusion, **options).fit(train, validation, seed=0)
        said = method.predict(test[0].unlabelled()).diagnosis
        assert list(said) == names
        assert np.array_equal(said["dl-cat"], said["dl-cat, own labels"]) == alike
    told = DiagnosisFirst(parameterisation="pixel", steps=1, folds=2, diagnosis_budget=quickly, cross_fitted=False)
    judged = Diagnosed(fusion=told, **{**options, "networks": (RatioSVM(),)}).fit(train, validation, seed=0)
    assert list(judged.predict(test[0].unlabelled()).diagnosis) == ["ratio-svm"], "it learned from labels that are not judged"
    foreign = Diagnosed(segmenter=Drawn(cases=everything.cases), **options).fit(train, validation, seed=0)
    assert list(foreign.predict(test[0].unlabelled()).diagnosis) == names[:2]


def test_what_a_segmenter_says_of_the_diagnosis_itself_is_kept(parts):
    everything, train, validation, test = parts

    class Diagnosing(Drawn):
        listed = False

        def predict(self, case, *, samples=0, seed=0):
            said = {"itself": np.array([0.25, 0.75])}
            return dataclasses.replace(super().predict(case, samples=samples, seed=seed), diagnosis=said)

    method = Diagnosed(segmenter=Diagnosing(cases=everything.cases), networks=RULES, controls=()).fit(train, validation, seed=0)
    said = method.predict(test[0].unlabelled()).diagnosis
    assert list(said) == ["itself", "ratio-threshold", "ratio-svm"] and said["itself"].tolist() == [0.25, 0.75]


@pytest.mark.parametrize(
    ("options", "trained"),
    [
        ({"controls": ()}, 3),
        ({"controls": ("cross-fitted", "permuted")}, 3),
        ({"controls": ("as published", "cross-fitted")}, 4),
        ({"controls": (), "segmenter": ClassFrequencies()}, 0),
        ({"controls": ("permuted",), "segmenter": FusedLabels(fusion=DiagnosisFirst(folds=5))}, 8),
    ],
)
def test_networks_that_help_to_fuse_are_counted_once_for_all_that_share_them(options, trained):
    """Rules are no networks that are trained, so that what is left is those of the fusions."""
    method = Diagnosed(fusion=DiagnosisFirst(folds=3), networks=(RatioSVM(),), **options)
    assert sum(isinstance(network, DLCat) for network, _ in method.diagnosis_networks()) == trained


def test_labels_of_a_fusion_are_judged_and_chance_is_left_after_a_permutation(parts, quickly):
    _, train, validation, test = parts
    method = Diagnosed(
        segmenter=ClassFrequencies(),
        fusion=SoftAverage(),
        networks=(DLCat(), *RULES),
        end_to_end=False,
        diagnosis_budget=quickly,
    )
    method.fit(train, validation, seed=0)
    assert method.predict(test[0].unlabelled()).diagnosis is None
    found = method.diagnose_labels(test)
    assert [one.control for one in found] == ["cross-fitted"] * 34 + ["permuted"] * 34
    for one, case in zip(found[:34], test, strict=True):
        assert one.case == case.id and one.diagnosis == case.diagnosis
        np.testing.assert_array_equal(one.labels, SoftAverage().fuse(case.ratings, 3).labels)
    assert sum(one.diagnosis for one in found[34:]) == sum(case.diagnosis for case in test)
    assert [one.diagnosis for one in found[34:]] != [case.diagnosis for case in test]
    assert all(value > 0.95 for value in aucs(found, "cross-fitted").values())
    assert all(0.2 < value < 0.8 for value in aucs(found, "permuted").values())


def test_labels_that_know_the_diagnosis_are_judged_by_networks_of_other_kinds(parts, quickly):
    _, train, validation, test = parts
    fusion = DiagnosisFirst(parameterisation="pixel", steps=5, learning_rate=0.1, folds=3, diagnosis_budget=quickly)
    method = Diagnosed(
        segmenter=ClassFrequencies(),
        fusion=fusion,
        networks=(DLCat(), DLSSL(), RatioSVM()),
        end_to_end=False,
        diagnosis_budget=quickly.__class__(epochs=2, features=(2, 2, 2, 2)),
    )
    method.fit(train, validation, seed=0)
    found = method.diagnose_labels(test.subset(range(6)))
    judges = {one.control: set(one.probability) for one in found}
    assert judges == {
        "as published": {"dl-cat", "dl-ssl", "ratio-svm"},
        "cross-fitted": {"ratio-svm"},
        "permuted": {"ratio-svm"},
    }
    used = {judged.control: judged.fusion for judged in method.judged_fusions_}
    assert [len(used[c].fitted.networks_) for c in ("as published", "cross-fitted", "permuted")] == [1, 3, 3]
    assert used["permuted"] is used["cross-fitted"], "it has learned from the true diagnoses under both"
    assert all(set(one.weights) == set(test[1].ratings) for one in found)
    labels = {one.control: one.labels for one in found if one.case == test[1].id}
    expected = used["as published"].fuse_cases(test.subset([1]))[0].labels
    np.testing.assert_array_equal(labels["as published"], expected)
    assert fusion.cross_fitted, "the fusion itself is left as it was"


def test_a_leak_is_seen_in_permuted_diagnoses(discs, quickly):
    """Raters err without knowing the disease: what their labels, weighed by a permuted diagnosis, tell of it is leak."""
    everything = discs(100, "doubtful mask")
    train, validation, test = (everything.subset(part) for part in (range(48), range(48, 60), range(60, 100)))
    fusion = DiagnosisFirst(parameterisation="pixel", steps=30, learning_rate=0.2, folds=3, diagnosis_budget=quickly)
    options = {"segmenter": ClassFrequencies(), "networks": RULES, "end_to_end": False, "controls": ("permuted",)}
    knowing = Diagnosed(fusion=fusion, **options).fit(train, validation, seed=0)
    average = Diagnosed(fusion=SoftAverage(), **options).fit(train, validation, seed=0)
    leak, none = (aucs(method.diagnose_labels(test), "permuted") for method in (knowing, average))
    assert all(leak[name] > none[name] + 0.1 and leak[name] > 0.65 for name in leak), (leak, none)


def test_the_controls_judge_the_fusion_of_the_segmenter_which_fuses_each_case_once(parts, quickly, monkeypatch):
    _, train, validation, test = parts
    short = DiagnosisFirst(parameterisation="pixel", steps=3, folds=2, diagnosis_budget=quickly)
    budget = Budget(epochs=1, features=(4, 4, 4, 8, 8, 4), backbone="shallow")
    options = {"fusion": short, "networks": RULES, "controls": ("cross-fitted", "permuted"), "diagnosis_budget": quickly}
    apart = Diagnosed(segmenter=FusedLabels(fusion=short, budget=budget), **options).fit(train, validation, seed=0)
    fuse, fused = DiagnosisFirst.fuse_cases, []

    def noted(self, cases):
        fused.extend((id(self), case.id, case.diagnosis) for case in cases)
        return fuse(self, cases)

    monkeypatch.setattr(DiagnosisFirst, "fuse_cases", noted)
    shared = Diagnosed(budget=budget, **options).fit(train, validation, seed=0)
    found = shared.diagnose_labels(test)
    told_otherwise = {(case, diagnosis) for _, case, diagnosis in fused}
    assert len(fused) == len(told_otherwise) > 90, "one fusion, and each case once for each diagnosis"
    for one, two in zip(found, apart.diagnose_labels(test), strict=True):
        assert (one.case, one.control, one.diagnosis) == (two.case, two.control, two.diagnosis)
        np.testing.assert_array_equal(one.labels, two.labels)
    mine, others = shared.weights(), apart.weights()
    assert mine.keys() == others.keys()
    for name, tensor in mine.items():
        torch.testing.assert_close(tensor, others[name], rtol=1e-3, atol=1e-4)


def test_diagnoses_of_test_cases_change_no_weight_and_no_prediction(parts, quickly):
    _, train, validation, test = parts
    short = DiagnosisFirst(parameterisation="pixel", steps=3, folds=2, diagnosis_budget=quickly)
    budget = Budget(epochs=1, features=(4, 4, 4, 8, 8, 4), backbone="shallow")
    method = Diagnosed(fusion=short, networks=(DLAtt(),), controls=("as published",), diagnosis_budget=quickly, budget=budget)
    method.fit(train, validation, seed=0)
    before = {name: tensor.clone() for name, tensor in method.weights().items()}
    predictions = [method.predict(case) for case in test]
    other = CaseList(
        "other", [dataclasses.replace(case, diagnosis=None) for case in test], test.classes, test.raters, test.diagnoses
    )
    assert method.diagnose_labels(other) == []
    assert len(method.diagnose_labels(test)) == len(test)
    again = [method.predict(dataclasses.replace(case, diagnosis=1 - case.diagnosis)) for case in test]
    for one, two in zip(predictions, again, strict=True):
        np.testing.assert_array_equal(one.probability, two.probability)
        np.testing.assert_array_equal(one.diagnosis["dl-att"], two.diagnosis["dl-att"])
    assert before.keys() == method.weights().keys()
    assert all((before[name] == tensor).all() for name, tensor in method.weights().items())


def test_cases_without_a_diagnosis_teach_the_segmenter_alone(parts, quickly):
    everything, train, validation, test = parts
    cases = [dataclasses.replace(c, diagnosis=None if i % 3 == 0 else c.diagnosis) for i, c in enumerate(train)]
    hidden = CaseList("hidden", cases, train.classes, train.raters, train.diagnoses)
    seen = []

    class Counting(Drawn):
        listed = False

        def fit(self, train, validation, *, seed, device="cpu"):
            seen.append(len(train))
            return super().fit(train, validation, seed=seed, device=device)

    known = train.subset([i for i in range(40) if i % 3])
    options = {"networks": (DLCat(),), "diagnosis_budget": quickly, "controls": ("cross-fitted",)}
    some = Diagnosed(segmenter=Counting(cases=everything.cases), **options).fit(hidden, validation, seed=0)
    few = Diagnosed(segmenter=Counting(cases=everything.cases), **options).fit(known, validation, seed=0)
    assert seen == [40, 26]
    a, b = (method.predict(test[0].unlabelled()).diagnosis["dl-cat"] for method in (some, few))
    np.testing.assert_array_equal(a, b)


def test_cases_that_a_single_rater_did_not_rate_are_left_out(parts, quickly):
    _, train, validation, test = parts
    cases = [dataclasses.replace(c, ratings={r: c.ratings[r] for r in ("a", "bc"[i % 2])}) for i, c in enumerate(test)]
    some = CaseList("some", cases, test.classes, test.raters, test.diagnoses)
    method = Diagnosed(
        segmenter=ClassFrequencies(),
        fusion=SingleRater(rater="b"),
        networks=RULES,
        end_to_end=False,
        controls=("cross-fitted",),
    )
    method.fit(train, validation, seed=0)
    found = method.diagnose_labels(some)
    assert [one.case for one in found] == [case.id for i, case in enumerate(test) if i % 2 == 0]
    assert all(np.array_equal(one.labels, case.ratings["b"]) for one, case in zip(found, list(test)[::2], strict=True))


def test_subjects_exchange_diagnoses_as_a_whole(discs):
    cases = [dataclasses.replace(c, subject=f"subject {i // 2}", diagnosis=i // 2 % 2) for i, c in enumerate(discs(40))]
    cases[5] = dataclasses.replace(cases[5], diagnosis=None)
    part = CaseList("pairs", cases, ("a", "b", "c"), diagnoses=("healthy", "ill"))
    permuted = PermutedDiagnoses(part, seed=1)
    given = [case.diagnosis for case in permuted]
    assert given[5] is None and given.count(None) == 1
    assert all(given[i] == given[i + 1] for i in range(6, 40, 2))
    assert given != [case.diagnosis for case in part]
    assert [case.diagnosis for case in PermutedDiagnoses(part, seed=1)] == given
    assert [case.diagnosis for case in PermutedDiagnoses(part, seed=2)] != given
    assert all(np.array_equal(a.image, b.image) and a.id == b.id for a, b in zip(permuted, part, strict=True))


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (Diagnosed(networks=()), "networks names none"),
        (Diagnosed(networks=(DLCat(), DLCat())), "networks names 'dl-cat' twice"),
        (Diagnosed(fusion=DiagnosisFirst(), networks=(DLCat(), DLSSL())), "the control 'cross-fitted' has no network"),
        (Diagnosed(controls=("permutated",)), "controls"),
        (Diagnosed(networks=(DLSSL(dropped=1.0),)), "dropped = 1.0 must be"),
        (Diagnosed(segmenter=FusedLabels(budget=Budget(epochs=0))), "epochs = 0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_said(method, words):
    with pytest.raises(RaterbenchError, match=words):
        method.check_parameters()


def test_a_fusion_that_uses_the_diagnosis_may_be_judged_as_published_by_its_own_kind():
    Diagnosed(fusion=DiagnosisFirst(), networks=(DLCat(),), controls=("as published",)).check_parameters()


def test_it_is_skipped_with_a_reason(parts, bars):
    everything = parts[0]
    assert skip_reason(Diagnosed(), everything) is None
    assert "needs three classes" in skip_reason(Diagnosed(networks=RULES), bars(2))
    unknown = [dataclasses.replace(case, diagnosis=None) for case in everything.cases[:1]] + everything.cases[1:4]
    first_unknown = CaseList("x", unknown, everything.classes, diagnoses=("healthy", "ill"))
    assert skip_reason(Diagnosed(), first_unknown) is None
    unnamed = [dataclasses.replace(case, diagnosis=None) for case in everything.cases[:4]]
    without = CaseList("x", unnamed, everything.classes)
    assert skip_reason(Diagnosed(), without) == "it needs the diagnosis, which this data set does not have"
    three = CaseList("x", everything.cases[:4], everything.classes, diagnoses=("none", "mild", "severe"))
    assert skip_reason(Diagnosed(), three) == "it tells two diagnoses apart, and there are 3"


def test_an_experiment_builds_it():
    options = {
        "segmenter": {"method": "fused-labels", "fusion": {"fusion": "diagnosis-first", "parameterisation": "pixel"}},
        "fusion": "diagnosis-first",
        "networks": ["no-mask", {"name": "dl-ssl", "dropped": 0.25}, "ratio-threshold"],
        "controls": ["cross-fitted"],
        "diagnosis_budget": {"epochs": 3},
    }
    experiment = Experiment(
        name="x",
        dataset="phantom",
        split=Split("folds", folds=2),
        budget={"epochs": 7},
        candidates=(Candidate("A", "diagnosed", options), Candidate("B", "fused-labels", {"fusion": "staple"})),
    )
    built = build_method(experiment.candidates[0], experiment)
    assert isinstance(built, Diagnosed) and isinstance(built.fusion, DiagnosisFirst)
    assert built.segmenter.fusion.parameterisation == "pixel" and built.segmenter.budget.epochs == 7
    assert [type(network) for network in built.networks] == [NoMask, DLSSL, RatioThreshold]
    assert built.networks[1].dropped == 0.25 and built.diagnosis_budget.epochs == 3 and built.controls == ("cross-fitted",)
    assert needs_of(built) == {"diagnosis"}
    assert needs_of(build_method(experiment.candidates[1], experiment)) == set()
    with pytest.raises(RaterbenchError, match=r"networks\[0\]: there is no diagnosis network called 'dl-cta'.*dl-cat"):
        build_method(Candidate("A", "diagnosed", {"networks": ["dl-cta"]}), experiment)
    with pytest.raises(RaterbenchError, match="there is no fusion called 'stapel'"):
        build_method(Candidate("A", "diagnosed", {"fusion": "stapel"}), experiment)


def test_defaults():
    method = Diagnosed()
    assert method.fusion is None and isinstance(method._fusion(), MajorityVote)
    assert [type(network) for network in method._networks()] == [NoMask, DLCat, DLAtt]
