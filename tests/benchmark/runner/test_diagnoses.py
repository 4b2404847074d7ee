"""Units that diagnose: what a method sees of test cases, what is kept, and that a leak of the diagnosis shows."""

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from raterbench.benchmark.experiment.experiment import Candidate, Split
from raterbench.benchmark.runner.plan import make_plan
from raterbench.benchmark.runner.run import run
from raterbench.benchmark.store.units import read_predictions, training_path, weights_path
from raterbench.methods import METHODS
from raterbench.reports.analysis import Analysis

DISCS = '''
from raterbench.datasets import Card, Case, Dataset, Geometry, Truth
from raterbench.datasets.base import index_table


class Discs(Dataset):
    """Noisy discs of ten to twelve voxels radius; every other subject is ill, which nothing shows.

    ``hide`` takes the diagnosis away from the test part, ``unknown`` from the last so many cases; ``named`` is False for a data
    set without diagnoses.
    """

    name, classes, raters, unit = "diagnosed-discs", ("background", "disc"), ("wide", "narrow"), "pixel"
    card = Card(title="Discs", citation="none", licence="Apache-2.0", source="drawn when read")

    def __init__(self, *, cases: int = 24, hide: bool = False, unknown: int = 0, named: bool = True, truth: bool = True):
        names = [f"disc-{i:03}" for i in range(cases)]
        self.index = index_table((name, name, "drawn", self.raters) for name in names)
        self.diagnoses = ("healthy", "ill") if named else ()
        self.official_test = tuple(range(cases - 8, cases))
        self.hide, self.unknown, self.truth = hide, unknown, truth

    def load(self, position):
        name, random = self.index["case"].iloc[position], np.random.default_rng(position)
        y, x = np.indices((32, 32)) - 16
        radius = random.uniform(8, 12)
        true = (np.hypot(y, x) < radius).astype(np.uint8)
        ratings = {r: (np.hypot(y, x) < radius + d).astype(np.uint8) for r, d in (("wide", 1), ("narrow", -1))}
        image = (true + random.normal(0, 0.3, true.shape)).astype(np.float32)
        known = not (self.hide and position in self.official_test) and position < len(self) - self.unknown
        truth = Truth(true, np.stack([1 - true, true]).astype(np.float32)) if self.truth else None
        diagnosis = position % 2 if known and self.diagnoses else None
        return Case(name, name, "drawn", image[None], ratings, Geometry.axis_aligned(2), truth, diagnosis)
'''

READERS = '''
from typing import Any, Literal

import torch
from sklearn.linear_model import LogisticRegression

from raterbench.methods import Budget, DiagnosedLabels
from raterbench.methods.networks.fused_labels import FusedLabels

SEEN = []


class Reader(Method):
    """A segmenter, a fusion that paints the corner of ill cases where it ``leaks``, and a regression that reads labels."""

    needs = frozenset({"diagnosis"})

    def __init__(self, *, segmenter: Method | None = None, leaks: bool = True):
        self.segmenter, self.leaks = segmenter, leaks

    def fit(self, train, validation, *, seed, device="cpu"):
        self.segmenter.fit(train, validation, seed=seed, device=device)
        self.random_ = np.random.default_rng(seed)
        cases = [case for case in train if case.diagnosis is not None]
        self.published_ = self.reading(cases, [case.diagnosis for case in cases])
        self.permuted_ = self.reading(cases, self.random_.permutation([case.diagnosis for case in cases]))
        return self

    def reading(self, cases, diagnoses):
        features = [feature(self.fused(case, d)) for case, d in zip(cases, diagnoses, strict=True)]
        return LogisticRegression().fit(features, diagnoses)

    def fused(self, case, diagnosis):
        labels = case.ratings["wide"].copy()
        if self.leaks:
            labels[:3, :3] = diagnosis
        return labels

    def predict_proba(self, case):
        return self.segmenter.predict_proba(case)

    def predict(self, case, *, samples=0, seed=0):
        SEEN.append(("predict", case.diagnosis, bool(case.ratings)))
        probability = self.predict_proba(case)
        read = self.published_.predict_proba([feature(probability.argmax(axis=0))])[0]
        return Prediction(probability, diagnosis={"corner": read, "coin": np.array([0.5, 0.5])})

    def weights(self):
        mine = {"coef": self.published_.coef_, "bias": self.published_.intercept_, "permuted": self.permuted_.coef_}
        return {**self.segmenter.weights(), **{name: torch.tensor(value) for name, value in mine.items()}}

    def diagnose_labels(self, cases):
        SEEN.extend(("labels", case.diagnosis, bool(case.ratings), case.truth, case.instances) for case in cases)
        known = [case for case in cases if case.diagnosis is not None]
        own = [case.diagnosis for case in known]
        found = []
        controls = {"as published": (own, self.published_), "permuted": (self.random_.permutation(own), self.permuted_)}
        for control, (diagnoses, reader) in controls.items():
            for case, diagnosis in zip(known, diagnoses, strict=True):
                labels = self.fused(case, diagnosis)
                scores = {"corner": reader.predict_proba([feature(labels)])[0]}
                found.append(DiagnosedLabels(case.id, control, labels, int(diagnosis), scores))
        return found


def feature(labels):
    return [labels.mean(), labels[:3, :3].mean()]


class Careless(Reader):
    """Does something wrong with the records or scores of one case."""

    def __init__(self, *, segmenter: Method | None = None, leaks: bool = True, wrong: str = ""):
        super().__init__(segmenter=segmenter, leaks=leaks)
        self.wrong = wrong

    def predict(self, case, *, samples=0, seed=0):
        found = super().predict(case)
        scores = {"length": [1.0], "sum": [0.5, 0.6], "nan": [np.nan, 1.0], "negative": [-0.1, 1.1]}
        if self.wrong in scores:
            found.diagnosis["corner"] = np.array(scores[self.wrong])
        if self.wrong == "network" and case.id.endswith("20"):
            del found.diagnosis["coin"]
        return found

    def diagnose_labels(self, cases):
        records = super().diagnose_labels(cases)
        first = dict(vars(records[0]))
        changes = {
            "control": {"control": "as publshed"}, "case": {"case": "nobody"}, "true": {"diagnosis": 1 - first["diagnosis"]},
            "shape": {"labels": first["labels"][1:]}, "class": {"labels": first["labels"] + 7},
            "record": {"probability": {"corner": np.array([0.2, 0.2])}},
        }
        if self.wrong == "missing":
            return records[1:]
        if self.wrong == "unlabelled":
            return [record for record in records if record.case != first["case"]]
        if self.wrong == "twice":
            return [*records, records[0]]
        if self.wrong == "kind":
            return ["a text"]
        return [DiagnosedLabels(**first | changes.get(self.wrong, {})), *records[1:]]


class Unasked(Instant):
    """Diagnoses without having learned from a diagnosis."""

    def predict(self, case, *, samples=0, seed=0):
        return Prediction(self.predict_proba(case), diagnosis={"size": np.array([0.25, 0.75])})
'''
SEGMENTER = {"segmenter": {"method": "fused-labels", "fusion": "majority-vote"}}
BUDGET = {"epochs": 2, "batch_size": 4, "features": [4, 4, 4, 4, 4, 4], "backbone": "shallow"}


@pytest.fixture
def diagnosed(tiny, plugin):
    """Makes an experiment on the diagnosed discs; keyword arguments are options of the data set and of the method."""
    file = plugin(DISCS + READERS)

    def make(method="reader", *, split=None, candidates=None, options=None, **dataset):
        own = {**SEGMENTER, **(options or {})} if method in ("reader", "careless") else {}
        return tiny(
            candidates=candidates or (Candidate("it", method, own),), dataset="diagnosed-discs", dataset_options=dataset,
            plugins=(file,), budget=BUDGET, split=split or Split("holdout"), keep_cases=0, fused_rows=(), metrics=("dice",),
            references=("truth", "raters") if dataset.get("truth", True) else ("raters",),
        )  # fmt: skip

    return make


def test_hiding_the_diagnoses_of_test_cases_changes_no_weight_and_no_prediction(diagnosed, tmp_path, compute):
    found = []
    for hide in (False, True):
        folder = tmp_path / str(hide)
        unit = compute(diagnosed(hide=hide).replace(keep_weights=True), folder)
        assert unit.trained.status == "done", unit.trained.reason
        stored = read_predictions(training_path(folder, unit.unit), unit.trained.predicted)
        maps = {one.case: one.foreground.tobytes() for one in stored}
        found.append((load_file(weights_path(folder, unit.unit)), maps, unit.trained.diagnoses.scored[0]))
    (weights, maps, scores), (blind_weights, blind_maps, blind_scores) = found
    assert len(weights) > 3 and weights.keys() == blind_weights.keys()
    assert all(np.array_equal(weights[name], blind_weights[name]) for name in weights)
    assert len(maps) == 8 and maps == blind_maps
    assert np.array_equal(scores.probability, blind_scores.probability)
    assert set(scores.diagnosis.tolist()) == {0, 1} and set(blind_scores.diagnosis.tolist()) == {-1}


def test_a_method_sees_the_diagnosis_of_test_cases_after_its_last_prediction(diagnosed, tmp_path, compute):
    compute(diagnosed(unknown=2), tmp_path)
    # Before these, the threshold was searched on the predictions of validation cases.
    seen = METHODS.get("reader").diagnose_labels.__globals__["SEEN"][-16:]
    assert [entry[0] for entry in seen] == ["predict"] * 8 + ["labels"] * 8
    assert all(entry[1:] == (None, False) for entry in seen[:8])
    assert [entry[1] for entry in seen[8:]] == [0, 1, 0, 1, 0, 1, None, None]
    assert all(entry[2:] == (True, None, None) for entry in seen[8:])


def test_scores_and_the_dice_of_fused_labels_are_kept(diagnosed, tmp_path, compute):
    found = compute(diagnosed(unknown=2), tmp_path)
    kept = found.trained.diagnoses
    assert kept.names == ("healthy", "ill") and kept.classes == ("disc",)
    predicted, published, permuted = kept.scored
    assert predicted.networks == ("corner", "coin") and predicted.probability.shape == (8, 2, 2) and predicted.dice is None
    assert predicted.diagnosis.tolist() == [0, 1, 0, 1, 0, 1, -1, -1]
    assert (published.control, published.cases, published.networks) == ("as published", predicted.cases[:6], ("corner",))
    assert sorted(permuted.diagnosis.tolist()) == [0, 0, 0, 1, 1, 1] and published.diagnosis.tolist() == [0, 1] * 3
    plan = make_plan(diagnosed(unknown=2), tmp_path)
    for case, dice in zip(published.cases, published.dice, strict=True):
        position = plan.dataset.index["case"].tolist().index(case)
        labels, truth = plan.dataset[position].ratings["wide"].copy(), plan.dataset[position].truth.labels
        labels[:3, :3] = position % 2
        assert dice == pytest.approx([2 * (labels & truth).sum() / (labels.sum() + truth.sum())])
    assert published.reference == "truth"


def test_without_a_truth_fused_labels_are_measured_against_each_rater(diagnosed, tmp_path, compute):
    found = compute(diagnosed(truth=False, options={"leaks": False}), tmp_path)
    published = found.trained.diagnoses.scored[1]
    case = make_plan(diagnosed(truth=False), tmp_path).dataset[16]
    wide, narrow = (case.ratings[rater] for rater in ("wide", "narrow"))
    assert published.reference == "raters" and published.cases[0] == case.id
    assert published.dice[0] == pytest.approx([(1 + 2 * (wide & narrow).sum() / (wide.sum() + narrow.sum())) / 2])


def test_a_fusion_that_writes_the_diagnosis_into_its_labels_is_found_out(diagnosed, tmp_path):
    candidates = tuple(
        Candidate(name, "reader", {**SEGMENTER, "leaks": leaks}) for name, leaks in (("honest", False), ("leaky", True))
    )
    results = run(diagnosed(candidates=candidates, split=Split(folds=2, repeats=2)), tmp_path, jobs=1)
    table = Analysis(results).diagnosis.set_index(["candidate", "control", "network"])
    assert table.loc[("leaky", "as published", "corner"), "auc"] == 1
    assert table.loc[("leaky", "permuted", "corner"), "leak"] == 0.5
    honest = table.loc[("honest", "permuted", "corner")]
    assert honest["leak_low"] < 0 < honest["leak_high"]
    assert abs(table.loc[("leaky", "", "coin"), "auc"] - 0.5) < 1e-12
    quality = results.diagnosed_labels.groupby(["candidate", "control"])["dice"].mean()
    assert quality["leaky", "as published"] < quality["honest", "as published"]  # What the leak costs.
    rows = results.diagnoses
    assert len(rows) == 2 * 2 * 24 * (2 + 1 + 1) and set(rows["positive"]) == {"ill"}
    assert set(zip(rows["case"], rows["subject"], strict=True)) == {(case, case) for case in rows["case"]}
    own = rows[rows["control"] != "permuted"].drop_duplicates("case").set_index("case")["diagnosis"]
    assert own["disc-003"] == "ill" and own["disc-004"] == "healthy"


def test_a_case_without_fused_labels_is_left_out_under_each_control(diagnosed, tmp_path, compute):
    """Such as one that the rater of ``single-rater`` did not rate."""
    options = {"wrong": "unlabelled", "segmenter": {"method": "instant"}}
    predicted, published, permuted = compute(diagnosed("careless", options=options), tmp_path).trained.diagnoses.scored
    assert len(predicted.cases) == 8
    assert published.cases == permuted.cases == predicted.cases[1:] and len(published.dice) == len(permuted.dice) == 7


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("length", r"case 'disc-016': the diagnosis by 'corner' has the shape \(1,\), not one probability for each of healthy"),
        ("sum", r"case 'disc-016': the diagnosis by 'corner' is \[0.5, 0.6\]: give probabilities that sum to 1"),
        ("nan", "case 'disc-016': the diagnosis by 'corner' has NaN or infinite values"),
        ("negative", "give probabilities that sum to 1"),
        ("network", "of case 'disc-020' was diagnosed by corner, and that of case 'disc-016' by corner, coin"),
        ("control", "case 'disc-016': there is no control 'as publshed'; did you mean 'as published'"),
        ("case", "case 'nobody' is no test case"),
        ("true", "the diagnosis that counts as true is given as 1, as published, but it is 0"),
        ("shape", r"case 'disc-016', fused labels: they are uint8 \(31, 32\), not uint8 \(32, 32\)"),
        ("class", "case 'disc-016', fused labels: label 7 is none of the 2 classes"),
        ("record", "case 'disc-016', as published: the diagnosis by 'corner' is"),
        ("missing", "case 'disc-016': its fused labels were diagnosed permuted, and not as published: diagnose the same"),
        ("twice", "case 'disc-016': its fused labels, as published, were diagnosed twice"),
        ("kind", "diagnose_labels gave a str: give DiagnosedLabels"),
    ],
)
def test_what_is_no_diagnosis_is_a_reason(diagnosed, tmp_path, compute, wrong, said):
    options = {"wrong": wrong, "segmenter": {"method": "instant"}}
    trained = compute(diagnosed("careless", options=options), tmp_path).trained
    assert trained.status == "failed"
    assert pd.Series([trained.reason]).str.contains(said).item(), trained.reason


def test_a_data_set_without_diagnoses_refuses_scores_and_skips_who_needs_them(diagnosed, tmp_path, compute):
    trained = compute(diagnosed("unasked", named=False), tmp_path / "unasked").trained
    assert trained.reason == "case 'disc-016' was diagnosed by size, but the data set names no diagnoses"
    plan = make_plan(diagnosed(named=False), tmp_path / "reader")
    assert plan.skipped == {"it": "it needs the diagnosis, which this data set does not have"}


def test_a_method_that_needs_no_diagnosis_may_give_one_and_shows_no_fused_labels(diagnosed, tmp_path, compute):
    (scored,) = compute(diagnosed("unasked"), tmp_path).trained.diagnoses.scored
    assert scored.source == "predicted segmentation" and scored.probability[:, 0].tolist() == [[0.25, 0.75]] * 8


def test_a_unit_without_diagnoses_keeps_none(diagnosed, tmp_path, compute):
    assert compute(diagnosed("instant"), tmp_path).trained.diagnoses is None
