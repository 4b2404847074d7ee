"""What a run costs as its cases, raters, classes and folds grow: processor seconds of runs on images that are made for it."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import SimpleITK as sitk
import torch

from ...datasets.cache.disk_cache import DiskCache
from ..experiment.experiment import Candidate, Experiment
from ..experiment.splits import Split
from ..runner.engines.engine import Engine
from ..runner.engines.work import Ended, Task, work
from ..runner.plan import Plan, make_plan
from ..runner.run import execute
from ..runner.tasks import TrainingTask
from ..runner.workers import Died
from .examples import outlines

TIMES = (1, 2, 4, 8)
METHODS = {"Majority vote": "fused-labels", "Confusion matrices": "confusion-network"}
"""One whose network knows no raters, and one that learns a matrix for each rater."""


@dataclass(frozen=True)
class Size:
    """A run: images of a folder, one a subject, and their folds. ``classes`` counts the background, too."""

    cases: int = 16
    raters: int = 2
    classes: int = 2
    folds: int = 2
    side: int = 64


class Here(Engine):
    """Computes tasks in this process, one after the other, and notes processor seconds of training units by candidate."""

    def __init__(self) -> None:
        self.training: dict[str, list[float]] = {}
        self.total = 0.0

    @property
    def jobs(self) -> int:
        return 1

    def compute(
        self, plan: Plan, tasks: deque[Task], *, timeout: float | None = None, alone: bool = False
    ) -> Iterator[tuple[Task, Ended | Died]]:
        """Each task with how it ended."""
        del plan, timeout, alone
        while tasks:
            task = tasks.popleft()
            start = time.process_time()
            ended = work(task)
            taken = time.process_time() - start
            self.total += taken
            if isinstance(task, TrainingTask):
                self.training.setdefault(task.unit.name, []).append(taken)
            yield task, ended


def scaling_table(base: Size | None = None, times: Sequence[int] = TIMES) -> pd.DataFrame:
    """Processor seconds, a row for each run; columns ``grows times cases raters classes folds``, ``unit: NAME`` and ``run``.

    ``unit: NAME`` is the mean over the training units of a candidate, ``run`` the sum of all tasks: fusing, training, and
    measuring; planning and the report are left out. Training takes two epochs in one repeat.
    """
    base, rows, known = base or Size(), [], dict[Size, dict[str, float]]()
    run_once(replace(base, cases=8))  # What is done once in a process shall not count.
    for grows in ("cases", "raters", "classes", "folds"):
        for factor in times:
            size = replace(base, **{grows: factor * getattr(base, grows)})
            if size not in known:
                known[size] = run_once(size)
            named = {name: getattr(size, name) for name in ("cases", "raters", "classes", "folds")}
            rows.append({"grows": grows, "times": factor, **named, **known[size]})
    return pd.DataFrame(rows)


def run_once(size: Size) -> dict[str, float]:
    """Processor seconds of one run: of a mean training unit of each candidate, and of all tasks."""
    engine, before = Here(), (torch.get_num_threads(), torch.get_deterministic_debug_mode(), DiskCache.current)
    with tempfile.TemporaryDirectory() as place, contextlib.redirect_stderr(io.StringIO()):
        write_images(Path(place) / "data", size)
        experiment = Experiment(
            name="scaling",
            dataset=f"folder:{Path(place) / 'data'}",
            candidates=tuple(Candidate(name, method) for name, method in METHODS.items()),
            split=Split(folds=size.folds, repeats=1),
            budget={"epochs": 2, "batch_size": 4, "features": (8, 8, 16, 32, 64, 8)},
        )
        # The images of a smaller run are the first of a larger one, which must not find them in the cache.
        with mock.patch.dict(os.environ, RATERBENCH_CACHE=str(Path(place) / "cache")):
            try:
                execute(make_plan(experiment, Path(place) / "results"), engine=engine)
            finally:  # Tasks set these for their process, which is this one.
                torch.set_num_threads(before[0])
                torch.set_deterministic_debug_mode(before[1])
                DiskCache.current = before[2]
    return {**{f"unit: {name}": float(np.mean(engine.training[name])) for name in METHODS}, "run": engine.total}


def write_images(folder: Path, size: Size) -> None:
    """Images of nested discs, one inside the other for each class, and the raters' labels, in the usual layout."""
    random = np.random.default_rng(0)
    names = [f"class-{k} = {k}" for k in range(1, size.classes)]
    folder.mkdir(parents=True)
    (folder / "dataset.toml").write_text("\n".join(["[classes]", "background = 0", *names, ""]), encoding="utf-8")
    for case in range(size.cases):
        ratings = outlines((size.side, size.side), n_raters=size.raters, n_classes=size.classes, seed=case)
        image = np.mean(list(ratings.values()), axis=0) + random.normal(0, 0.2, (size.side, size.side))
        pictures = {f"ratings/{rater.replace(' ', '-')}": labels for rater, labels in ratings.items()}
        for place, picture in {"images": image.astype(np.float32), **pictures}.items():
            (folder / place).mkdir(parents=True, exist_ok=True)
            sitk.WriteImage(sitk.GetImageFromArray(picture), folder / place / f"case-{case:03}.mha")
