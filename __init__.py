"""raterbench: which way of learning from disagreeing raters should I use, and how sure can I be?

The names below are imported when they are first asked for, so that ``import raterbench`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "Budget": "methods.budget",
    "Candidate": "benchmark.experiment",
    "Case": "datasets.base",
    "CaseList": "datasets.case_list",
    "Consensus": "methods.base",
    "Dataset": "datasets.base",
    "Experiment": "benchmark.experiment",
    "Fusion": "methods.base",
    "Method": "methods.base",
    "NetworkMethod": "methods.network",
    "RaterbenchError": "datasets.errors",
    "Split": "benchmark.experiment",
    "read_experiment": "benchmark.experiment",
    "read_results": "benchmark.results",
    "run": "benchmark.runner",
    "write_report": "reports.report",
}

__all__ = ["__version__"]
__all__ += list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(importlib.import_module(f".{_PUBLIC[name]}", __name__), name)
    raise AttributeError(f"module 'raterbench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
