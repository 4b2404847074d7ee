import json
import os
from functools import partial
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from raterbench.benchmark.experiment.experiment import Candidate, Split, Statistics
from raterbench.benchmark.runner import plan as plan_module
from raterbench.benchmark.runner import tasks
from raterbench.benchmark.runner.engines.cluster import _common
from raterbench.benchmark.runner.plan import make_plan, preparation_identity
from raterbench.benchmark.runner.progress import announce
from raterbench.benchmark.runner.provenance import code_version, versions
from raterbench.benchmark.runner.run import what_to_do, write_plan
from raterbench.benchmark.runner.tasks import open_dataset, prepare_process
from raterbench.benchmark.store.run_file import planned_units, read_run_file, write_json
from raterbench.benchmark.store.units import Estimates, Origin, measuring_path, training_path, weights_path, write_training
from raterbench.datasets import Case, CaseList, Geometry, Phantom, Preparation, RaterbenchError
from raterbench.datasets.cache.disk_cache import DiskCache

from ...made_units import write_measured, write_trained


def keys(experiment, folder, **options):
    plan = make_plan(experiment, folder, **options)
    return {(unit.name, unit.repeat, unit.fold): unit.key for unit in plan.units}


def parts(experiment, folder):
    return make_plan(experiment, folder).parts["method"].names


def trained(plan):
    return [task.unit for task in plan.to_train()]


def test_a_plan_has_every_candidate_on_every_fold_and_label_rows_once(tiny, tmp_path):
    experiment = tiny(candidates=(Candidate("a", "tgce"), Candidate("b", "random-rater")), split=Split(folds=2, repeats=2))
    plan = make_plan(experiment, tmp_path)
    assert [(u.name, u.kind, u.repeat, u.fold) for u in plan.units] == [
        ("a", "method", 0, 0),
        ("b", "method", 0, 0),
        ("raters", "raters", 0, 0),
        ("majority-vote", "fusion", 0, 0),
        ("staple", "fusion", 0, 0),
        ("a", "method", 0, 1),
        ("b", "method", 0, 1),
        ("raters", "raters", 0, 1),
        ("majority-vote", "fusion", 0, 1),
        ("staple", "fusion", 0, 1),
        ("a", "method", 1, 0),
        ("b", "method", 1, 0),
        ("a", "method", 1, 1),
        ("b", "method", 1, 1),
    ]
    assert len({unit.key for unit in plan.units}) == len({unit.stem for unit in plan.units}) == len(plan.units)
    assert trained(plan) == [unit for unit in plan.units if unit.kind == "method"] == list(plan.training)
    assert plan.to_measure(plan.units) == {unit: plan.parts[unit.kind].names for unit in plan.units}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "changes",
    [
        {"budget": {"epochs": 2}},
        {"seed": 1},
        {"dataset_options": {"subjects": 6, "slices": 2, "size": 48}},
        {"preparation": {"size": [64, 64]}},
        {"preparation": {"pixel_size": 0.25}},
        {"preparation": {"crop": [32, 32]}},
        {"samples": 3},
        {"search_threshold": False},
        {"candidates": (Candidate("Majority vote", "fused-labels", {"fusion": "staple"}),)},
        {"candidates": (Candidate("Majority vote", "fused-labels", {"recipe": "softseg"}),)},
        {"candidates": (Candidate("Majority vote", "fused-labels", {"budget": {"epochs": 7}}),)},
    ],
)
def test_what_decides_about_a_result_changes_its_key(tiny, tmp_path, changes):
    before, after = keys(tiny(), tmp_path), keys(tiny(**changes), tmp_path)
    assert all(before[unit] != after[unit] for unit in before if unit[0] == "Majority vote")


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other"},
        {"description": "words"},
        {"statistics": Statistics(alpha=0.01, primary_metric="brier")},
        {"candidates": (Candidate("Another", "tgce"), Candidate("Majority vote", "fused-labels"))},
        {"candidates": (Candidate("Majority vote", "FusedLabels", {"budget": {"epochs": 1}}),)},
        {"fused_rows": ("soft-average",)},
        {"split": Split(folds=2, repeats=3)},
        {"metrics": ("dice",)},
        {"references": ("truth", "raters")},
        {"metrics": ("dice", "brier", {"name": "surface dice", "tolerance": 2.0})},
        {"metrics": ("dice", "brier", {"name": "surface dice", "image_border": False})},
        {"keep_cases": 3},
        {"keep_weights": True},
    ],
)
def test_what_does_not_decide_leaves_the_key(tiny, tmp_path, changes):
    before, after = keys(tiny(), tmp_path), keys(tiny(**changes), tmp_path)
    assert all(before[unit] == after[unit] for unit in before if unit[0] == "Majority vote")


class Cubes(CaseList):
    """Six volumes of 1 mm voxels."""

    def __init__(self):
        labels = np.zeros((16, 16, 16), np.uint8)
        labels[4:9, 4:9, 4:9] = 1
        where = Geometry.axis_aligned(3, (1.0, 1.0, 1.0))
        image = labels[None].astype(np.float32)
        names = [f"cube {i}" for i in range(6)]
        cases = [Case(name, name, "", image, {"a": labels, "b": labels}, where) for name in names]
        super().__init__("cubes", cases, ("background", "cube"))


@pytest.mark.parametrize("mode", ["slices", "volumes"])
def test_how_volumes_are_learned_is_decided_once_and_is_in_keys_as_if_it_had_been_said(tiny, tmp_path, monkeypatch, mode):
    monkeypatch.setattr(tasks, "load_dataset", lambda *_, **__: Cubes())
    candidates = (Candidate("a", "phiseg"), Candidate("b", "own-preparation", {"mode": "slices", "segmenter": "phiseg"}))
    cubes = partial(tiny, candidates=candidates, fused_rows=(), dataset_options={})
    given = {} if mode == "volumes" else {"crop": [16, 16]}
    undecided = cubes(preparation=given)
    plan = make_plan(undecided, tmp_path)
    assert keys(undecided, tmp_path) == keys(cubes(preparation={**given, "mode": mode}), tmp_path)
    assert plan.facts["preparation"]["mode"] == plan.setting.experiment.preparation["mode"] == mode
    assert plan.experiment == undecided, "what was declared stays as it is"
    assert plan.facts["learned"].startswith("Volumes are learned " + ("in 3-D" if mode == "volumes" else "slice by slice"))
    reason = 'its network is for slices, and volumes are learned in 3-D: set preparation.mode = "slices"'
    assert plan.skipped == ({"a": reason} if mode == "volumes" else {})
    monkeypatch.setattr(Cubes, "load", lambda *_: pytest.fail("a worker looks at no case to decide"))
    assert _common(plan).experiment.preparation["mode"] == mode, "also on a cluster"
    assert prepare_process(plan.setting).preparation == plan.dataset.preparation
    console = Console(file=StringIO(), width=300)
    announce(plan, 1, what_to_do(plan), console=console)
    assert ("warning: the baseline, a, is skipped" in console.file.getvalue()) == (mode == "volumes")


def test_settings_of_the_preparation_that_came_later_are_in_no_key_unless_they_are_used():
    first = {"slice_axis": "z", "size": None, "multiple": 32, "image_order": 1}
    slices = partial(Preparation, mode="slices")
    assert preparation_identity(slices()) == first
    assert preparation_identity(slices(pixel_size=1)) == {**first, "pixel_size": 1.0}
    assert preparation_identity(slices(crop=(32, 48))) == {**first, "crop": [32, 48]}


def test_a_pixel_size_takes_the_place_of_the_data_sets_own_size(tiny, monkeypatch):
    monkeypatch.setattr(Phantom, "preparation", Preparation(size=(48, 48), image_order=2))
    found = open_dataset(tiny(preparation={"pixel_size": 0.25}), None).preparation
    assert found == Preparation(pixel_size=0.25, image_order=2)
    assert open_dataset(tiny(preparation={"crop": [32, 32]}), None).preparation.size == (48, 48)


ON_THE_DISK = """
from pathlib import Path

import numpy as np

from raterbench.datasets import Case, Dataset, Geometry
from raterbench.datasets.base import Card, index_table


class Mine(Dataset):
    name, classes, raters = "mine", ("background", "object"), ("ann",)
    card = Card(title="Mine", citation="none", licence="none", source="here")

    def __init__(self):
        self.index = index_table([("c", "c", "", ("ann",))])

    def load(self, position):
        image = np.load(Path(__file__).parent / "c.npy")
        return Case("c", "c", "", image[None], {"ann": np.zeros(image.shape, np.uint8)}, Geometry.axis_aligned(2))
"""


def test_cases_of_a_plugin_that_names_no_files_are_read_again_each_time(tiny, tmp_path, plugin, monkeypatch):
    """Nobody knows whether they have changed."""
    kept = DiskCache(tmp_path / "cache", worthwhile=False)
    monkeypatch.setattr(tasks, "user_cache", lambda made_by: kept)
    monkeypatch.setattr(DiskCache, "current", None)
    experiment = tiny(dataset="mine", dataset_options={}, plugins=(plugin(ON_THE_DISK),))
    for value in (1.0, 2.0):
        np.save(tmp_path / "c.npy", np.full((8, 8), value, np.float32))
        assert open_dataset(experiment, None)[0].image.max() == value
    open_dataset(tiny(), None)[0]
    assert [entry.kind for entry in kept.entries()] == ["cases"]


METRICS = ("dice", "surface dice", "brier", "entropy")


@pytest.mark.parametrize(
    ("changes", "changed"),
    [
        ({"metrics": (*METRICS, "precision")}, "rows/precision/"),
        ({"references": ("truth", "raters", "majority", "staple")}, ("rows/", "calibration/staple")),
        ({"metrics": ("dice", {"name": "surface dice", "tolerance": 2.0}, "brier", "entropy")}, "rows/surface dice/"),
        ({"metrics": ("dice", {"name": "surface dice", "image_border": False}, "brier", "entropy")}, "rows/surface dice/"),
        (
            {"references": ("truth", "raters", "majority", {"fusion": "staple", "region": "union"})},
            ("rows/", "calibration/staple"),
        ),
        ({"keep_cases": 3}, "predicted/"),
    ],
)
def test_what_decides_about_a_measurement_changes_which_parts_are_wanted(tiny, tmp_path, changes, changed):
    settings = {"metrics": METRICS, "references": ("truth", "raters", "majority")}
    before, after = parts(tiny(**settings), tmp_path), parts(tiny(**settings | changes), tmp_path)
    new = [name for name in after if name not in before]
    assert new
    assert all(name.startswith(changed) for name in (*new, *(name for name in before if name not in after)))
    if "references" in changes:
        assert all("/staple" in name for name in new)


@pytest.mark.parametrize(
    "changes", [{"metrics": METRICS[:-1]}, {"references": ("truth", "raters")}, {"keep_cases": 0}, {"budget": {"epochs": 2}}]
)
def test_what_is_left_out_leaves_the_other_parts(tiny, tmp_path, changes):
    settings = {"metrics": METRICS}
    assert set(parts(tiny(**settings | changes), tmp_path)) <= set(parts(tiny(**settings), tmp_path))


def test_candidates_alike_share_what_is_trained_and_measured(tiny, tmp_path):
    plan = make_plan(tiny(candidates=(Candidate("a", "tgce"), Candidate("b", "tgce"))), tmp_path)
    by_name = {name: [unit.key for unit in plan.units if unit.name == name] for name in ("a", "b")}
    assert by_name["a"] == by_name["b"]
    assert [task.unit.key for task in plan.to_train()] == by_name["a"]
    todo = what_to_do(plan)
    assert len(todo.after_training) == 2
    assert len(todo.units) == len(plan.distinct()) == len(plan.units) - 2


def test_rows_without_a_network_do_not_depend_on_training(tiny, tmp_path):
    before = keys(tiny(), tmp_path)
    same, other = keys(tiny(budget={"epochs": 9}), tmp_path), keys(tiny(fused_rows=("staple",)), tmp_path)
    for name in ("raters", "majority-vote", "staple"):
        for fold in (0, 1):
            assert before[name, 0, fold] == same[name, 0, fold]
    assert {unit[0] for unit in before if unit not in other} == {"majority-vote"}
    assert all(before[unit] == key for unit, key in other.items())


def test_facts_name_who_sees_the_truth(tiny, tmp_path):
    source = """
from raterbench.methods import RandomRater


class Oracle(RandomRater):
    needs = frozenset({"truth"})
"""
    file = tmp_path / "oracle.py"
    file.write_text(source)
    candidates = (Candidate("Random rater", "random-rater"), Candidate("The oracle", "oracle"))
    plan = make_plan(tiny(candidates=candidates, plugins=(str(file),)), tmp_path)
    assert plan.facts["oracles"] == ["The oracle"]


def test_a_plugin_fusion_decides_too(tiny, tmp_path):
    source = """
from raterbench.methods import MajorityVote


class Mine(MajorityVote):
    number = {}
"""
    file = tmp_path / "fusion.py"
    experiment = tiny(
        candidates=(Candidate("Majority vote", "fused-labels", {"fusion": "mine"}),),
        fused_rows=("mine",),
        plugins=(str(file),),
    )
    found = []
    for number in (1, 2, 1):
        file.write_text(source.format(number))
        found.append(keys(experiment, tmp_path))
    assert found[0] == found[2]
    same = {name for name, key in found[0].items() if key == found[1][name]}
    assert same == {("raters", 0, 0), ("raters", 0, 1)}


def test_a_module_that_a_plugin_imports_decides_too(tiny, tmp_path, plugin):
    file = plugin("def helped():\n    from rules import number\n    return number\n")
    experiment = tiny(candidates=(Candidate("Instant", "instant"),), plugins=(file,))
    found = []
    for number in (1, 2, 1):
        (tmp_path / "rules.py").write_text(f"from deeper import number as deep\nnumber = {number}")
        found.append(keys(experiment, tmp_path))
    (tmp_path / "deeper.py").write_text("number = 3")
    found.append(keys(experiment, tmp_path))
    units = [key for key in found[0] if key[0] == "Instant"]
    assert [len({keys[unit] for keys in found}) for unit in units] == [3, 3]
    assert all(found[0][unit] == found[2][unit] for unit in units)


def test_stored_units_are_not_trained_again_whatever_became_of_them(tiny, tmp_path):
    plan = make_plan(tiny(split=Split(folds=2, repeats=2)), tmp_path)
    done, failed, skipped, *rest = plan.training
    for unit, status in ((done, "done"), (failed, "failed"), (skipped, "skipped")):
        write_trained(tmp_path, unit, status)
    # A candidate that was skipped and now can run, because its code or the data changed, is run.
    assert trained(plan) == [skipped, *rest]
    assert [task.unit for task in plan.to_train(retry_failed=True)] == [failed, skipped, *rest]
    assert [task.unit for task in plan.to_train(fresh=True)] == list(plan.training)
    todo = what_to_do(plan)
    assert done in todo.measuring
    assert failed not in todo.units
    assert set(todo.after_training) == {skipped, *rest}
    path = training_path(tmp_path, done)
    path.write_bytes(path.read_bytes()[:-20])
    assert trained(plan) == [done, skipped, *rest]


def test_only_the_parts_that_are_missing_are_measured(tiny, tmp_path):
    plan = make_plan(tiny(), tmp_path)
    whole, half, failed, *rest = plan.units
    names = {unit: plan.parts[unit.kind].names for unit in plan.units}
    write_measured(tmp_path, whole, names[whole])
    write_measured(tmp_path, half, names[half][1:])
    write_measured(tmp_path, failed, names[failed][2:], failed=dict.fromkeys(names[failed][:1], "a reason"))
    others = {unit: names[unit] for unit in rest}
    assert plan.to_measure(plan.units) == {half: names[half][:1], failed: names[failed][1:2]} | others
    assert plan.to_measure(plan.units, retry_failed=True)[failed] == names[failed][:2]
    assert plan.to_measure(plan.units, fresh=True) == names
    path = measuring_path(tmp_path, whole)
    path.write_bytes(path.read_bytes()[:-20])
    assert plan.to_measure([whole]) == {whole: names[whole]}


def test_weights_that_are_asked_for_later_are_trained_for(tiny, tmp_path):
    write_trained(tmp_path, (plan := make_plan(tiny(keep_weights=True), tmp_path)).units[0])
    assert plan.units[0] in trained(plan)
    weights_path(tmp_path, plan.units[0]).touch()
    assert plan.units[0] not in trained(plan)


def write_all(plan):
    """All units as finished ones."""
    for unit in plan.units:
        if unit.kind == "method":
            write_trained(plan.folder, unit)
        write_measured(plan.folder, unit, plan.parts[unit.kind].names)


def test_a_training_that_is_not_whole_or_not_its_own_runs_again(tiny, tmp_path):
    plan = make_plan(tiny(), tmp_path)
    write_all(plan)
    first, second = plan.training
    one, other = training_path(tmp_path, first), training_path(tmp_path, second)
    assert trained(plan) == plan.damaged(plan.units) == []
    many = Estimates(tuple(f"rater {i}" for i in range(100)), np.zeros((100, 2, 2)))
    write_training(one, plan.trained(first), (), {"a case": many})
    whole = one.read_bytes()
    altered = bytearray(whole)
    altered[altered.index(b"estimates.0.npy") + 15] ^= 255
    one.write_bytes(altered)
    assert plan.trained(first) is not None, "its head is as it was"
    assert trained(plan) == plan.damaged(plan.units) == [first]
    one.write_bytes(other.read_bytes())
    other.write_bytes(whole)
    assert trained(plan) == plan.damaged(plan.units) == [first, second]
    one.unlink()
    os.mkfifo(one)
    other.write_bytes(one.name.encode())
    assert trained(plan) == [first, second], "nobody waits for a pipe"
    one.unlink()
    one.mkdir()
    with pytest.raises(RaterbenchError, match=r"\.npz is a folder, where the file of a unit belongs: move it elsewhere"):
        plan.to_train()


def test_what_was_measured_and_is_not_whole_or_not_its_own_is_measured_again(tiny, tmp_path):
    plan = make_plan(tiny(), tmp_path)
    write_all(plan)
    first, second = plan.units[0], plan.units[1]
    one, other = measuring_path(tmp_path, first), measuring_path(tmp_path, second)
    whole = one.read_bytes()
    altered = bytearray(whole)
    altered[altered.index(b'"calibration/truth"') + 25] ^= 255
    for content in (altered, whole[:-9], b"", other.read_bytes()):
        one.write_bytes(content)
        assert list(plan.to_measure(plan.units)) == plan.damaged(plan.units) == [first]
    one.unlink()
    assert list(plan.to_measure(plan.units)) == [first]
    assert plan.damaged(plan.units) == []
    os.mkfifo(one)
    assert list(plan.to_measure(plan.units)) == plan.damaged(plan.units) == [first], "nobody waits for a pipe"
    assert trained(plan) == []


def test_units_of_other_code_or_libraries_are_told(tiny, tmp_path):
    plan = make_plan(tiny(), tmp_path)
    older, newer = Origin(code="older"), Origin(code=code_version())
    a, raters, vote, _, b, *_ = plan.units
    write_trained(tmp_path, a, origin=older)
    write_measured(tmp_path, a, (), origin=newer)
    write_trained(tmp_path, b, origin=newer)
    write_measured(tmp_path, b, (), origin=older)
    write_measured(tmp_path, raters, ())
    write_measured(tmp_path, vote, (), origin=Origin(versions={"torch": "1.0"}))
    assert plan.outdated() == [
        (a, [f"code older, now {code_version()}"]),
        (vote, [f"torch 1.0, now {versions()['torch']}"]),
        (b, [f"code older, now {code_version()}"]),
    ]


def test_the_plan_says_what_its_folds_are_and_lists_its_units(tiny, tmp_path):
    plan = make_plan(tiny(split=Split(folds=3, repeats=2)), tmp_path)
    names = ("n_repeats", "n_folds", "n_tested", "validation_share")
    assert [plan.facts[name] for name in names] == [2, [3], [12], [0.25]]
    one = {**plan.manifest, "folds": plan.manifest["folds"][:1]}
    del one["hash"]
    write_json(tmp_path / "mine.json", one)
    part = make_plan(tiny(split=Split(manifest=str(tmp_path / "mine.json"))), tmp_path)
    assert [part.facts[name] for name in names] == [1, [1], [4], [0.25]]
    write_plan(part)
    listed = json.loads((tmp_path / "experiment.json").read_text())
    last = part.units[-1]
    assert [unit["key"] for unit in listed["units"]] == [unit.key for unit in part.units]
    assert listed["units"][-1] == {
        "key": last.key, "name": "staple", "kind": "fusion", "repeat": 0, "fold": 0, "stem": last.stem
    }  # fmt: skip
    assert listed["parts"] == {kind: list(part.parts[kind].names) for kind in ("method", "raters", "fusion")}
    stored = read_run_file(tmp_path)
    assert planned_units(stored, "here") == part.units


def test_kept_cases_stay_those_of_an_earlier_run(tiny, tmp_path):
    plan = make_plan(tiny(), tmp_path)
    write_plan(plan)
    assert make_plan(tiny(), tmp_path).facts == plan.facts
    for damaged in ({}, None, []):
        write_json(tmp_path / "experiment.json", {"experiment": {}, "facts": damaged, "units": [], "parts": {}})
        assert make_plan(tiny(), tmp_path).facts == plan.facts


def test_what_tables_need_to_know_of_a_metric_is_stored(tiny, plugin, tmp_path):
    mine = """
from raterbench.benchmark.metrics import Metric


class Longest(Metric):
    name, label, quantity, better, range = "longest", "Longest", "length", "lower", (0, 9)
    per_class, references, empty = False, "truth", "Nothing is 0 long."

    def measure(self, prediction, reference, *, spacing):
        return np.zeros(())
"""
    facts = make_plan(tiny(plugins=(plugin(mine),), metrics=("dice", "longest")), tmp_path).facts["metrics"]
    assert list(facts) == ["dice", "longest"]
    assert facts["longest"] == {
        "label": "Longest [mm]", "unit": "mm", "better": "lower", "empty": "Nothing is 0 long.", "references": "truth",
        "of_raters": False, "lowest": 0.0, "highest": 9.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"metrics": ("dice", "dyce")}, "no metric called 'dyce'; did you mean 'dice'?"),
        ({"references": ("truth", "rater")}, "no reference called 'rater'; did you mean 'raters'?"),
        ({"references": ("truth", "spatial-stapel")}, "no reference called 'spatial-stapel'; did you mean 'spatial-staple'"),
        ({"references": ("truth", {"fusion": "stapel", "ties": "lowest"})}, "no fusion called 'stapel'; did you mean 'staple'"),
        (
            {"references": ("truth", {"fusion": "staple", "pool": "dataset"})},
            "learns raters over many cases, but a reference is",
        ),
        ({"references": ("staple", {"fusion": "staple"})}, "references lists 'staple' twice"),
        ({"references": ("truth", "rater:steadi")}, "'steadi' is no rater of 'phantom'; did you mean 'steady'?"),
        ({"references": ({"raters": ["sparing", "lazy"]},)}, "'raters:sparing,lazy': 'lazy' is no rater of 'phantom'"),
        ({"references": ("raters",), "statistics": Statistics(primary_reference="truth")}, "'truth' is not among the refer"),
        ({"references": ("majority",)}, "primary reference 'raters' is not among the references"),
        (
            {"statistics": Statistics(primary_metric="entropy")},
            "'entropy' cannot be measured against the primary reference 'truth'",
        ),
        ({"fused_rows": ("stapel",)}, "no fusion called 'stapel'"),
        ({"dataset": "fantom"}, "'fantom'; did you mean 'phantom'?"),
        ({"dataset_options": {"subject": 3}}, "no option 'subject'; did you mean 'subjects'?"),
        ({"preparation": {"slize": 3}}, "preparation: unknown key 'slize'; did you mean 'size'?"),
        ({"preparation": {"size": 64}}, "preparation: size = 64 must be a list"),
        ({"split": Split(folds=6)}, None),
        ({"split": Split(folds=7)}, "has 6 subjects, too few for 7 folds"),
        ({"plugins": ("nowhere.py",)}, "'nowhere.py' is not a file"),
    ],
)
def test_what_cannot_be_planned_is_said_before_anything_runs(tiny, tmp_path, changes, says):
    if says is None:
        assert make_plan(tiny(**changes), tmp_path).units
        return
    with pytest.raises(RaterbenchError, match=says):
        make_plan(tiny(**changes), tmp_path)


def test_references_are_fused_anew_by_other_code(tiny, tmp_path, monkeypatch):
    before = [task.key for task in make_plan(tiny(), tmp_path).references]
    monkeypatch.setattr(plan_module, "code_version", lambda: "other")
    after = [task.key for task in make_plan(tiny(), tmp_path).references]
    assert before and not set(before) & set(after)
