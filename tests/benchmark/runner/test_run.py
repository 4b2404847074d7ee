import dataclasses
import os
import platform
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

from raterbench.benchmark.experiment.experiment import Candidate, read_experiment
from raterbench.benchmark.experiment.factory import build_method
from raterbench.benchmark.runner import run as runner
from raterbench.benchmark.runner.plan import make_plan
from raterbench.benchmark.runner.run import check_device, execute, run
from raterbench.benchmark.runner.workers import only_run
from raterbench.benchmark.store.archive import Archive
from raterbench.benchmark.store.results import read_results
from raterbench.benchmark.store.units import (
    MeasuringUnit,
    Origin,
    TrainingUnit,
    measuring_path,
    read_measuring,
    read_training,
    training_path,
    weights_path,
)
from raterbench.datasets import RaterbenchError

from ...made_units import stored_beside_head, write_measured, write_trained

FATAL = """
import os
from pathlib import Path


class Fatal(Instant):
    '''Kills its own process on one fold, as long as the file `armed` is there.'''

    def predict_proba(self, case):
        if case.subject == "sub-01" and (Path(__file__).parent / "armed").exists():
            os.kill(os.getpid(), 9)
        return super().predict_proba(case)


class Picky(Instant):
    def skip_reason(self, dataset):
        return "it is for volumes"


class Raises(Instant):
    def fit(self, train, validation, *, seed, device="cpu"):
        raise RuntimeError("[bold] is no markup [/nothing]")
"""

DIES_ONCE = """
import os
from pathlib import Path

import numpy as np

from raterbench.benchmark.metrics import Metric


def die_once(what):
    file = Path(__file__).parent / what
    if file.exists():
        file.unlink()
        os.kill(os.getpid(), 9)


class Dies(Instant):
    def fit(self, train, validation, *, seed, device="cpu"):
        die_once("train")
        return super().fit(train, validation, seed=seed)


class DiesOnce(Metric):
    name, label, quantity, better, range = "dies-once", "Dies once", "length", "lower", (0, 1)
    per_class, references, empty = False, "truth", "Nothing."

    def measure(self, prediction, reference, *, spacing):
        if not (Path(__file__).parent / "train").exists():
            die_once("measure")
        return np.zeros(())
"""

FULL = """
from pathlib import Path

import torch


class TooLarge(Instant):
    def fit(self, train, validation, *, seed, device="cpu"):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 1 GiB.")


class NoContext(Instant):
    def fit(self, train, validation, *, seed, device="cpu"):
        raise RuntimeError("CUDA error: out of memory\\nCUDA kernel errors might be reported later")


class Crowded(TooLarge):
    '''Finds no memory once.'''

    def fit(self, train, validation, *, seed, device="cpu"):
        crowd = Path(__file__).parent / "crowd"
        if crowd.exists():
            crowd.unlink()
            super().fit(train, validation, seed=seed)
        return Instant.fit(self, train, validation, seed=seed)
"""

SLOW = """
import time
from pathlib import Path


class Slow(Instant):
    '''Takes its time, as long as the file `slow` is there.'''

    def fit(self, train, validation, *, seed, device="cpu"):
        if (Path(__file__).parent / "slow").exists():
            time.sleep(1)
        return super().fit(train, validation, seed=seed)
"""

TOML = """
name = "slow"
dataset = "phantom"
dataset_options = {{subjects = 6, slices = 1, size = 32}}
split = {{folds = 3}}
metrics = ["dice"]
references = ["truth"]
fused_rows = []
keep_cases = 0
plugins = ["{plugin}"]
candidates = [{{name = "a", method = "slow"}}, {{name = "b", method = "slow", share = 0.4}}]
"""


def stamps(folder):
    """When each unit was written, by file."""
    return {path.name: path.stat().st_mtime_ns for path in (folder / "units").glob("*.npz")}


def contents(folder):
    """What the files of units say, but for time, memory and code."""
    units = {}
    for path in sorted((folder / "units").glob("*.npz")):
        with Archive(path) as archive:
            head = archive.read("unit", MeasuringUnit if "measured" in path.name else TrainingUnit)
        rest = stored_beside_head(path)
        assert rest
        units[path.name] = repr((dataclasses.replace(head, origin=Origin()), rest))
    return units


def test_a_unit_that_finds_the_gpu_full_waits_and_is_tried_alone(tiny, tmp_path, plugin, capsys):
    names = ("instant", "crowded", "too-large", "no-context")
    (tmp_path / "crowd").touch()
    experiment = tiny(candidates=tuple(Candidate(n, n) for n in names), plugins=(plugin(FULL),))
    units = run(experiment, tmp_path / "out", jobs=2).units
    methods = units[units["kind"] == "method"].set_index(["candidate", "fold"]).sort_index()
    assert all(methods.loc[(name, fold), "status"] == "done" for name in ("instant", "crowded") for fold in (0, 1))
    assert not (tmp_path / "crowd").exists()
    for name, what in (("too-large", "CUDA out of memory"), ("no-context", "CUDA error: out of memory")):
        assert set(methods.loc[name, "reason"]) == {
            f"tried twice, the second time alone: {what}: lower budget.batch_size, or run fewer units side by side"
        }
    assert "4 units failed" in capsys.readouterr().err


def test_a_run_survives_its_units_goes_on_where_it_was_and_computes_nothing_twice(tiny, tmp_path, plugin, capsys):
    armed, out = tmp_path / "armed", tmp_path / "out"
    armed.touch()
    names = ("instant", "fatal", "raises", "picky")
    experiment = tiny(candidates=tuple(Candidate(n, n) for n in names), plugins=(plugin(FATAL),))
    results = run(experiment, out, jobs=2)
    said = capsys.readouterr().err
    methods = results.units[results.units["kind"] == "method"]
    status = methods.set_index(["candidate", "fold"])[["status", "reason"]].T.to_dict()
    fatal = next(f for f in (0, 1) if status["fatal", f]["status"] == "failed")
    assert status["fatal", fatal]["reason"] == "its process died twice: SIGKILL, out of memory or killed by somebody"
    assert status["fatal", 1 - fatal]["status"] == "done"
    assert all(
        status["raises", f]["reason"].startswith("RuntimeError: [bold] is no markup [/nothing] (mine.py") for f in (0, 1)
    )
    assert all(status["instant", f]["status"] == "done" for f in (0, 1))
    assert list(results.units.loc[results.units["candidate"] == "labels", "status"]) == ["done"] * 6
    assert all(status["picky", f] == {"status": "skipped", "reason": "it is for volumes"} for f in (0, 1))
    assert "12 units: 0 done, 6 to train, 6 only to measure, 2 at a time" in said
    assert "skipped: picky: it is for volumes" in said
    assert "3 units failed; their reasons are in the report" in said
    assert "[bold] is no markup" in said
    assert not [p for p in (out / "units").iterdir() if not p.name.endswith((".trained.npz", ".measured.npz"))]
    measured = {name.split(".")[0] for name in stamps(out) if name.endswith(".measured.npz")}
    assert {name.rsplit("-", 1)[0] if name.startswith("fusion") else name for name in measured} == {
        *("instant", "fatal", "raters", "fusion-majority-vote", "fusion-staple"),
    }

    before = stamps(out)
    run(experiment, out, jobs=2)
    assert stamps(out) == before
    assert "12 units: all done, nothing to run" in capsys.readouterr().err

    armed.unlink()
    again = run(experiment, out, jobs=1, retry_failed=True)
    after = stamps(out)
    assert {name for name in after if after[name] != before.get(name)} == {
        n for n in after if n.startswith(("raises.", f"fatal.r0.f{fatal}"))
    }
    assert len([n for n in after if n.startswith(f"fatal.r0.f{fatal}")]) == 2
    assert set(again.units.loc[again.units["candidate"] == "fatal", "status"]) == {"done"}


def test_what_dies_once_when_it_measures_what_was_tried_again_is_tried_again_itself(tiny, tmp_path, plugin):
    for name in ("train", "measure"):
        (tmp_path / name).touch()
    file = plugin(DIES_ONCE)
    experiment = tiny(candidates=(Candidate("it", "dies"),), metrics=("dice", "dies-once"), plugins=(file,), fused_rows=())
    results = run(experiment, tmp_path / "out", jobs=1)
    assert not (tmp_path / "train").exists() and not (tmp_path / "measure").exists()
    assert set(results.units["status"]) == {"done"} and results.completeness.is_sound


def test_any_number_of_jobs_gives_the_same_bits(tiny, tmp_path):
    candidates = (Candidate("Random rater", "random-rater"), Candidate("Confusion", "confusion-network"))
    experiment = tiny(candidates=candidates, dataset_options={"subjects": 4, "slices": 1, "size": 32})
    for jobs in (1, 2):
        execute(make_plan(experiment, tmp_path / str(jobs)), jobs=jobs)
    one, two = contents(tmp_path / "1"), contents(tmp_path / "2")
    assert len(one) == 14
    assert one == two
    assert all("status='done'" in text for name, text in one.items() if name.endswith(".trained.npz"))
    assert all("failed={}" in text for name, text in one.items() if name.endswith(".measured.npz"))


def test_fresh_computes_all_again_and_units_of_other_settings_stay(tiny, tmp_path, plugin):
    def made(share):
        candidates = (Candidate("i", "instant", {"share": share}),)
        return make_plan(tiny(candidates=candidates, plugins=(plugin(),), fused_rows=()), tmp_path)

    plan, other = made(0.5), made(0.4)
    for unit in {unit.key: unit for unit in (*plan.units, *other.units)}.values():
        if unit.kind == "method":
            write_trained(tmp_path, unit)
        write_measured(tmp_path, unit, plan.parts[unit.kind].names)
    before = stamps(tmp_path)
    execute(plan, jobs=1, fresh=True)
    after = stamps(tmp_path)
    assert set(after) == set(before)
    written = {measuring_path(tmp_path, unit).name for unit in plan.units}
    written |= {training_path(tmp_path, unit).name for unit in plan.training}
    assert {name for name in after if after[name] != before[name]} == written
    assert len(before) == len(written) + 4


def test_a_folder_that_cannot_be_written_is_a_sentence(tiny, tmp_path, plugin):
    (tmp_path / "file").write_text("")
    experiment = tiny(candidates=(Candidate("i", "instant"),), plugins=(plugin(),))
    with pytest.raises(RaterbenchError, match="out cannot be written: Not a directory; a file is where a folder is needed"):
        run(experiment, tmp_path / "file" / "out")
    out = tmp_path / "out"
    out.mkdir()
    (out / "units").write_text("in the way")
    with pytest.raises(RaterbenchError, match="units is a link or a file, where the folder of units goes"):
        run(experiment, out, jobs=1)


def test_two_runs_in_a_folder_are_one_too_many(tiny, tmp_path):
    with only_run(tmp_path), pytest.raises(RaterbenchError, match="another run"):
        run(tiny(), tmp_path)
    assert not (tmp_path / "experiment.json").exists()


def test_devices_and_jobs_that_are_not_there_are_sentences(tiny, tmp_path):
    assert check_device("cpu") == "cpu"
    with pytest.raises(RaterbenchError, match="'tpu' is unknown"):
        check_device("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(RaterbenchError, match="sees no CUDA device"):
            check_device("cuda")
    with pytest.raises(RaterbenchError, match="--jobs -1"):
        run(tiny(), tmp_path, jobs=-1)


@pytest.fixture
def command(tmp_path, plugin):
    """A run of six slow trainings as a user starts it, in a group of processes of its own; it is gone after the test."""
    toml = tmp_path / "slow.toml"
    (tmp_path / "slow").touch()
    toml.write_text(TOML.format(plugin=plugin(SLOW)))
    arguments = [sys.executable, "-m", "raterbench", "run", str(toml), "--out", str(tmp_path / "out"), "--jobs", "2"]
    # Tests that a shell runs in the background ignore Ctrl-C, and what they start would inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True)
    signal.signal(signal.SIGINT, before)
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def group(process):
    """Living processes of the command's session."""
    found = subprocess.run(["ps", "-eo", "pid=,sess=,stat="], check=False, capture_output=True, text=True).stdout
    rows = [line.split() for line in found.splitlines()]
    return {int(pid) for pid, session, state in rows if session == str(process.pid) and not state.startswith("Z")}


def wait_for(condition, seconds=180.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)


def test_after_kill_9_nobody_is_left_and_the_next_run_computes_only_what_was_running(command, tmp_path):
    out = tmp_path / "out"
    wait_for(lambda: len([name for name in stamps(out) if "trained" in name]) >= 2)
    assert len(group(command)) >= 3
    command.kill()
    wait_for(lambda: not group(command), seconds=15)
    kept = stamps(out)
    assert len(kept) < 15
    for name in kept:
        read = read_training if name.endswith(".trained.npz") else read_measuring
        assert read(out / "units" / name) is not None

    (tmp_path / "slow").unlink()
    command.wait()
    half = out / "units" / f".{platform.node().replace('-', '_')}-{command.pid}-x.raterbench-tmp"
    half.mkdir()
    results = run(read_experiment(str(tmp_path / "slow.toml")), out, jobs=1)
    after = stamps(out)
    assert {name: after[name] for name in kept} == kept
    assert len(after) == 6 + 6 + 3
    assert set(results.units["status"]) == {"done"}
    assert not half.exists()


def test_ctrl_c_stops_at_once_and_says_how_to_go_on(command, tmp_path):
    wait_for(lambda: stamps(tmp_path / "out"))
    os.killpg(command.pid, signal.SIGINT)
    said = command.communicate(timeout=60)[1]
    assert command.returncode == 130
    assert said.endswith("raterbench: stopped; run the same command again to go on\n")
    assert "Traceback" not in said
    wait_for(lambda: not group(command), seconds=15)


@pytest.mark.parametrize("method", ["fused-labels", "instant"])
def test_weights_are_kept_where_they_are_asked_for(tiny, tmp_path, plugin, method):
    experiment = tiny(candidates=(Candidate("it", method),), plugins=(plugin(),), fused_rows=(), keep_weights=True)
    plan = make_plan(experiment, tmp_path / "out")
    (unit, task), *_ = plan.training.items()
    execute(plan, jobs=1)
    weights = load_file(weights_path(plan.folder, unit))
    module = getattr(build_method(task.candidate, experiment), "build", None)
    assert bool(weights) == (module is not None)
    assert all(torch.isfinite(tensor).all() for tensor in weights.values() if tensor.is_floating_point())
    before = stamps(plan.folder)
    execute(make_plan(experiment, plan.folder), jobs=1)
    assert stamps(plan.folder) == before, "nothing is trained again to get them"
    results = read_results(plan.folder)
    assert results.completeness.is_sound


def test_weights_that_cannot_be_written_lose_no_training(tiny, tmp_path, plugin, compute):
    experiment = tiny(candidates=(Candidate("it", "instant"),), plugins=(plugin(),), fused_rows=(), keep_weights=True)
    plan = make_plan(experiment, tmp_path / "out")
    in_the_way = weights_path(plan.folder, next(iter(plan.training)))
    in_the_way.mkdir(parents=True)
    done = compute(experiment, plan.folder, "it")
    assert done.trained.status == "done" and done.rows
    (warning,) = done.trained.report.warnings
    assert warning.startswith(f"the weights could not be kept: {in_the_way} cannot be written")


def test_a_fresh_run_removes_what_is_stored_before_it_computes(tiny, tmp_path, plugin, monkeypatch):
    """Otherwise a fresh run that is stopped would leave old units and references, which the next one would take for new."""
    plan = make_plan(tiny(candidates=(Candidate("it", "instant"),), plugins=(plugin(),)), tmp_path / "out")
    references = [task.path for task in plan.references]
    units = [training_path(plan.folder, unit) for unit in plan.training]
    units += [measuring_path(plan.folder, unit) for unit in plan.units]
    for file in (*references, *units):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"old")
    monkeypatch.setattr(runner, "_run_tasks", lambda *_: [])
    execute(plan, jobs=1, fresh=True)
    assert references and not any(file.exists() for file in (*references, *units))


BROKEN = """
from raterbench.datasets import Phantom


class Brittle(Phantom):
    '''The phantom, of which a file is broken as soon as `broken` is there.'''

    name = "brittle"

    def load(self, position):
        if position == 3 and (Path(__file__).parent / "broken").exists():
            raise OSError("case 3 is broken")
        return super().load(position)
"""


def test_a_case_that_cannot_be_read_fails_its_fold_and_the_rest_goes_on(tiny, tmp_path, plugin, capsys, monkeypatch):
    monkeypatch.setenv("RATERBENCH_CACHE_GIB", "0")  # Its data set names no files, so that a kept case would be as good.
    lines = "from pathlib import Path\n" + BROKEN
    experiment = tiny(candidates=(Candidate("it", "instant"),), dataset="brittle", plugins=(plugin(lines),))
    plan = make_plan(experiment, tmp_path / "out")
    (tmp_path / "broken").touch()
    execute(plan, jobs=1)
    results = read_results(plan.folder)
    assert len(results.completeness.having("done")) == 4
    assert {entry.reason.split(" (")[0] for entry in results.completeness.having("failed")} == {"OSError: case 3 is broken"}
    assert "warning: reference majority, 12 cases: not fused in advance: OSError: case 3 is broken" in capsys.readouterr().err
