"""What workers are given: each task says all that a process needs, and is small enough to be sent to one."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from ...datasets import load_dataset
from ...datasets.base import Dataset, Preparation
from ...datasets.cache.cases import KeptCases
from ...datasets.cache.disk_cache import DiskCache, user_cache
from ...errors import RaterbenchError
from ...plugin_errors import is_foreign
from ..experiment.experiment import Candidate, Experiment
from ..experiment.factory import class_identity, identity, load_plugins, plugins_hash
from ..experiment.files import without_resampling
from ..experiment.settings import build
from ..experiment.splits import Fold
from ..store.units import PlannedUnit
from .provenance import code_version, versions


@dataclass(frozen=True)
class Setting:
    """What all tasks of a run share. ``plugins`` is the hash of the plug-in files that the units' keys stand for."""

    experiment: Experiment
    data: str | None
    device: str
    plugins: str
    folder: Path


@dataclass(frozen=True)
class TrainingTask:
    """Fit one candidate on one fold and predict its test cases."""

    unit: PlannedUnit
    candidate: Candidate
    fold: Fold
    setting: Setting

    @property
    def words(self) -> str:
        """What it does, for messages."""
        return f"{self.unit.name}, repeat {self.fold.repeat}, fold {self.fold.fold}"


@dataclass(frozen=True)
class ReferenceTask:
    """Fuse the raters of some cases into a reference, which is stored in ``path``."""

    key: str
    reference: str
    cases: tuple[int, ...]
    path: Path
    setting: Setting

    @property
    def words(self) -> str:
        """What it does, for messages."""
        return f"reference {self.reference}, {len(self.cases)} cases"


@dataclass(frozen=True)
class MeasuringTask:
    """Measure parts of units of one fold: ``wanted`` names those of each unit.

    ``references`` maps a reference's name to the files that hold it; ``kept`` maps the cases that are kept for pictures to the
    reason.
    """

    units: tuple[PlannedUnit, ...]
    wanted: tuple[tuple[str, ...], ...]
    fold: Fold
    setting: Setting
    references: Mapping[str, tuple[Path, ...]]
    kept: Mapping[str, str]

    @property
    def words(self) -> str:
        """What it does, for messages."""
        who = self.units[0].owner if len(self.units) == 1 else f"{len(self.units)} units"
        return f"measuring {who}, repeat {self.fold.repeat}, fold {self.fold.fold}"


def prepare_process(setting: Setting) -> Dataset:
    """Make this process ready to compute: one thread, deterministic, plug-ins loaded. Gives the data set.

    Raises:
        RaterbenchError: a plug-in is no longer what the keys of the run say.
    """
    torch.set_num_threads(1)
    # torch.use_deterministic_algorithms does the same, and imports the whole compiler.
    torch.set_deterministic_debug_mode("error" if setting.device == "cpu" else "default")
    # Filling each new tensor only changes what reads memory before writing it, and takes a twentieth of a training step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    load_plugins(setting.experiment.plugins)  # A plug-in may say itself where its modules lie.
    if plugins_hash(setting.experiment.plugins) != setting.plugins:
        raise RaterbenchError("a plug-in file, or a module that it imports, was edited while the run was on: run again")
    return open_dataset(setting.experiment, setting.data)


def open_dataset(experiment: Experiment, data: str | None) -> Dataset:
    """The experiment's data set, with the experiment's preparation on top of the data set's own.

    This process from now on keeps cases, and what it prepares of them, in the cache.
    """
    load_plugins(experiment.plugins)
    dataset = load_dataset(experiment.dataset, data, **experiment.dataset_options)
    if experiment.preparation:
        below = without_resampling(asdict(dataset.preparation), experiment.preparation)
        dataset.preparation = build(Preparation, {**below, **experiment.preparation}, "preparation")
    DiskCache.current = user_cache(json.dumps([code_version(), dict(versions())]))
    if dataset.source_files() or not is_foreign(type(dataset)):  # Of others nobody knows whether their files have changed.
        options = identity(experiment.dataset_options)
        dataset.reader = KeptCases(dataset, [class_identity(type(dataset)), options, plugins_hash(experiment.plugins)]).read
    return dataset


def seed_of(dataset: Dataset, seed: int, fold: Fold) -> int:
    """The seed of initial weights and batch order: it knows the data set, repeat and fold, and not the candidate."""
    text = f"{dataset.name}|{seed}|{fold.repeat}|{fold.fold}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")


def seed_everything(seed: int) -> None:
    """Methods from elsewhere may use the global generators."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    torch.manual_seed(seed)
