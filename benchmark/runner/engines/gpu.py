"""How many units fit into the memory of a GPU: measured with the first one, and corrected by each that takes more."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ....errors import RaterbenchError

USABLE = 0.9
"""The share of free memory that units may take: blocks of memory that come and go leave gaps."""
CONTEXT = 600 << 20
"""Bytes that CUDA and its libraries take for each process, which PyTorch does not count."""


class GPUFullError(RaterbenchError):
    """The GPU had no memory left for a unit; beside fewer others it may have."""


@dataclass(frozen=True)
class GPUMemory:
    """What a unit took of its GPU's memory, in bytes, and what was free beside it."""

    taken: int
    free: int


def gpu_memory(device: str) -> GPUMemory | None:
    """What this process took of the GPU; None on the CPU. What it took at most, PyTorch still holds."""
    if device == "cpu" or not torch.cuda.is_initialized():
        return None
    return GPUMemory(torch.cuda.max_memory_reserved() + CONTEXT, torch.cuda.mem_get_info()[0])


class GPUShare:
    """Lets as many units train on a GPU as fit its memory: one until the first has ended, which is measured."""

    def __init__(self) -> None:
        self._taken, self._room = 0, 0

    @property
    def units(self) -> int:
        """How many fit at a time."""
        return max(1, int(self._room // self._taken)) if self._taken else 1

    def note(self, memory: GPUMemory | None) -> None:
        """Learn from a unit that has ended; the first ran alone."""
        if memory is not None:
            self._room = self._room or int(USABLE * (memory.taken + memory.free))
            self._taken = max(self._taken, memory.taken)

    def was_full(self, running: int) -> None:
        """Learn that one of so many units found no memory: one fewer than those fits."""
        if self._taken:
            self._taken = max(self._taken, self._room // max(1, min(running, self.units) - 1))
