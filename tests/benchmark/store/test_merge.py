"""Folders that are joined give what one run gives, and those that do not belong together are refused with the field."""

import json
import shutil
from dataclasses import replace

import pytest

from raterbench.__main__ import main
from raterbench.benchmark.experiment.experiment import Candidate
from raterbench.benchmark.runner.plan import make_plan
from raterbench.benchmark.runner.run import execute, what_to_do
from raterbench.benchmark.runner.shards import shard_of
from raterbench.benchmark.runner.workers import only_run
from raterbench.benchmark.store.archive import Archive
from raterbench.benchmark.store.merge import merge
from raterbench.benchmark.store.results import read_results
from raterbench.benchmark.store.units import MeasuringUnit, Origin, TrainingUnit, training_path
from raterbench.datasets import RaterbenchError

from ...made_units import stored_beside_head, write_measured, write_trained

NAMES = ("instant", "even")
EVEN = """
class Even(Instant):
    pass
"""


def contents(folder):
    """What the files of units say, but for where and in what time they were computed."""
    units = {}
    for path in sorted((folder / "units").glob("*.npz")):
        with Archive(path) as archive:
            head = archive.read("unit", MeasuringUnit if "measured" in path.name else TrainingUnit)
        rest = stored_beside_head(path)
        units[path.name] = repr((replace(head, origin=Origin()), rest))
    return units


@pytest.fixture
def experiment(tiny, plugin):
    return tiny(candidates=tuple(Candidate(n, n) for n in NAMES), plugins=(plugin(EVEN),))


@pytest.fixture
def shards(experiment, tmp_path):
    """Two shards of a plan of two folds as runs would have left them, with nothing measured in them."""
    folders = [tmp_path / "a", tmp_path / "b"]
    for number, folder in enumerate(folders, 1):
        plan = make_plan(experiment, folder)
        shard = shard_of(plan, number, 2)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("raterbench.benchmark.runner.run._run_tasks", lambda *_: [])
            execute(shard, jobs=1)
        for unit in shard.runnable():
            if unit.kind == "method":
                write_trained(folder, unit, origin=Origin(code="abc", versions={"torch": "2.4"}))
            write_measured(folder, unit, plan.parts[unit.kind].names, origin=Origin(code="abc", versions={"torch": "2.4"}))
    return folders


def test_shards_that_were_run_and_joined_are_the_run(experiment, tmp_path, figures_undrawn, capsys):
    whole = tmp_path / "whole"
    execute(make_plan(experiment, whole), jobs=2)
    folders = [tmp_path / f"shard {number}" for number in (1, 2, 3)]
    for number, folder in enumerate(folders, 1):
        execute(shard_of(make_plan(experiment, folder), number, 3), jobs=2)
    assert [len(contents(folder)) for folder in folders] == [2, 7, 5]
    assert main(["merge", *map(str, folders[:2]), "-o", str(tmp_path / "all")]) == 1
    said = capsys.readouterr().out
    assert "INCOMPLETE: 4 of 10 units are missing: even (repeat 0 fold 1)" in said
    assert main(["merge", str(folders[2]), "-o", str(tmp_path / "all")]) == 0
    assert "joined 1 folders: 10 of 10 units are done" in capsys.readouterr().out

    assert contents(tmp_path / "all") == contents(whole)
    for name in ("experiment.json", "splits.json"):
        assert (tmp_path / "all" / name).read_bytes() == (whole / name).read_bytes()
    one, joined = read_results(whole), read_results(tmp_path / "all")
    assert one.long_table.equals(joined.long_table) and len(one.long_table) > 500
    assert joined.completeness.is_sound
    again = make_plan(experiment, tmp_path / "all")
    assert not what_to_do(again).units
    assert main(["report", str(tmp_path / "all")]) == 0
    assert (tmp_path / "all" / "report.html").exists()


def test_damaged_units_stay_behind_and_the_better_one_of_two_is_taken(experiment, shards, tmp_path):
    a, b = shards
    plan = make_plan(experiment, a)
    unit = next(iter(plan.training))
    training_path(a, unit).write_bytes(b"damaged")
    third = tmp_path / "third"
    shutil.copytree(a, third)
    write_trained(third, unit, "failed", origin=Origin(code="abc", versions={"torch": "2.4"}))
    merged = merge([a, b], tmp_path / "all")
    assert [entry.unit for entry in merged.completeness.having("missing")] == [unit]
    merged = merge([third], tmp_path / "all")
    assert [entry.unit for entry in merged.completeness.having("failed")] == [unit]
    write_trained(a, unit, origin=Origin(code="abc", versions={"torch": "2.4"}))
    assert merge([third, a], tmp_path / "all").completeness.is_sound
    assert merge([b, a], tmp_path / "all").copied == 0


def changed(folder, change):
    file = folder / "experiment.json"
    stored = json.loads(file.read_text())
    change(stored)
    file.write_text(json.dumps(stored))


def test_what_does_not_belong_together_is_refused_with_folder_and_field(shards, tmp_path):
    a, b = shards

    def refused(change, says):
        other = tmp_path / "other"
        shutil.copytree(b, other)
        changed(other, change)
        with pytest.raises(RaterbenchError) as raised:
            merge([a, other], tmp_path / "all")
        assert str(raised.value).startswith(f"{other} does not belong to {a}: {says}"), raised.value
        shutil.rmtree(other)
        assert not (tmp_path / "all").exists()

    def of(*names, value):
        def change(stored):
            for name in names[:-1]:
                stored = stored[name]
            stored[names[-1]] = value

        return change

    refused(of("experiment", "budget", "epochs", value=9), f"experiment: budget: epochs is 1 in {a} and 9 in")
    refused(of("experiment", "statistics", "alpha", value=0.1), f"experiment: statistics: alpha is 0.05 in {a} and 0.1 in")
    refused(of("facts", "fingerprint", value="other"), "facts: fingerprint is '")
    refused(of("facts", "split_hash", value="other"), "facts: split_hash is '")
    refused(of("units", 0, "key", value="other"), "the plan: the key of instant, repeat 0 fold 0, is '")
    with pytest.raises(RaterbenchError, match=r"nowhere holds no experiment.json: give the folder"):
        merge([a, tmp_path / "nowhere"], tmp_path / "all")


def test_other_code_or_libraries_are_refused(experiment, shards, tmp_path):
    a, b = shards
    unit = next(u for u in shard_of(make_plan(experiment, b), 2, 2).runnable() if u.kind == "method")
    for origin, says in (
        (
            Origin(code="def", versions={"torch": "2.4"}),
            f"raterbench's code is 'abc' for instant, repeat 0 fold 0, in {a} and 'def'",
        ),
        (Origin(code="abc", versions={"torch": "2.5"}), f"torch is '2.4' for instant, repeat 0 fold 0, in {a} and '2.5' for"),
    ):
        write_trained(b, unit, origin=origin)
        with pytest.raises(RaterbenchError, match=f"{b} does not belong to {a}: computed by: {says}"):
            merge([a, b], tmp_path / "all")


def test_the_last_part_of_pythons_version_decides_nothing():
    first, later, other = (Origin(versions={"python": number}).deciding() for number in ("3.11.4", "3.11.9", "3.12.1"))
    assert first == later != other


def test_a_running_part_and_a_folder_of_other_results_are_refused(experiment, shards, tmp_path, monkeypatch):
    a, b = shards
    with only_run(b), monkeypatch.context() as patch:
        patch.setattr("raterbench.benchmark.store.merge.running_process", lambda folder: "7" if folder == b else "")
        with pytest.raises(RaterbenchError, match=rf"a run is going on in {b} \(process 7\)"):
            merge([a, b], tmp_path / "all")
    other = tmp_path / "other"
    shutil.copytree(a, other)
    changed(other, lambda stored: stored["experiment"].update(name="mine"))
    with pytest.raises(RaterbenchError, match=r"experiment: name is 'mine' in .*other and 'tiny' in"):
        merge([a, b], other)


def test_declarations_are_joined(shards, tmp_path):
    a, b = shards
    merge(shards, tmp_path / "all")
    entries = [json.loads((folder / "declaration.json").read_text())["declarations"] for folder in (a, b, tmp_path / "all")]
    (first,), (second,), (joined,) = entries
    assert joined == {**first, "time": min(first["time"], second["time"])}
    stored = json.loads((b / "declaration.json").read_text())
    stored["declarations"].append(stored["declarations"][0])
    (b / "declaration.json").write_text(json.dumps(stored))
    with pytest.raises(RaterbenchError, match=r"does not belong to .*: declaration.json is \["):
        merge(shards, tmp_path / "all")


def test_a_shard_is_run_from_the_command_line_without_a_report(plugin, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    toml = tmp_path / "mine.toml"
    toml.write_text(
        'name = "mine"\ndataset = "phantom"\ndataset_options = {subjects = 4, slices = 1, size = 32}\n'
        'split = {folds = 2, repeats = 1}\nmetrics = ["dice"]\nfused_rows = []\nkeep_cases = 0\n'
        f'plugins = ["{plugin()}"]\ncandidates = [{{method = "instant"}}]\n'
    )
    assert main(["run", str(toml), "--shard", "2/2", "--jobs", "1"]) == 0
    said = capsys.readouterr()
    assert "shard 2 of 2: 2 of 2 units are done; results in results/mine-shard-2-of-2" in said.out
    assert not (tmp_path / "results" / "mine-shard-2-of-2" / "report.html").exists()
    for wrong in ("0/2", "3/2", "2", "a/b"):
        with pytest.raises(SystemExit):
            main(["run", str(toml), "--shard", wrong])
        assert f"'{wrong}' must be i/n, the i-th of n shards, such as 1/10 to 10/10" in capsys.readouterr().err
