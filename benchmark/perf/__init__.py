"""``make perf``: speed as ratios of alternating measurements in one run, so that noise of the machine affects both alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from .table import Row


def measure(report: Callable[[Path], object], names: Sequence[str] = (), repeats: int = 5) -> Iterator[Row]:
    """Measure, and yield each row of the table when it is done.

    Args:
        report: makes the report of a results folder.
        names: groups of rows, the keys below; none means all of them.
        repeats: pairs of measurements whose median is the value; what takes minutes is measured less often.

    Raises:
        RaterbenchError: a run that is timed did not end well.
    """
    import torch

    from .confusion import confusion
    from .fusions import fusions
    from .metrics import metrics
    from .runs import added_metric, gpu_units, jobs
    from .spatial import spatial
    from .training import gpu_training, training
    from .units import units
    from .volumes import volumes

    groups: dict[str, Sequence[Callable[[int], Iterator[Row]]]] = {
        "training": [training],
        "volumes": [volumes],
        "confusion": [confusion],
        "jobs": [jobs],
        "metrics": [metrics],
        "fusions": [fusions, spatial],
        "units": [partial(_once, units, report)],
        "added-metric": [added_metric],
        "gpu": [gpu_training, gpu_units],
    }
    torch.set_num_threads(1)
    for name in names or groups:
        for rows in groups[name]:
            yield from rows(repeats)


def _once(
    units: Callable[[Callable[[Path], object]], Iterator[Row]], report: Callable[[Path], object], _: int
) -> Iterator[Row]:
    """Thousands of units are many measurements already."""
    yield from units(report)
