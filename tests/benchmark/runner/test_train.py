import dataclasses

import numpy as np
import pytest
import torch

from raterbench.benchmark.experiment.experiment import Candidate, Split
from raterbench.benchmark.experiment.factory import load_plugins
from raterbench.benchmark.runner.plan import make_plan
from raterbench.benchmark.runner.provenance import LIBRARIES
from raterbench.benchmark.runner.tasks import seed_of
from raterbench.benchmark.runner.train import train_unit
from raterbench.benchmark.store.archive import Archive
from raterbench.benchmark.store.predictions import StoredPrediction
from raterbench.benchmark.store.units import read_estimates
from raterbench.datasets import CaseList, Phantom
from raterbench.datasets.cache import disk_cache
from raterbench.datasets.cache.disk_cache import DiskCache
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


def contents(computed):
    """All that was stored but time, memory and what the machine is."""
    with Archive(computed.path) as archive:
        parts = [name for name in archive.parts if name != "unit"]
        held = [
            (archive.read(name, StoredPrediction) if name != "estimates" else read_estimates(computed.path)) for name in parts
        ]
    trained = dataclasses.replace(computed.trained, origin=None)
    return repr(dataclasses.asdict(trained)), [repr(_plain(part)) for part in held], repr(computed.rows)


def _plain(part):
    if isinstance(part, np.ndarray):
        return part.dtype.str, part.shape, part.tobytes()
    if isinstance(part, dict):
        return {name: _plain(value) for name, value in part.items()}
    return {f.name: _plain(getattr(part, f.name)) for f in dataclasses.fields(part)} if dataclasses.is_dataclass(part) else part


@pytest.mark.parametrize("name", [n for n in METHODS.names() if issubclass(METHODS.get(n), NetworkMethod)])
def test_the_same_unit_again_is_the_same_to_the_bit(tiny, tmp_path, compute, name, monkeypatch):
    """Whether cases are read and prepared, or come out of the cache."""
    options = {"subjects": 4, "slices": 1, "size": 32}
    phantom = Phantom(**options)
    names = {"hq": phantom.raters[:2], "lq": phantom.raters[2:3]}
    own = {key: names[key] for key in METHODS.get(name)().get_params() if key in names}
    experiment = tiny(candidates=(Candidate("it", name, own),), dataset_options=options)
    if METHODS.get(name)(**own).skip_reason(phantom):  # It is for two classes.
        experiment = experiment.replace(dataset="cells", dataset_options={"volumes": 4, "test": 1, "slices": 1, "size": 64})
    experiment = experiment.replace(budget={**experiment.budget, "keep_epochs": 1})  # Each can show what it predicts by epoch.
    first = compute(experiment, tmp_path)
    torch.rand(7)  # Whatever was drawn in between must not matter.
    assert first.trained.status == "done", first.trained.reason
    before = contents(first)
    monkeypatch.setattr(disk_cache, "SMALL", 0)
    monkeypatch.setattr(disk_cache, "OPENING", -1.0)
    monkeypatch.setenv("RATERBENCH_CACHE", str(tmp_path / "cache"))
    assert before == contents(compute(experiment, tmp_path))
    kept = {entry.path for entry in DiskCache(tmp_path / "cache").entries()}
    assert {"cases", "images", "ratings"} <= {path.parent.parent.name for path in kept}
    assert before == contents(compute(experiment, tmp_path))
    assert kept == {entry.path for entry in DiskCache(tmp_path / "cache").entries()}


def test_a_unit_is_what_its_place_in_the_experiment_says(tiny, tmp_path, compute):
    found = compute(tiny(), tmp_path, fold=1)
    assert (found.unit.name, found.unit.kind, found.unit.repeat, found.unit.fold) == ("Majority vote", "method", 0, 1)
    trained = found.trained
    assert (trained.n_train, trained.n_validation, trained.n_test) == (4, 2, 6)
    assert trained.threshold is None
    assert (len(trained.report.curve), trained.report.best_epoch) == (1, 0)
    assert trained.origin.peak_memory_mb > 50
    assert set(trained.origin.versions) == {"python", *LIBRARIES}
    assert found.parts["calibration/truth"].counts.shape == (6, 2, 11, 3)
    assert {case.centre for case in found.measured.cases} == {"north", "south", "west"}
    assert trained.predicted == tuple(case.case for case in found.measured.cases)


def test_candidates_of_a_fold_start_alike_and_see_the_same_batches(tiny, tmp_path, plugin, compute):
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
            assert compute(experiment, tmp_path, candidate.name, fold).trained.status == "done"
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
def test_a_method_sees_no_truth_in_training_and_no_label_in_prediction(tiny, tmp_path, plugin, compute, name, truth_in_fit):
    file = plugin(SPY)
    load_plugins((file,))
    seen = METHODS.get("spy").__dict__["fit"].__globals__["SEEN"]
    seen.clear()
    record = compute(tiny(candidates=(Candidate("it", name),), plugins=(file,)), tmp_path).trained
    assert record.status == "done", record.reason
    assert {step for step, _, _ in seen} == {"fit", "predict"}
    assert all(ratings for step, _, ratings in seen if step == "fit")
    assert all(blind is not truth_in_fit for step, blind, _ in seen if step == "fit")
    assert all(blind and not ratings for step, blind, ratings in seen if step != "fit")


OBJECTS = """
SEEN = []


class SeesObjects(Instant):
    needs = frozenset({"instances"})

    def fit(self, train, validation, *, seed, device="cpu"):
        cases = [*train, *validation]
        SEEN.extend((case.instances is not None, "hq" in case.ratings, case.truth) for case in cases)
        return super().fit(train, validation, seed=seed)

    def predict_proba(self, case):
        assert case.instances is None
        return super().predict_proba(case)
"""


def test_a_method_sees_the_objects_of_training_cases_that_their_rater_rated(tiny, tmp_path, plugin, compute):
    file = plugin(OBJECTS)
    load_plugins((file,))
    seen = METHODS.get("sees-objects").__dict__["fit"].__globals__["SEEN"]
    seen.clear()
    options = {"volumes": 4, "test": 1, "slices": 2, "size": 64, "regime": "split", "hq_cases": 3}
    of_cells = {"dataset": "cells", "dataset_options": options, "split": Split("holdout"), "metrics": ("dice",)}
    experiment = tiny(candidates=(Candidate("it", "sees-objects"),), plugins=(file,), **of_cells)
    record = compute(experiment, tmp_path).trained
    assert record.status == "done", record.reason
    assert len(seen) == 6 and sum(sees for sees, _, _ in seen) == 3
    assert all(sees is careful and truth is None for sees, careful, truth in seen)
    assert "it learned from the instances of training cases, too." in make_plan(experiment, tmp_path).facts["warnings"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("raises", "IndexError: list index [0] is out of range (mine.py, line "),
        ("gives-na-n", "the prediction has NaN or infinite values"),
        ("gives-logits", "the prediction has probabilities that do not sum to 1"),
        ("gives-negatives", "the prediction has probabilities that do not sum to 1"),
        ("gives-another-size", "the prediction has the shape (3, "),
    ],
)
def test_a_unit_that_goes_wrong_is_a_record_with_its_reason(tiny, tmp_path, plugin, compute, name, says):
    record = compute(tiny(candidates=(Candidate("it", name),), plugins=(plugin(ODD),)), tmp_path).trained
    assert record.status == "failed"
    assert says in record.reason
    assert "\n" not in record.reason
    assert record.predicted == ()
    assert record.origin.seconds > 0
    assert "Traceback" in record.origin.traceback


def test_training_that_diverges_says_what_to_do(tiny, tmp_path, compute):
    record = compute(
        tiny(budget={**tiny().budget, "learning_rate": 100.0, "weight_decay": 100.0, "epochs": 20, "patience": 20}), tmp_path
    ).trained
    assert record.status == "failed"
    assert "lower budget.learning_rate" in record.reason


EDITED = "a plug-in file, or a module that it imports, was edited while the run was on: run again"


def test_an_edit_of_a_plugin_during_a_run_is_noticed(tiny, tmp_path, plugin, compute):
    file = plugin()
    plan = make_plan(tiny(candidates=(Candidate("it", "instant"),), plugins=(file,)), tmp_path)
    task = plan.training[plan.units[0]]
    assert train_unit(task).status == "done"
    plugin("# edited\n")
    record = train_unit(task)
    assert (record.status, record.reason) == ("failed", EDITED)


def test_an_edit_of_a_module_that_a_plugin_imports_is_noticed(tiny, tmp_path, plugin, compute):
    (tmp_path / "instant_help.py").write_text("number = 1\n")
    file = plugin(f"import sys\nsys.path.append({str(tmp_path)!r})\nfrom instant_help import number\n")
    plan = make_plan(tiny(candidates=(Candidate("it", "instant"),), plugins=(file,)), tmp_path)
    task = plan.training[plan.units[0]]
    assert train_unit(task).status == "done"
    (tmp_path / "instant_help.py").write_text("number = 2\n")
    record = train_unit(task)
    assert (record.status, record.reason) == ("failed", EDITED)


UNSURE = """
from raterbench.datasets import CaseList, Phantom
from raterbench.datasets.cache import disk_cache
from raterbench.datasets.cache.disk_cache import DiskCache


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
def test_two_classes_get_a_threshold_from_validation_cases_of_several_raters(
    tiny, tmp_path, plugin, compute, several, threshold
):
    experiment = tiny(
        candidates=(Candidate("it", "unsure"),),
        dataset="cord",
        dataset_options={"several": several},
        plugins=(plugin(UNSURE),),
        keep_cases=0,
    )
    found = compute(experiment, tmp_path)
    assert found.trained.status == "done", found.trained.reason
    search = found.trained.threshold
    assert search.chosen == threshold
    assert search.cases == several
    assert (max(search.dice, default=0) > 0) == several
    at = {which: max(row[-1] for row in found.rows if row[5:7] == ("dice", which)) for which in ("searched", "half")}
    assert (at["searched"] > 0, at["half"]) == (several, 0)
    brier = {row[:4]: row[-1] for row in found.rows if row[5:7] == ("brier", "searched")}
    assert brier == {row[:4]: row[-1] for row in found.rows if row[5:7] == ("brier", "half")}
