"""What has to run: the units of an experiment with their keys, what is there already, and how long the rest will take."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..datasets.base import Dataset
from ..datasets.preparation import Slices, prepare_image, prepare_ratings, stack
from ..methods.augmentation import augment
from ..methods.budget import Budget
from ..methods.network import NetworkMethod
from .candidates import build_method, plugin_source, skip_reason
from .experiment import Experiment, canonical
from .pictures import choose_pictures
from .splits import Fold, make_folds, manifest
from .store import SCHEMA, Record, read_key, unit_path
from .unit import LABELS, Task, open_dataset


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that is known before anything runs. ``skipped`` maps a candidate's name to the reason."""

    experiment: Experiment
    folder: Path
    tasks: list[Task]
    skipped: dict[str, str]
    manifest: dict[str, Any]
    facts: dict[str, Any]

    def missing(self, *, retry_failed: bool = False) -> list[Task]:
        """Tasks without a stored unit under their key."""
        todo = []
        for task in self.tasks:
            stored = read_key(unit_path(self.folder, task.name, task.fold.repeat, task.fold.fold))
            if stored is None or stored[0] != task.key or (retry_failed and stored[1] == "failed"):
                todo.append(task)
        return todo

    def skipped_records(self) -> list[Record]:
        """A record for each unit of a candidate that cannot run on this data set."""
        return [
            Record(t.key, t.name, "method", t.order, t.fold.repeat, t.fold.fold, "skipped", self.skipped[t.name])
            for t in self.tasks
            if t.name in self.skipped
        ]


def make_plan(experiment: Experiment, folder: Path, *, data: str | None = None, device: str = "cpu") -> Plan:
    """Open the data set, split it, and list all units.

    Raises:
        RaterbenchError: the experiment does not fit the data set, or names something unknown.
    """
    dataset = open_dataset(experiment, data)
    methods = {c.name: build_method(c, experiment) for c in experiment.candidates}
    skipped = {name: reason for name, m in methods.items() if (reason := skip_reason(m, dataset))}
    folds = make_folds(dataset, experiment.split, experiment.seed)
    listed = manifest(dataset, folds)
    pictures = _pictures(experiment, dataset, folds, folder, listed["hash"])
    common = {
        "schema": SCHEMA,
        "dataset": [experiment.dataset, dataset.fingerprint(), experiment.dataset_options, experiment.preparation],
        "measure": [experiment.metrics, experiment.references, experiment.surface_tolerance_mm, sorted(pictures)],
        "seed": experiment.seed,
        "device": torch.device(device).type,
    }
    tasks = []
    for fold in folds:
        part = [
            fold.repeat,
            fold.fold,
            [[dataset.index["case"][i] for i in p] for p in (fold.train, fold.validation, fold.test)],
        ]
        for order, candidate in enumerate(experiment.candidates):
            method = methods[candidate.name]
            key = _key({**common, "fold": part, "candidate": repr(method), "source": plugin_source(type(method))})
            tasks.append(Task(key, order, candidate, experiment, fold, data, device, pictures))
        if fold.repeat == 0:
            key = _key({**common, "fold": part, "candidate": LABELS, "fusions": experiment.fused_rows})
            tasks.append(Task(key, len(experiment.candidates), None, experiment, fold, data, device, pictures))
    return Plan(experiment, folder, tasks, skipped, listed, _facts(experiment, dataset, listed, pictures))


def _key(values: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(values).encode()).hexdigest()[:24]


def _pictures(experiment: Experiment, dataset: Dataset, folds: Sequence[Fold], folder: Path, split_hash: str) -> dict[str, str]:
    """The kept cases: those of an earlier run of the same plan, else chosen anew (which reads the ratings)."""
    try:
        facts = json.loads((folder / "experiment.json").read_text(encoding="utf-8"))["facts"]
        if (facts["fingerprint"], facts["split_hash"], facts["keep_cases"]) == (
            dataset.fingerprint(),
            split_hash,
            experiment.keep_cases,
        ):
            return dict(facts["pictures"])
    except (OSError, ValueError, KeyError):
        pass
    tested = sorted({i for fold in folds if fold.repeat == 0 for i in fold.test})
    return choose_pictures(dataset, tested, experiment.keep_cases)


def _facts(experiment: Experiment, dataset: Dataset, listed: dict[str, Any], pictures: dict[str, str]) -> dict[str, Any]:
    """What the report says about the data without opening them."""
    first = dataset[0]
    return {
        "dataset": dataset.name,
        "title": dataset.card.title,
        "citation": dataset.card.citation,
        "licence": dataset.card.licence,
        "source": dataset.card.source,
        "n_cases": len(dataset),
        "n_subjects": int(dataset.index["subject"].nunique()),
        "n_centres": int(dataset.index["centre"].nunique()),
        "classes": list(dataset.classes),
        "raters": list(dataset.raters),
        "ratings_per_case": float(dataset.index["raters"].map(len).mean()),
        "truth_known": first.truth is not None,
        "case_shape": list(first.shape),
        "fingerprint": dataset.fingerprint(),
        "split_hash": listed["hash"],
        "keep_cases": experiment.keep_cases,
        "pictures": pictures,
    }


def estimate_seconds(experiment: Experiment, dataset: Dataset, fold: Fold) -> float:
    """Seconds a network's unit takes at most, from a few timed steps on real slices in one thread.

    Early stopping makes units shorter; measuring is not counted.
    """
    torch.set_num_threads(1)
    budget = Budget(**experiment.budget)
    sample = [dataset[i] for i in fold.train[: budget.batch_size]]
    parts = []
    for case in sample:
        ratings, present = prepare_ratings(case.ratings, dataset.raters, dataset.n_classes, dataset.preparation)
        parts.append(Slices(prepare_image(case, dataset.preparation), ratings, present))
    slices = stack(parts)
    steps_per_epoch = len(fold.train) * len(slices) / len(sample) / budget.batch_size
    method = NetworkMethod(budget=budget)
    method.budget_ = budget
    module = method.build(slices.images.shape[1], dataset.n_classes, len(dataset.raters))
    optimiser = torch.optim.Adam(module.parameters())
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        rows = torch.arange(min(len(slices), budget.batch_size))
        images, ratings, _ = augment(*slices.batch(rows, torch.device("cpu")), budget, torch.Generator())
        loss = module(images).square().mean() + ratings.mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        seconds.append(time.perf_counter() - start)
    validation = 1 + len(fold.validation) / max(1, len(fold.train)) / 3
    return sorted(seconds)[1] * steps_per_epoch * budget.epochs * validation
