"""What a process does with a task, wherever it runs: compute, store, and tell how it ended."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ....errors import RaterbenchError
from ....plugin_errors import described
from ..fuse_references import fuse_references
from ..measure import measure_units
from ..tasks import MeasuringTask, ReferenceTask, TrainingTask
from ..train import train_unit

Task = TrainingTask | MeasuringTask | ReferenceTask


@dataclass(frozen=True)
class Ended:
    """How a task ended: a line for each of its units that failed, and what its training warned of."""

    seconds: float = 0.0
    failed: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()


def work(task: Task) -> Ended:
    """Compute a task and store what it gives."""
    start = time.perf_counter()
    if isinstance(task, TrainingTask):
        unit = train_unit(task)
        failed = ((task.words, unit.reason),) if unit.status == "failed" else ()
        return Ended(time.perf_counter() - start, failed, (*unit.report.warnings, *unit.report.alarms))
    if isinstance(task, MeasuringTask):
        ended = measure_units(task)
        places = f"repeat {task.fold.repeat}, fold {task.fold.fold}"
        return Ended(time.perf_counter() - start, tuple((f"measuring {u.owner}, {places}", why) for u, why in ended if why))
    try:
        fuse_references(task)
    except Exception as error:
        return not_fused(time.perf_counter() - start, str(error) if isinstance(error, RaterbenchError) else described(error))
    return Ended(time.perf_counter() - start)


def not_fused(seconds: float, reason: str) -> Ended:
    """The end of references that could not be fused: no unit's, since each unit then fuses them itself or says why not."""
    return Ended(seconds, warnings=(f"not fused in advance: {reason}",))
