import json
import os

import pytest

from raterbench.benchmark.experiment.experiment import Candidate, Split, Statistics
from raterbench.benchmark.runner.plan import make_plan
from raterbench.benchmark.runner.provenance import code_version, versions
from raterbench.benchmark.runner.run import write_plan
from raterbench.benchmark.store.units import write_json, write_record
from raterbench.datasets import RaterbenchError


def keys(experiment, folder, **options):
    plan = make_plan(experiment, folder, **options)
    return {(task.name, task.fold.repeat, task.fold.fold): task.key for task in plan.tasks}


def test_a_plan_has_every_candidate_on_every_fold_and_label_rows_once(tiny, tmp_path):
    experiment = tiny(candidates=(Candidate("a", "tgce"), Candidate("b", "random-rater")), split=Split(folds=2, repeats=2))
    plan = make_plan(experiment, tmp_path)
    assert [(t.name, t.order, t.fold.repeat, t.fold.fold) for t in plan.tasks] == [
        ("a", 0, 0, 0),
        ("b", 1, 0, 0),
        ("labels", 2, 0, 0),
        ("a", 0, 0, 1),
        ("b", 1, 0, 1),
        ("labels", 2, 0, 1),
        ("a", 0, 1, 0),
        ("b", 1, 1, 0),
        ("a", 0, 1, 1),
        ("b", 1, 1, 1),
    ]
    assert len({task.key for task in plan.tasks}) == len(plan.tasks)
    assert plan.missing() == plan.tasks
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "changes",
    [
        {"budget": {"epochs": 2}},
        {"seed": 1},
        {"dataset_options": {"subjects": 6, "slices": 2, "size": 48}},
        {"preparation": {"size": [64, 64]}},
        {"metrics": ("dice",)},
        {"references": ("truth", "raters")},
        {"metrics": ("dice", "brier", {"name": "surface dice", "tolerance": 2.0})},
        {"metrics": ("dice", "brier", {"name": "surface dice", "image_border": False})},
        {"keep_cases": 3},
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
    ],
)
def test_what_does_not_decide_leaves_the_key(tiny, tmp_path, changes):
    before, after = keys(tiny(), tmp_path), keys(tiny(**changes), tmp_path)
    assert all(before[unit] == after[unit] for unit in before if unit[0] == "Majority vote")


def test_candidates_alike_are_two_units(tiny, tmp_path):
    twins = keys(tiny(candidates=(Candidate("a", "tgce"), Candidate("b", "tgce"))), tmp_path)
    assert len(set(twins.values())) == len(twins)


def test_label_rows_do_not_depend_on_training(tiny, tmp_path):
    before = keys(tiny(), tmp_path)
    same, other = keys(tiny(budget={"epochs": 9}), tmp_path), keys(tiny(fused_rows=("staple",)), tmp_path)
    for fold in (0, 1):
        assert before["labels", 0, fold] == same["labels", 0, fold] != other["labels", 0, fold]


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
    assert same == {("labels", 0, 0), ("labels", 0, 1)}


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


def test_stored_units_are_not_missing_whatever_became_of_them(tiny, tmp_path):
    plan = make_plan(tiny(), tmp_path)
    done, failed, skipped, *rest = plan.tasks
    for task, status in ((done, "done"), (failed, "failed"), (skipped, "skipped")):
        write_record(tmp_path, task.record(status))
    # A candidate that was skipped and now can run, because its code or the data changed, is run.
    assert plan.missing() == [skipped, *rest]
    assert plan.missing(retry_failed=True) == [failed, skipped, *rest]
    plan.path(done).write_bytes(plan.path(done).read_bytes()[:-20])
    assert plan.missing() == [done, skipped, *rest]


def test_a_unit_that_is_not_whole_or_not_its_own_runs_again(tiny, tmp_path):
    plan = make_plan(tiny(), tmp_path)
    for task in plan.tasks:
        write_record(tmp_path, task.record("done", rows=[["a"] * 8 + [1.0]] * 50))
    one, other, *_ = (plan.path(task) for task in plan.tasks)
    assert plan.missing() == plan.damaged(plan.tasks) == []
    whole = one.read_bytes()
    altered = bytearray(whole)
    altered[altered.index(b"rows.npy") + 60] ^= 1
    one.write_bytes(altered)
    assert plan.stored(plan.tasks[0]) is not None, "its header is as it was"
    assert plan.missing() == plan.damaged(plan.tasks) == plan.tasks[:1]
    one.write_bytes(other.read_bytes())
    other.write_bytes(whole)
    assert plan.missing() == plan.damaged(plan.tasks) == plan.tasks[:2]
    one.unlink()
    os.mkfifo(one)
    other.write_bytes(one.name.encode())
    assert plan.missing() == plan.tasks[:2], "nobody waits for a pipe"
    one.unlink()
    one.mkdir()
    with pytest.raises(RaterbenchError, match=r"\.npz is a folder, where the file of a unit belongs: move it elsewhere"):
        plan.missing()


def test_units_of_other_code_or_libraries_are_told(tiny, tmp_path):
    plan = make_plan(tiny(), tmp_path)
    for task, meta in zip(plan.tasks, ({"code": "older"}, {}, {"versions": {"torch": "1.0"}}), strict=False):
        write_record(tmp_path, task.record("done", meta=meta))
    assert plan.outdated() == [
        (plan.tasks[0], [f"code older, now {code_version()}"]),
        (plan.tasks[2], [f"torch 1.0, now {versions()['torch']}"]),
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
    listed = json.loads((tmp_path / "experiment.json").read_text())["units"]
    assert [unit["key"] for unit in listed] == [task.key for task in part.tasks]
    assert listed[-1] == {"key": part.tasks[-1].key, "candidate": "labels", "kind": "labels", "repeat": 0, "fold": 0}


def test_kept_cases_stay_those_of_an_earlier_run(tiny, tmp_path):
    plan = make_plan(tiny(), tmp_path)
    write_plan(plan)
    assert make_plan(tiny(), tmp_path).facts == plan.facts
    for damaged in ({}, None, []):
        write_json(tmp_path / "experiment.json", {"experiment": {}, "facts": damaged, "keys": []})
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
        "of_raters": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"metrics": ("dice", "dyce")}, "no metric called 'dyce'; did you mean 'dice'?"),
        ({"references": ("truth", "rater")}, "no reference called 'rater'; did you mean 'raters'?"),
        ({"references": ("truth", "rater:steadi")}, "'rater:steadi' is no rater of 'phantom'; did you mean 'steady'?"),
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
        assert make_plan(tiny(**changes), tmp_path).tasks
        return
    with pytest.raises(RaterbenchError, match=says):
        make_plan(tiny(**changes), tmp_path)
