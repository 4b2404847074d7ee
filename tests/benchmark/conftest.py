"""A tiny experiment on a tiny phantom, and plug-in methods that cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raterbench.benchmark.experiment.experiment import Candidate, Experiment, Split
from raterbench.benchmark.experiment.factory import registries as all_registries
from raterbench.benchmark.runner.measure import measure_units
from raterbench.benchmark.runner.plan import make_plan
from raterbench.benchmark.runner.train import train_unit
from raterbench.benchmark.store.units import (
    MeasuringUnit,
    PlannedUnit,
    Rows,
    TrainingUnit,
    measuring_path,
    read_measuring,
    training_path,
)
from raterbench.datasets import Case, Phantom

PHANTOM = {"subjects": 6, "slices": 2, "size": 32}
BUDGET = {"epochs": 1, "batch_size": 4, "features": [4, 4, 4, 4, 4, 4]}

INSTANT = '''
import numpy as np
from raterbench.methods import FitReport, Method, Prediction


class Instant(Method):
    """Learns nothing and says the same everywhere."""

    def __init__(self, *, share: float = 0.5):
        self.share = share

    def fit(self, train, validation, *, seed, device="cpu"):
        self.n_classes_ = train.n_classes
        return self

    def predict_proba(self, case):
        rest = (1 - self.share) / (self.n_classes_ - 1)
        probability = np.full((self.n_classes_, *case.shape), rest, np.float32)
        probability[0] = self.share
        return probability
'''


@pytest.fixture(autouse=True)
def registries() -> Iterator[None]:
    """What a test's plug-ins add is gone after the test."""
    known = list(all_registries().values())
    before = [registry._found and dict(registry._found) for registry in known]
    yield
    for registry, found in zip(known, before, strict=True):
        registry._found = found


DRAWN: dict[tuple[Any, ...], Case] = {}
"""Cases of phantoms that a test of this process has drawn, by what decides about them."""


@pytest.fixture(autouse=True)
def phantoms_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each case of a phantom is drawn once for all tests: to draw it takes longer than most of what is done with it.

    Each data set has a case of its own, whose arrays cannot be written to. Tests of the phantom say that the same
    settings draw the same case.
    """
    draw = Phantom._drawn

    def drawn(self: Phantom, position: int) -> Case:
        settings = (self.subjects, self.slices, self.size, self.missing, self.seed, len(self.centres))
        key = (type(self), *settings, position)
        if key not in DRAWN:
            DRAWN[key] = draw(self, position)
        return replace(DRAWN[key])

    monkeypatch.setattr(Phantom, "_drawn", drawn)


@pytest.fixture
def tiny() -> Callable[..., Experiment]:
    """Makes an experiment of two folds; keyword arguments change its fields."""

    def make(**changes: Any) -> Experiment:
        fields: dict[str, Any] = {
            "name": "tiny",
            "candidates": (Candidate("Majority vote", "fused-labels"),),
            "dataset_options": PHANTOM,
            "split": Split(folds=2),
            "budget": BUDGET,
            "metrics": ("dice", "brier", "entropy"),
            "references": ("truth", "raters", "majority"),
            "fused_rows": ("majority-vote", "staple"),
            "keep_cases": 2,
        }
        return Experiment(**fields | changes)

    return make


@pytest.fixture
def plugin(tmp_path: Path) -> Callable[[str], str]:
    """Writes a plug-in file: the method ``Instant``, and the given lines after it; gives its path."""

    def write(lines: str = "", name: str = "mine.py") -> str:
        file = tmp_path / name
        file.write_text(INSTANT + "\n\n" + lines)
        return str(file)

    return write


@dataclass
class Computed:
    """A unit that was computed in this process: its training, its predictions, and what was measured."""

    unit: PlannedUnit
    trained: TrainingUnit | None
    measured: MeasuringUnit | None
    parts: dict[str, Any]
    path: Path

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        """(name, kind, case, class, reference, metric, threshold, value)."""
        found = []
        for rows in self.parts.values():
            if isinstance(rows, Rows):
                for place in zip(*np.nonzero(rows.measured), strict=True):
                    for c, head in enumerate(rows.classes):
                        for t, threshold in enumerate(rows.thresholds):
                            name, case = self.measured.names[place[0]], self.measured.cases[place[1]].case
                            value = float(rows.values[(*place, c, t)])
                            found.append((name, self.unit.kind, case, head, rows.reference, rows.metric, threshold, value))
        return found


@pytest.fixture
def compute() -> Callable[..., Computed]:
    """Trains and measures one unit of an experiment in this process: ``compute(experiment, folder, name, fold)``."""

    def run(experiment: Experiment, folder: Path, name: str | None = None, fold: int = 0, kind: str = "method") -> Computed:
        plan = make_plan(experiment, folder)
        name = name or experiment.candidates[0].name
        unit = next(u for u in plan.units if (u.name, u.fold, u.kind) == (name, fold, kind))
        trained = train_unit(plan.training[unit]) if kind == "method" else None
        measured, parts = None, {}
        if trained is None or trained.status == "done":
            measure_units(plan.measuring_task({unit: plan.parts[kind].names}, plan.folds[0, fold]))
            measured, parts = read_measuring(measuring_path(folder, unit))
        return Computed(unit, trained, measured, parts, training_path(folder, unit))

    return run
