"""Times whole runs: units side by side, and what a metric costs that is added to finished results."""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from ...errors import RaterbenchError
from ..experiment.experiment import Candidate, Experiment, read_experiment
from ..runner.engines.local import Local
from ..runner.engines.work import Ended, Task
from ..runner.plan import Plan, make_plan
from ..runner.run import execute, what_to_do
from ..runner.workers import IMPORTS, Died, cores, side_by_side
from .table import Row, Target, ratio_row

ADDED = {"name": "surface dice", "tolerance": 2.0}
"""One that takes long: distances of all voxels at an edge."""
ON_GPU = (
    *("dataset_options.subjects=24", "dataset_options.size=256", "split.folds=2", "split.repeats=1", "metrics=['dice']"),
    *("budget.epochs=12", "budget.batch_size=16", "budget.learning_rate=1e-2"),
)
AT_ONCE = 4


class TimedLocal(Local):
    """Notes the seconds from the first task that is taken up to the last that ends."""

    seconds = 0.0

    def compute(
        self, plan: Plan, tasks: deque[Task], *, timeout: float | None = None, alone: bool = False
    ) -> Iterator[tuple[Task, Ended | Died]]:
        """As ``Local`` does."""
        start = time.perf_counter()
        yield from super().compute(plan, tasks, timeout=timeout, alone=alone)
        self.seconds += time.perf_counter() - start


def jobs(repeats: int, changes: Sequence[str] = ()) -> Iterator[Row]:
    """The experiment ``smoke`` with one and with two units at a time."""
    experiment = read_experiment("smoke", changes)
    start_workers()
    # Two at a time come first: what they leave in the cache helps the others.
    shares = [tasks_seconds(experiment, 2) / tasks_seconds(experiment, 1) for _ in range((repeats + 1) // 2)]
    ratios = [1 / share for share in shares]
    yield ratio_row(
        f"smoke with --jobs 2, {cores()} core{'s'[: cores() != 1]}: how many times faster",
        "smoke with --jobs 1",
        ratios,
        Target("at least", 1.7),
        "timed from the first task taken up to the last one ended, in workers whose template runs: without imports, planning, "
        "the estimate of the time and the report",
    )


def added_metric(_: int, changes: Sequence[str] = (), candidates: int | None = None) -> Iterator[Row]:
    """What it takes to measure one more metric of a finished experiment, as a share of running it: once, as it takes minutes.

    The whole of ``quick`` is run unless a test asks for less, because planning and starting weigh more in a part of it.
    """
    experiment = read_experiment("quick", changes)
    experiment = experiment.replace(candidates=experiment.candidates[:candidates])
    more = experiment.replace(metrics=(*experiment.metrics, ADDED))
    start_workers()
    with tempfile.TemporaryDirectory() as folder:
        run, added = (run_seconds(each, Path(folder)) for each in (experiment, more))
    yield ratio_row(
        "adding surface Dice at another tolerance to a finished quick",
        "running it",
        [added / run],
        Target("below", 0.05),
        f"{added:.1f} s after {run:.0f} s, planning included, the report apart",
    )


def gpu_units(repeats: int) -> Iterator[Row]:
    """Units an hour on a GPU, four at once and one by one."""
    asked = Target("at least", 2)
    if not torch.cuda.is_available():
        yield Row(f"{AT_ONCE} units at once, GPU: units an hour", "one at a time", "not tried: no GPU here", target=asked)
        return
    work = f"{AT_ONCE} units at once, {torch.cuda.get_device_name()}: units an hour"
    yield units_at_once(work, asked, (repeats + 1) // 2, ON_GPU, device="cuda")


def units_at_once(work: str, target: Target, pairs: int, changes: Sequence[str], *, device: str) -> Row:
    """Trainings that differ by their seed, ``AT_ONCE`` side by side and one after the other."""
    experiment = read_experiment("quick", changes)
    seeds = tuple(Candidate(f"seed {seed}", "fused-labels", seed=seed) for seed in range(AT_ONCE))
    experiment = experiment.replace(candidates=seeds)
    start_workers()
    shares = [tasks_seconds(experiment, AT_ONCE, device) / tasks_seconds(experiment, 1, device) for _ in range(pairs)]
    ratios = [1 / share for share in shares]
    return ratio_row(work, "one at a time", ratios, target, "timed as smoke is; each worker starts CUDA for itself")


def start_workers() -> None:
    """Start the template of workers, and wait until it has imported what units need."""
    for _ in side_by_side([0], int, 1, imports=IMPORTS):
        pass


def tasks_seconds(experiment: Experiment, at_a_time: int, device: str = "cpu") -> float:
    """Seconds that the tasks of an experiment take, in a new results folder."""
    engine = TimedLocal(at_a_time)
    with tempfile.TemporaryDirectory() as folder:
        _run(experiment, Path(folder), engine, device)
    return engine.seconds


def run_seconds(experiment: Experiment, folder: Path) -> float:
    """Seconds to plan an experiment and run what is missing in a results folder, one unit a core."""
    start = time.perf_counter()
    _run(experiment, folder, Local())
    return time.perf_counter() - start


def _run(experiment: Experiment, folder: Path, engine: Local, device: str = "cpu") -> None:
    """Run without a word.

    Raises:
        RaterbenchError: a unit failed, so that the time says nothing.
    """
    with contextlib.redirect_stderr(io.StringIO()) as said:
        plan = make_plan(experiment, folder, device=device)
        execute(plan, engine=engine)
    if what_to_do(plan, retry_failed=True).units:
        raise RaterbenchError(f"{experiment.name}: units failed, so that their time says nothing: {said.getvalue()[-500:]}")
