"""A tiny experiment on a tiny phantom, and plug-in methods that cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from raterbench.benchmark.experiment.experiment import Candidate, Experiment, Split
from raterbench.benchmark.experiment.factory import registries as all_registries

PHANTOM = {"subjects": 6, "slices": 2, "size": 32}
BUDGET = {"epochs": 1, "batch_size": 4, "features": [4, 4, 4, 4, 4, 4]}

INSTANT = '''
import numpy as np
from raterbench.methods import Method


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
