"""The one error that a user is meant to read."""

from __future__ import annotations

import difflib
import signal
from collections.abc import Iterable
from typing import Any

GPU_FULL = (
    *("CUDA error: out of memory", "CUDA out of memory", "HIP out of memory"),
    *("CUBLAS_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_NOT_INITIALIZED", "CUDNN_STATUS_ALLOC_FAILED"),
)
"""What errors say that come from a GPU without memory left, beside those of PyTorch's own class."""


class RaterbenchError(ValueError):
    """Something the user can mend: one plain sentence that names the file, key or case, and the mend.

    The command line prints it without a traceback and ends with exit status 2.
    """


class StoppedError(KeyboardInterrupt):
    """The system asked this process to end by a ``signal``; like Ctrl-C, it is never taken for an error of foreign code."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.signal = signal.Signals(number)


def is_gpu_full(error: BaseException) -> bool:
    """Whether an error says that a GPU had no memory left.

    PyTorch has a class for that, but raises a plain ``RuntimeError`` where CUDA or one of its libraries found none, as when a
    process begins to use a GPU on which others are.
    """
    if not isinstance(error, RuntimeError):
        return False
    return type(error).__name__ == "OutOfMemoryError" or any(words in str(error) for words in GPU_FULL)


def nearest(name: str, known: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` for the known name closest to ``name``, else the list of known names."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(names)}" if names else ""


def shown(value: Any, longest: int = 200) -> str:
    """The value as Python writes it, for a message; what is longer than ``longest`` characters loses its middle."""
    try:
        text = repr(value)
    except ValueError:
        # Python refuses to write integers of more than 4300 digits.
        text = f"a number of {value.bit_length()} bits" if isinstance(value, int) else f"a {type(value).__name__}"
    half = longest // 2
    return text if len(text) <= longest else f"{text[:half]} ... {text[-half:]}"
