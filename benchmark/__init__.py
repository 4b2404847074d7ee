"""How methods are compared: experiments, splits, the runner, the store, metrics and statistics.

Names are imported when they are first asked for: reading results back needs no network.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .experiment import Candidate as Candidate
    from .experiment import Experiment as Experiment
    from .experiment import Split as Split
    from .experiment import Statistics as Statistics
    from .experiment import read_experiment as read_experiment
    from .results import Results as Results
    from .results import read_results as read_results
    from .runner import run as run

_LAZY = {
    "Candidate": "experiment",
    "Experiment": "experiment",
    "Results": "results",
    "Split": "experiment",
    "Statistics": "experiment",
    "read_experiment": "experiment",
    "read_results": "results",
    "run": "runner",
}

__all__ = ["Candidate", "Experiment", "Results", "Split", "Statistics", "read_experiment", "read_results", "run"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
