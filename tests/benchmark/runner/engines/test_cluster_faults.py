"""What may go wrong on a worker ends neither the run nor its units: a scheduler and workers in threads of this process.

The processes that compute were forked from a template that was started before: it has another home, so that a folder of data in
the home of this process is not there for them, and has to be sent.
"""

from __future__ import annotations

import shutil
import time
from collections import deque
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("distributed", reason="the extra 'dask' is not installed")

import distributed

from raterbench.__main__ import main
from raterbench.benchmark.experiment.experiment import Candidate
from raterbench.benchmark.runner.engines import cluster as engine
from raterbench.benchmark.runner.engines import remote
from raterbench.benchmark.runner.engines.cluster import DaskCluster
from raterbench.benchmark.runner.plan import make_plan
from raterbench.benchmark.runner.run import execute
from raterbench.benchmark.runner.tasks import TrainingTask
from raterbench.benchmark.store.completeness import read_units
from raterbench.datasets import RaterbenchError

from ..test_run import contents

VANISHING = """
from pathlib import Path


class Vanishing(Instant):
    '''Removes the copy of the data that it learns from, as long as a file says so, and then finds nothing.'''

    def fit(self, train, validation, *, seed, device="cpu"):
        files = [Path(file) for file in train.source_files().values()]
        copies, armed = [file for file in files if "raterbench-data" in file.parts], Path(ARMED)
        if copies and armed.exists():
            armed.unlink()
            for file in copies:
                file.unlink()
        [file.read_bytes() for file in files]
        return super().fit(train, validation, seed=seed)
"""


@pytest.fixture
def started(tmp_path, monkeypatch):
    """Starts workers of one thread each: of each the resources that it offers."""
    monkeypatch.setattr(remote, "_places", {})
    monkeypatch.setattr(remote, "_pause", remote.Pause())
    clusters = []

    def start(*resources):
        options = {"nthreads": 1, "local_directory": str(tmp_path / "scratch"), "dashboard": False, "host": "127.0.0.1"}
        specs = {n: {"cls": distributed.Worker, "options": options | {"resources": r}} for n, r in enumerate(resources)}
        scheduler = {"cls": distributed.Scheduler, "options": {"dashboard_address": ":0", "host": "127.0.0.1", "port": 0}}
        clusters.append(distributed.SpecCluster(workers=specs, scheduler=scheduler, silence_logs=50))
        return clusters[-1]

    yield start
    for cluster in clusters:
        cluster.close(timeout=20)


@pytest.fixture
def own_data(tiny, plugin, tmp_path, monkeypatch):
    """An experiment on data that workers do not have."""
    monkeypatch.setenv("HOME", str(tmp_path))
    random = np.random.default_rng(0)
    for case in range(6):
        for place in ("images", "ratings/a", "ratings/b"):
            file = tmp_path / "mine" / place / f"case{case}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 2, (32, 32), np.uint8) * 255).save(file)
    file = plugin(f"{VANISHING}\n\nARMED = {str(tmp_path / 'armed')!r}\n")
    named = {"candidates": (Candidate("vanishing", "vanishing"),), "plugins": (file,), "fused_rows": ()}
    return tiny(dataset="folder:~/mine", dataset_options={}, references=("raters",), **named)


@pytest.fixture
def drawn(tiny, plugin):
    """An experiment on data that are drawn anywhere."""
    candidates = (Candidate("instant", "instant"),)
    return tiny(candidates=candidates, plugins=(plugin(),), dataset_options={"subjects": 4, "slices": 1, "size": 32})


def test_what_was_submitted_before_all_was_sent_is_submitted_again(started, own_data, tmp_path, monkeypatch):
    running, send = DaskCluster(started({}).scheduler_address), engine.pieces

    def pieces(files):
        """Send when the worker has answered all that it was asked before: that the data are lacking."""
        deadline = time.monotonic() + 100
        while any(future.status == "pending" for future in running._running):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        asked.append(len(running._running))
        yield from send(files)

    asked = []
    monkeypatch.setattr(engine, "pieces", pieces)
    plan = make_plan(own_data, tmp_path / "out")
    execute(plan, engine=running)
    assert len(asked) == 1 and asked[0] > 1
    assert read_units(plan.folder, plan.units, plan.listed()["parts"])[1].is_sound


def test_data_that_go_away_or_change_are_sent_again(started, own_data, tmp_path):
    address = started({}).scheduler_address
    execute(make_plan(own_data, tmp_path / "first"), engine=DaskCluster(address))
    right = contents(tmp_path / "first")
    assert len(right) == 6
    (copy,) = tmp_path.glob("scratch/**/raterbench-data/*/mine")
    files = sorted(file.relative_to(copy) for file in copy.rglob("*.png"))

    def damage():
        (copy / "images/case3.png").write_bytes(b"")
        shutil.copyfile(copy / "ratings/a/case0.png", copy / "ratings/b/case0.png")

    for name, change in {"removed": lambda: shutil.rmtree(copy), "damaged": damage}.items():
        change()
        execute(make_plan(own_data, tmp_path / name), engine=DaskCluster(address))
        assert contents(tmp_path / name) == right
        assert len(files) == 18 and all((copy / f).read_bytes() == (tmp_path / "mine" / f).read_bytes() for f in files)


def test_a_unit_that_fails_as_its_data_go_away_is_computed_again(started, own_data, tmp_path):
    (tmp_path / "armed").touch()
    plan = make_plan(own_data, tmp_path / "dask")
    execute(plan, engine=DaskCluster(started({}).scheduler_address))
    assert not (tmp_path / "armed").exists()
    assert read_units(plan.folder, plan.units, plan.listed()["parts"])[1].is_sound


def test_data_that_stay_wrong_are_a_sentence(started, own_data, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "pieces", lambda files: [])
    with pytest.raises(RaterbenchError, match=r"the worker tcp://\S+ has no such data \(.*\), although the files were sent"):
        execute(make_plan(own_data, tmp_path / "dask"), engine=DaskCluster(started({}).scheduler_address))


def broken(cluster):
    """Break a worker: where its folder was, there is a file. Gives what mends it."""
    folder = Path(cluster.workers[0].local_directory)
    shutil.rmtree(folder)
    folder.touch()

    def mend():
        folder.unlink()
        folder.mkdir()

    return mend


def test_a_fault_of_a_worker_is_said_and_its_tasks_are_tried_again(started, drawn, tmp_path, monkeypatch):
    cluster = started({})
    mend, said = broken(cluster), []

    def say(text):
        said.append(text)
        mend()

    monkeypatch.setattr(engine, "_say", say)
    plan = make_plan(drawn, tmp_path / "out")
    execute(plan, engine=DaskCluster(cluster.scheduler_address))
    (text,) = said
    assert text.startswith(f"the worker {cluster.workers[0].address} has a fault: ") and "others take up its tasks" in text
    assert read_units(plan.folder, plan.units, plan.listed()["parts"])[1].is_sound


def test_units_that_no_worker_can_compute_are_failed_ones_and_not_in_a_second(started, drawn, tmp_path, monkeypatch):
    asked = []

    class Noted(remote.Pause):
        @property
        def seconds(self):
            asked.append(super().seconds)
            return 0.0

    monkeypatch.setattr(remote, "_pause", Noted())
    cluster = started({})
    broken(cluster)
    plan = make_plan(drawn.replace(references=("raters",), fused_rows=()), tmp_path / "out")
    execute(plan, engine=DaskCluster(cluster.scheduler_address))
    failed = read_units(plan.folder, plan.units, plan.listed()["parts"])[1].having("failed")
    assert {one.unit.key for one in failed} == {unit.key for unit in plan.units}
    again = f"6 times a worker could not compute it: the worker {cluster.workers[0].address} has a fault: "
    assert all(one.reason.startswith(again) for one in failed)
    assert asked[:9] == [0, 1, 2, 4, 8, 16, 32, 60, 60] and len(asked) >= 6 * len(plan.units)


def test_a_worker_that_computes_again_waits_no_longer():
    pause = remote.Pause()
    for _ in range(3):
        pause.note(fault=True)
    assert pause.seconds == 4
    pause.note(fault=False)
    assert pause.seconds == 0


def test_networks_train_where_a_gpu_is_offered_and_the_rest_anywhere(started, drawn, tmp_path):
    """The method computes on the processor, so that no GPU is needed."""
    cluster, ran = started({}, {}, {engine.GPU: 1}), []

    class Noting(DaskCluster):
        def _outcome(self, plan, task, future, alone):
            ran.append((type(task), future.result().worker))
            return super()._outcome(plan, task, future, alone)

    plan = make_plan(drawn, tmp_path / "out", device="cuda")
    execute(plan, engine=Noting(cluster.scheduler_address))
    assert read_units(plan.folder, plan.units, plan.listed()["parts"])[1].is_sound
    where = {kind: {worker for done, worker in ran if done is kind} for kind, _ in ran}
    assert where.pop(TrainingTask) == {cluster.workers[2].address}
    assert set.union(*where.values()) - {cluster.workers[2].address}


def test_all_workers_are_asked_for_a_gpu(started, drawn, tmp_path):
    """Of the versions of Dask from 2025.4 to the middle of 2026 many questions are answered for five workers."""
    running = DaskCluster(started(*[{}] * 6).scheduler_address)
    with pytest.raises(RaterbenchError, match=r"--device cuda: none of the 6 workers of .* offers a GPU"):
        execute(make_plan(drawn, tmp_path / "out", device="cuda"), engine=running)


def test_that_no_worker_is_left_is_said(started, drawn, tmp_path, monkeypatch):
    cluster, said = started({}), []

    def say(text):
        said.append(text)
        cluster.scale(1)

    for name, value in {"_say": say, "FIRST_SAID": 0.0, "COUNT_SECONDS": 0.0}.items():
        monkeypatch.setattr(engine, name, value)
    plan = make_plan(drawn, tmp_path / "out")
    task = next(iter(plan.training.values()))
    for place in ("units", "references"):
        (plan.folder / place).mkdir(parents=True)
    with DaskCluster(cluster.scheduler_address) as running:
        cluster.new_spec, _ = cluster.worker_spec[0], cluster.scale(0)
        deadline = time.monotonic() + 60
        while running.jobs:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        ((done, outcome),) = running.compute(plan, deque([task]))
    assert done is task and not outcome.failed
    assert said[0].startswith(f"no worker of {cluster.scheduler_address} is left: waiting for one, 1 s so far; Ctrl-C ends")


def test_a_number_of_jobs_is_refused(tmp_path, capsys):
    address = ("--engine", "dask", "--address", "tcp://127.0.0.1:1")
    assert main(["run", "smoke", *address, "--jobs", "3", "--out", str(tmp_path / "out")]) == 2
    said = "--jobs 3 is for units on this machine, and on a Dask cluster each thread of a worker computes one: leave it out"
    assert said in capsys.readouterr().err
