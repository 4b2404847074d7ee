"""A real scheduler and two workers, in processes and folders of their own: what they compute is what one machine computes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("distributed", reason="the extra 'dask' is not installed")

from raterbench.__main__ import main
from raterbench.benchmark.experiment.experiment import Candidate
from raterbench.benchmark.runner.engines import cluster as engine
from raterbench.benchmark.runner.engines.cluster import DaskCluster
from raterbench.benchmark.runner.plan import make_plan
from raterbench.benchmark.runner.run import execute, what_to_do
from raterbench.benchmark.store.completeness import read_units
from raterbench.benchmark.store.results import read_results
from raterbench.datasets import RaterbenchError

from ..test_run import contents

KILLERS = """
import multiprocessing, os, sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from helper import SHARE

from raterbench.datasets.cache.disk_cache import cache_folder


class Kills(Instant):
    '''Kills the worker that computes it, as long as a file says so.'''

    def fit(self, train, validation, *, seed, device="cpu"):
        super().fit(train, validation, seed=seed)
        self.share = SHARE
        if "RATERBENCH_TEST" in os.environ:
            (Path(os.environ["RATERBENCH_TEST"]) / "cache").write_text(str(cache_folder()))
        learned = {*train.index["subject"], *validation.index["subject"]}  # Of two folds one learns from a subject.
        for name in ("ONCE", "ALWAYS"):
            armed = Path(os.environ.get("RATERBENCH_TEST", "nowhere")) / name
            if armed.exists() and (name == "ONCE" or "sub-01" in learned):
                if name == "ONCE":
                    armed.unlink()
                os.kill(multiprocessing.parent_process().pid, 9)
        return self
"""
SMALL = {"subjects": 4, "slices": 1, "size": 32}


class Cluster:
    """Processes of a scheduler and two workers; ``armed`` is a folder whose files the method ``Kills`` looks for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.armed = folder, folder / "armed"
        self.armed.mkdir(parents=True)
        file, env = folder / "scheduler.json", os.environ | {"RATERBENCH_TEST": str(self.armed)}
        env |= {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1", "RATERBENCH_DATA": str(folder)}
        env.pop("RATERBENCH_CACHE", None)
        self.log = (folder / "log").open("wb")

        def start(name: str, *words: str) -> subprocess.Popen[bytes]:
            place = folder / name
            place.mkdir()
            command = [sys.executable, "-m", "dask", *words, "--scheduler-file", str(file), "--no-dashboard"]
            return subprocess.Popen(command, cwd=place, env=env, stdout=self.log, stderr=self.log, start_new_session=True)

        self.scheduler = start("scheduler", "scheduler", "--host", "127.0.0.1", "--port", "0")
        self.workers = [
            start(name, "worker", "--nthreads", "1", "--host", "127.0.0.1", "--local-directory", str(folder / name / "scratch"))
            for name in ("one", "two")
        ]
        deadline = time.monotonic() + 120
        while not file.exists() or not file.read_text().endswith("}"):
            assert time.monotonic() < deadline and self.scheduler.poll() is None
            time.sleep(0.05)
        self.address: str = json.loads(file.read_text())["address"]

    def end(self) -> None:
        for process in (*self.workers, self.scheduler):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.log.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The clusters that were started: one, and another where a test has killed its scheduler."""
    clusters: list[Cluster] = []

    def make() -> Cluster:
        if not clusters or clusters[-1].scheduler.poll() is not None:
            clusters.append(Cluster(tmp_path_factory.mktemp("cluster") / "here"))
        return clusters[-1]

    yield make
    for cluster in clusters:
        cluster.end()


@pytest.fixture
def cluster(made):
    return made()


@pytest.fixture
def experiment(tiny, plugin, tmp_path):
    (tmp_path / "helper.py").write_text("SHARE = 0.75\n")
    candidates = (Candidate("kills", "kills"), Candidate("vote", "fused-labels"))
    return tiny(candidates=candidates, plugins=(plugin(KILLERS),), dataset_options=SMALL, fused_rows=("staple",))


def test_a_cluster_gives_the_bits_of_one_machine_though_a_worker_is_killed(cluster, experiment, tmp_path, capsys):
    execute(make_plan(experiment, tmp_path / "local"), jobs=2)
    (cluster.armed / "ONCE").touch()
    plan = make_plan(experiment, tmp_path / "dask")
    execute(plan, engine=DaskCluster(cluster.address))
    assert not (cluster.armed / "ONCE").exists()
    cache = Path((cluster.armed / "cache").read_text()).relative_to(cluster.folder)
    assert cache.parts[1] == "scratch" and cache.name == "raterbench-cache"  # On the disk of a worker, not in a home.
    assert "8/8" in capsys.readouterr().err
    one, two = contents(tmp_path / "local"), contents(tmp_path / "dask")
    assert len(one) == 12 and one == two
    assert read_results(tmp_path / "local").long_table.equals(read_results(tmp_path / "dask").long_table)
    assert read_results(tmp_path / "dask").completeness.is_sound
    names = [sorted(path.name for path in (tmp_path / run / "references").iterdir()) for run in ("local", "dask")]
    assert names[0] == names[1] and names[0]
    assert not what_to_do(make_plan(experiment, tmp_path / "dask")).units


def test_a_unit_that_kills_every_worker_is_a_failed_one(cluster, experiment, tmp_path):
    plan = make_plan(experiment.replace(candidates=experiment.candidates[:1], fused_rows=()), tmp_path / "out")
    (cluster.armed / "ALWAYS").touch()
    try:
        execute(plan, engine=DaskCluster(cluster.address))
    finally:
        (cluster.armed / "ALWAYS").unlink()
    found = read_units(plan.folder, plan.units, plan.listed()["parts"])[1]
    (failed,) = found.having("failed")
    assert failed.unit.name == "kills" and len(found.having("done")) == 3
    assert failed.reason.startswith("2 workers died while they computed it, the last one was tcp://")


def test_data_that_a_worker_does_not_have_are_sent_and_checked(cluster, tiny, plugin, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # The workers run elsewhere, and do not find this path.
    random = np.random.default_rng(0)
    for case in range(6):
        for place in ("images", "ratings/a", "ratings/b"):
            pixels = random.integers(0, 2, (32, 32), np.uint8) * 255
            file = Path("mine") / place / f"case{case}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(file)
    named = {"candidates": (Candidate("instant", "instant"),), "plugins": (plugin(),), "fused_rows": ()}
    experiment = tiny(dataset="folder:mine", dataset_options={}, references=("raters", "majority"), **named)
    execute(make_plan(experiment, tmp_path / "local"), jobs=2)
    execute(make_plan(experiment, tmp_path / "dask"), engine=DaskCluster(cluster.address))
    one, two = contents(tmp_path / "local"), contents(tmp_path / "dask")
    assert one == two and len(one) == 6
    copies = sorted(cluster.folder.glob("*/scratch/**/raterbench-data/*/mine/images/case0.png"))
    assert copies and all(copy.read_bytes() == Path("mine/images/case0.png").read_bytes() for copy in copies)


def test_a_worker_with_other_versions_is_refused(cluster, experiment, tmp_path, monkeypatch):
    versions = engine.present_versions() | {"torch": "0.1"}
    monkeypatch.setattr(engine, "present_versions", lambda: versions)
    with pytest.raises(
        RaterbenchError, match=r"the worker tcp://\S+ cannot compute: it has torch \S+, not 0.1: install the same"
    ):
        execute(make_plan(experiment, tmp_path / "out"), engine=DaskCluster(cluster.address))


def test_gpus_that_nobody_offers_are_a_sentence(cluster, experiment, tmp_path):
    with pytest.raises(RaterbenchError, match=r"--device cuda: none of the \d workers of .* offers a GPU"):
        execute(make_plan(experiment, tmp_path / "out", device="cuda"), engine=DaskCluster(cluster.address))


def test_a_scheduler_that_is_not_there_is_a_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(engine, "CONNECT_SECONDS", 0.3)
    with pytest.raises(RaterbenchError, match=r"there is no Dask scheduler at tcp://127\.0\.0\.1:1"):
        DaskCluster("tcp://127.0.0.1:1").__enter__()
    assert main(["run", "smoke", "--engine", "dask", "--out", str(tmp_path / "out")]) == 2
    assert "--engine dask and --address tcp://host:port, that of its scheduler, go together" in capsys.readouterr().err


def test_when_the_scheduler_dies_what_is_finished_stays(cluster, experiment, tmp_path):
    experiment = experiment.replace(candidates=experiment.candidates[:1])
    plan = make_plan(experiment, tmp_path / "out")
    ended = []

    def compute(self, *arguments, **settings):
        for task, outcome in DaskCluster.compute(self, *arguments, **settings):
            ended.append(task)
            cluster.scheduler.kill()
            yield task, outcome

    dying = type("Dying", (DaskCluster,), {"compute": compute})
    with pytest.raises(
        RaterbenchError, match=r"the connection to the Dask scheduler at \S+ was lost: run the same command again"
    ):
        execute(plan, engine=dying(cluster.address))
    assert len(ended) >= 1
    execute(make_plan(experiment, tmp_path / "out"), jobs=2)
    assert read_results(tmp_path / "out").completeness.is_sound
