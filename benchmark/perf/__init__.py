"""``make perf``: speed as ratios of alternating measurements in one run, so that noise of the machine affects both alike."""

from __future__ import annotations

from collections.abc import Iterator


def measure(repeats: int = 5) -> Iterator[str]:
    """Measure, and yield one line for each comparison: what is compared, the median ratio and its range."""
    import torch

    from .confusion import confusion
    from .fusions import fusions
    from .metrics import metrics
    from .spatial import spatial
    from .training import training

    torch.set_num_threads(1)
    yield from fusions(repeats)
    yield from spatial(repeats)
    yield from training(repeats)
    yield from confusion(repeats)
    yield from metrics(repeats)
