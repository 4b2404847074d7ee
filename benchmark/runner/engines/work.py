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
from ..workers import Died
from .gpu import GPUFullError, GPUMemory, gpu_memory

Task = TrainingTask | MeasuringTask | ReferenceTask


@dataclass(frozen=True)
class Ended:
    """How a task ended: a line for each of its units that failed, what its training warned of, and what it took of a GPU."""

    seconds: float = 0.0
    failed: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()
    gpu: GPUMemory | None = None


def work(task: Task) -> Ended | Died:
    """Compute a task and store what it gives. A training that finds the GPU full stores nothing, and is to be tried again."""
    start = time.perf_counter()
    if isinstance(task, TrainingTask):
        try:
            unit = train_unit(task)
        except GPUFullError as error:
            return Died(str(error), again="tried twice, the second time alone", full=True)
        failed = ((task.words, unit.reason),) if unit.status == "failed" else ()
        said = (*unit.report.warnings, *unit.report.alarms)
        return Ended(time.perf_counter() - start, failed, said, gpu_memory(task.setting.device))
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


def on_gpu(task: Task) -> bool:
    """Whether the task computes on a GPU."""
    return isinstance(task, TrainingTask) and task.setting.device != "cpu"
