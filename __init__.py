"""raterbench: which way of learning from disagreeing raters should I use, and how sure can I be?

The names below are imported when they are first asked for, so that ``import raterbench`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "Budget": "methods.learning.budget",
    "Candidate": "benchmark.experiment.experiment",
    "Case": "datasets.base",
    "CaseList": "datasets.case_list",
    "Consensus": "methods.base",
    "Dataset": "datasets.base",
    "Experiment": "benchmark.experiment.experiment",
    "Fusion": "methods.base",
    "Method": "methods.base",
    "NetworkMethod": "methods.learning.network",
    "RaterbenchError": "errors",
    "Split": "benchmark.experiment.splits",
    "read_experiment": "benchmark.experiment.experiment",
    "read_results": "benchmark.store.results",
    "run": "benchmark.runner.run",
    "write_report": "reports.page.report",
}

__all__ = ["__version__"]
__all__ += list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(f".{_PUBLIC[name]}", __name__), name)
    raise AttributeError(f"module 'raterbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
