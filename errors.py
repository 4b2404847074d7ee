"""The one error that a user is meant to read, and what the command line says of every other."""

from __future__ import annotations

import difflib
import errno
import signal
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

GPU_FULL = (
    *("CUDA error: out of memory", "CUDA out of memory", "HIP out of memory"),
    *("CUBLAS_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_NOT_INITIALIZED", "CUDNN_STATUS_ALLOC_FAILED"),
)
"""What errors say that come from a GPU without memory left, beside those of PyTorch's own class."""
FAULT = 70
"""Exit status of an unexpected error (``EX_SOFTWARE`` of sysexits.h)."""


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


def shortened(error: BaseException) -> str:
    """The first sentence of an error; PyTorch's have whole paragraphs."""
    return str(error).partition(". ")[0].partition("\n")[0]


def status_and_message(error: Exception) -> tuple[int, str]:
    """Exit status of the command line and one sentence for an error."""
    if isinstance(error, BrokenPipeError):
        return 141, ""
    if message := _what_can_be_mended(error):
        return 2, message
    place = traceback.extract_tb(error.__traceback__)[-1]
    what = f"{type(error).__name__}: {error} ({Path(place.filename).name}, line {place.lineno})"
    return FAULT, f"this is a fault of raterbench: {what}; please report it with what the same command shows with --debug"


def _what_can_be_mended(error: Exception) -> str:
    """A sentence for what the user or the machine's owner can mend; empty for all else."""
    if isinstance(error, UnicodeEncodeError):
        mend = "set LC_ALL=C.UTF-8, or give another name"
        return f"{shown(error.object)} cannot be written in this system's encoding ({error.encoding}): {mend}"
    if isinstance(error, RaterbenchError):
        return str(error)
    if isinstance(error, MemoryError):
        return "there is not enough memory: use smaller images or fewer jobs, or another machine"
    if is_gpu_full(error):
        return f"{shortened(error)}: end what else uses the GPU, lower budget.batch_size, or use another device"
    return _of_files(error) if isinstance(error, OSError) else ""


def _of_files(error: OSError) -> str:
    if error.filename is None and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        # All other files are named where they are written.
        return f"the output cannot be written: {error.strerror}; make room on the disk that it goes to"
    return f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)


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
