"""How methods are compared: experiments, splits, the runner, the store, metrics and statistics.

Names are imported when they are first asked for: reading results back needs no network.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .experiment.experiment import Candidate as Candidate
    from .experiment.experiment import Experiment as Experiment
    from .experiment.experiment import Statistics as Statistics
    from .experiment.experiment import read_experiment as read_experiment
    from .experiment.splits import Split as Split
    from .runner.run import run as run
    from .store.results import Results as Results
    from .store.results import read_results as read_results

_LAZY = {
    "Candidate": "experiment.experiment",
    "Experiment": "experiment.experiment",
    "Results": "store.results",
    "Split": "experiment.splits",
    "Statistics": "experiment.experiment",
    "read_experiment": "experiment.experiment",
    "read_results": "store.results",
    "run": "runner.run",
}

__all__ = ["Candidate", "Experiment", "Results", "Split", "Statistics", "read_experiment", "read_results", "run"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
