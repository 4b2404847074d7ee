import dataclasses

import numpy as np
import pytest
import torch

from raterbench.benchmark.experiment.experiment import Candidate, Split
from raterbench.benchmark.experiment.factory import load_plugins
from raterbench.benchmark.runner.plan import make_plan
from raterbench.benchmark.runner.unit import compute, seed_of
from raterbench.datasets import CaseList, Phantom
from raterbench.methods import METHODS, NetworkMethod

SPY = '''
SEEN = []


class Spy(Instant):
    """Notes what it is shown."""

    def fit(self, train, validation, *, seed, device="cpu"):
        for part in (train, validation):
            SEEN.extend(("fit", case.truth is None and case.diagnosis is None, bool(case.ratings)) for case in part)
        return super().fit(train, validation, seed=seed)

    def predict_proba(self, case):
        SEEN.append(("predict", case.truth is None and case.diagnosis is None, bool(case.ratings)))
        return super().predict_proba(case)


class Oracle(Spy):
    """Declares that it needs the truth."""

    needs = frozenset({"truth"})
'''

ODD = """
class Raises(Instant):
    def fit(self, train, validation, *, seed, device="cpu"):
        raise IndexError("list index [0] is\\n out of range")


class GivesNaN(Instant):
    def predict_proba(self, case):
        return super().predict_proba(case) * np.float32(np.nan)


class GivesLogits(Instant):
    def predict_proba(self, case):
        return super().predict_proba(case) * 3


class GivesNegatives(Instant):
    def predict_proba(self, case):
        return super().predict_proba(case) + np.array([[[-1]], [[1]], [[0]]], np.float32)


class GivesAnotherSize(Instant):
    def predict_proba(self, case):
        return super().predict_proba(case)[:, 1:]
"""


def unit(experiment, folder, name=None, fold=0):
    """The record of the candidate ``name`` (the first by default) on a fold."""
    plan = make_plan(experiment, folder)
    name = name or experiment.candidates[0].name
    return compute(next(t for t in plan.tasks if t.name == name and t.fold.fold == fold))


def contents(record):
    """All but time and memory."""
    meta = {k: v for k, v in record.meta.items() if k not in ("seconds", "peak_memory_mb")}
    arrays = {name: (a.dtype.str, a.shape, a.tobytes()) for name, a in record.arrays.items()}
    return dataclasses.replace(record, meta=meta, arrays=arrays).__dict__


@pytest.mark.parametrize("name", [n for n in METHODS.names() if issubclass(METHODS.get(n), NetworkMethod)])
def test_the_same_unit_twice_is_the_same_to_the_bit(tiny, tmp_path, name):
    experiment = tiny(candidates=(Candidate("it", name),), dataset_options={"subjects": 4, "slices": 1, "size": 32})
    first = unit(experiment, tmp_path)
    torch.rand(7)  # Whatever was drawn in between must not matter.
    assert first.status == "done", first.reason
    assert repr(contents(first)) == repr(contents(unit(experiment, tmp_path)))


def test_a_unit_is_what_its_place_in_the_experiment_says(tiny, tmp_path):
    record = unit(tiny(), tmp_path, fold=1)
    assert (record.candidate, record.kind, record.order, record.repeat, record.fold) == ("Majority vote", "method", 0, 0, 1)
    assert (record.meta["n_train"], record.meta["n_validation"], record.meta["n_test"]) == (4, 2, 6)
    assert record.meta["threshold"] is None
    assert (record.meta["epochs"], record.meta["best_epoch"]) == (1, 0)
    assert record.meta["peak_memory_mb"] > 50
    assert set(record.meta["versions"]) == {"python", "torch", "monai", "numpy", "scipy"}
    assert record.arrays["calibration"].shape == (6, 3, 2, 11, 3)
    assert {row[4] for row in record.rows} == {"north", "south", "west"}


def test_candidates_of_a_fold_start_alike_and_see_the_same_batches(tiny, tmp_path, plugin):
    lines = '''
import torch
from raterbench.methods import NetworkMethod

STARTS, BATCHES = {}, {}


class Watched(NetworkMethod):
    """Notes where it starts and what it sees."""

    def __init__(self, *, number=0, budget=None):
        super().__init__(budget=budget)
        self.number = number

    def build(self, *sizes):
        module = super().build(*sizes)
        STARTS.setdefault(self.number, []).append(torch.cat([p.flatten() for p in module.parameters()]).detach().clone())
        module.register_forward_pre_hook(lambda _, images: BATCHES.setdefault(self.number, []).append(images[0].clone()))
        return module

    def select_targets(self, ratings, present, generator):
        if self.number:
            torch.rand(5, generator=generator)
        return ratings, present
'''
    candidates = tuple(Candidate(f"w{i}", "watched", {"number": i}) for i in range(2))
    experiment = tiny(candidates=candidates, plugins=(plugin(lines),), budget={**tiny().budget, "epochs": 2})
    for fold in (0, 1):
        for candidate in candidates:
            assert unit(experiment, tmp_path, candidate.name, fold).status == "done"
    module = METHODS.get("watched").__dict__["build"].__globals__
    starts, batches = module["STARTS"], module["BATCHES"]
    for mine, other in zip(starts[0], starts[1], strict=True):
        assert torch.equal(mine, other)
    assert not torch.equal(starts[0][0], starts[0][1])
    assert len(batches[0]) > 4
    for mine, other in zip(batches[0], batches[1], strict=True):
        assert torch.equal(mine, other)


def test_seeds_differ_between_data_sets_repeats_folds_and_experiments():
    phantom, cases = Phantom(subjects=4, slices=1, size=32), CaseList("other", [], ("a", "b"))
    folds = make_folds_of(phantom)
    seeds = [seed_of(data, seed, fold) for data in (phantom, cases) for seed in (0, 1) for fold in folds]
    assert len(set(seeds)) == len(seeds) == 16


def make_folds_of(dataset):
    from raterbench.benchmark.experiment.splits import make_folds

    return make_folds(dataset, Split(folds=2, repeats=2), 0)


@pytest.mark.parametrize(("name", "truth_in_fit"), [("spy", False), ("oracle", True)])
def test_a_method_sees_no_truth_in_training_and_no_label_in_prediction(tiny, tmp_path, plugin, name, truth_in_fit):
    file = plugin(SPY)
    load_plugins((file,))
    seen = METHODS.get("spy").__dict__["fit"].__globals__["SEEN"]
    seen.clear()
    record = unit(tiny(candidates=(Candidate("it", name),), plugins=(file,)), tmp_path)
    assert record.status == "done", record.reason
    assert {step for step, _, _ in seen} == {"fit", "predict"}
    assert all(ratings for step, _, ratings in seen if step == "fit")
    assert all(blind is not truth_in_fit for step, blind, _ in seen if step == "fit")
    assert all(blind and not ratings for step, blind, ratings in seen if step != "fit")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("raises", "IndexError: list index [0] is out of range (mine.py, line "),
        ("gives-na-n", "the prediction has values that are no numbers"),
        ("gives-logits", "the prediction has probabilities that do not sum to 1"),
        ("gives-negatives", "the prediction has probabilities that do not sum to 1"),
        ("gives-another-size", "the prediction has the shape (3, "),
    ],
)
def test_a_unit_that_goes_wrong_is_a_record_with_its_reason(tiny, tmp_path, plugin, name, says):
    record = unit(tiny(candidates=(Candidate("it", name),), plugins=(plugin(ODD),)), tmp_path)
    assert record.status == "failed"
    assert says in record.reason
    assert "\n" not in record.reason
    assert record.rows == []
    assert record.meta["seconds"] > 0
    assert "Traceback" in record.meta["traceback"]


def test_training_that_diverges_says_what_to_do(tiny, tmp_path):
    record = unit(
        tiny(budget={**tiny().budget, "learning_rate": 100.0, "weight_decay": 100.0, "epochs": 20, "patience": 20}), tmp_path
    )
    assert record.status == "failed"
    assert "lower budget.learning_rate" in record.reason


EDITED = "a plug-in file, or a module that it imports, was edited while the run was on: run again"


def test_an_edit_of_a_plugin_during_a_run_is_noticed(tiny, tmp_path, plugin):
    file = plugin()
    plan = make_plan(tiny(candidates=(Candidate("it", "instant"),), plugins=(file,)), tmp_path)
    assert compute(plan.tasks[0]).status == "done"
    plugin("# edited\n")
    record = compute(plan.tasks[0])
    assert (record.status, record.reason) == ("failed", EDITED)


def test_an_edit_of_a_module_that_a_plugin_imports_is_noticed(tiny, tmp_path, plugin):
    (tmp_path / "instant_help.py").write_text("number = 1\n")
    file = plugin(f"import sys\nsys.path.append({str(tmp_path)!r})\nfrom instant_help import number\n")
    plan = make_plan(tiny(candidates=(Candidate("it", "instant"),), plugins=(file,)), tmp_path)
    assert compute(plan.tasks[0]).status == "done"
    (tmp_path / "instant_help.py").write_text("number = 2\n")
    record = compute(plan.tasks[0])
    assert (record.status, record.reason) == ("failed", EDITED)


def test_label_rows_measure_each_rater_against_the_others_and_each_fusion(tiny, tmp_path):
    record = unit(tiny(), tmp_path, "labels")
    assert record.status == "done"
    phantom = Phantom(subjects=6, slices=2, size=32)
    tested = {row[2] for row in record.rows}
    assert {row[0] for row in record.rows if row[1] == "rater"} == set(phantom.raters)
    assert {row[0] for row in record.rows if row[1] == "fusion"} == {"majority-vote", "staple"}
    assert len(tested) == record.meta["n_test"] == 6
    by_raters = {(row[0], row[2]) for row in record.rows if row[1] == "rater"}
    rated = {(r, case) for case, raters in phantom.index[["case", "raters"]].itertuples(index=False) for r in raters}
    assert by_raters == {pair for pair in rated if pair[1] in tested}


def test_a_vote_against_the_majority_of_the_same_raters_is_perfect(tiny, tmp_path):
    rows = unit(tiny(), tmp_path, "labels").rows
    dices = [row[-1] for row in rows if row[0] == "majority-vote" and row[-3:-1] == ["majority", "dice"]]
    assert dices
    assert np.allclose(dices, 1)


UNSURE = """
from raterbench.datasets import CaseList, Phantom


class Cord(CaseList):
    '''The phantom with one foreground class.'''

    name = "cord"

    def __init__(self, *, several=True):
        from dataclasses import replace

        def cord(ratings):
            return {r: (ratings[r] > 0).astype(np.uint8) for r in list(ratings)[: None if several else 1]}

        cases = [
            replace(case, ratings=cord(case.ratings), truth=None)
            for case in Phantom(subjects=6, slices=1, size=32)
        ]
        super().__init__("cord", cases, ("background", "cord"))


class Unsure(Instant):
    '''Finds where the image is bright, and gives it little more than a tenth.'''

    def predict_proba(self, case):
        bright = case.image[0] > np.quantile(case.image[0], 0.9)
        foreground = np.where(bright, 0.13, 0.02).astype(np.float32)
        return np.stack([1 - foreground, foreground])
"""


@pytest.mark.parametrize(("several", "threshold"), [(True, 0.1), (False, 0.5)])
def test_two_classes_get_a_threshold_from_validation_cases_of_several_raters(tiny, tmp_path, plugin, several, threshold):
    experiment = tiny(
        candidates=(Candidate("it", "unsure"),),
        dataset="cord",
        dataset_options={"several": several},
        plugins=(plugin(UNSURE),),
        keep_cases=0,
    )
    record = unit(experiment, tmp_path)
    assert record.status == "done", record.reason
    assert record.meta["threshold"] == threshold
    assert (max(row[-1] for row in record.rows if row[-2] == "dice") > 0) == several
