"""Standard streams that can always be written: whatever the encoding, closed, or a pipe that nobody reads any more."""

from __future__ import annotations

import io
import os
import sys


def prepare_streams() -> None:
    """Make standard output and standard error take every character, and exist.

    A terminal without Unicode shows the characters that it lacks as escapes. A stream that was closed before the program
    began would leave its number to the next file that is opened, so it becomes the null device.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("COLUMNS", "LINES"):
        # Digits such as a superscript two make the library that prints tables fail.
        if not os.environ.get(name, "").isascii():
            del os.environ[name]
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - it stays open to the end
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flush_output() -> None:
    """Write what is still to be written to standard output.

    Raises:
        OSError: its reader has gone, or its disk is full. The rest is then given up: else Python would try again at its end.
    """
    try:
        sys.stdout.flush()
    except OSError:
        _drop_output()
        raise


def _drop_output() -> None:
    try:
        null, number = os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
    except (OSError, ValueError):
        return  # It is no file, but something that a test or a notebook has put there.
    os.dup2(null, number)
    os.close(null)
