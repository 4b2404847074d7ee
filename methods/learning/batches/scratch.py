"""Tensors in a temporary file that is mapped into memory, so that all cases together take no memory of the process."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ....errors import RaterbenchError


class ScratchFile:
    """Tensors written one after the other to a file without a name, which the system removes when nobody maps it any more.

    It lies where Python puts temporary files: the environment variable ``TMPDIR``, else ``/tmp``.
    """

    def __init__(self) -> None:
        self.file = _telling(lambda: tempfile.TemporaryFile(prefix="raterbench-"))  # noqa: SIM115 - mapped, then closed
        self.entries: list[tuple[int, np.dtype[Any], tuple[int, ...]]] = []
        self.size = 0

    def add(self, tensor: torch.Tensor) -> None:
        """Write a tensor.

        Raises:
            RaterbenchError: there is no room.
        """
        array = np.ascontiguousarray(tensor.numpy())
        gap = -self.size % array.itemsize
        _telling(lambda: self.file.write(bytes(gap)) + self.file.write(array.reshape(-1).view(np.uint8).data))
        self.entries.append((self.size + gap, array.dtype, array.shape))
        self.size += gap + array.nbytes

    def tensors(self) -> list[torch.Tensor]:
        """Everything that was written, each tensor by itself; nothing can be written after."""
        mapped = self._mapped()
        return [
            torch.from_numpy(mapped[start : start + dtype.itemsize * int(np.prod(shape))].view(dtype).reshape(shape))
            for start, dtype, shape in self.entries
        ]

    def _mapped(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        if not self.size:
            _telling(lambda: self.file.write(b"\0"))  # An empty file cannot be mapped.
        _telling(self.file.flush)
        mapped = np.asarray(np.memmap(self.file, np.uint8, mode="r+"))
        self.file.close()  # The map keeps the file.
        return mapped


def _telling(act: Callable[[], Any]) -> Any:
    """What a call gives; a full disk is told as what the user can mend."""
    try:
        return act()
    except OSError as error:
        raise RaterbenchError(
            f"prepared cases cannot be written to {tempfile.gettempdir()}: {error.strerror or error}: make room there, or set "
            "the environment variable TMPDIR to a folder on another disk"
        ) from error
