"""Runs code from outside the package, such as a plug-in's: whatever it raises becomes one sentence that names file and line."""

from __future__ import annotations

import os
import signal
import sysconfig
import threading
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from .errors import RaterbenchError, StoppedError

PACKAGE = __package__.partition(".")[0]
ROOT = Path(__file__).parent
FOLDERS = ("datasets", "methods", "benchmark", "reports")
NOT_FOREIGN = (
    __file__,
    *(f"{folder}{os.sep}" for folder in (*(ROOT / name for name in FOLDERS), *sysconfig.get_paths().values())),
)
"""How the paths of code begin that belongs to the package, to Python, or to an installed library."""


class ProcessEndedError(BaseException):
    """Raised in place of ``os._exit``, which would end the process before anything could be said."""


@contextmanager
def foreign_code(doing: str) -> Iterator[None]:
    """Let foreign code run inside; ``doing`` says what it was asked for, such as ``"plug-in 'mine.py' cannot be imported"``.

    ``SystemExit`` and ``os._exit`` are errors like any other: a script that ends its process is not made to be imported.
    Ctrl-C is not, and comes through; a ``KeyboardInterrupt`` that the code raised by itself does not. Afterwards the working
    directory is what it was before.

    Raises:
        RaterbenchError: the code raised anything; the sentence ends with the kind, the message and the place.
    """
    pressed: list[int] = []
    with interrupts_noted(pressed), _exit_replaced(), _directory_kept():
        try:
            yield
        except RaterbenchError as error:
            raise RaterbenchError(f"{doing}: {error}") from error
        except BaseException as error:
            if pressed or isinstance(error, StoppedError):
                raise
            raise RaterbenchError(f"{doing}: {described(error)}") from error


def calling(found: type, doing: str) -> AbstractContextManager[None]:
    """``foreign_code`` for a class that is defined outside the package; a fault of the package's own classes stays one."""
    return foreign_code(doing) if is_foreign(found) else nullcontext()


def described(error: BaseException) -> str:
    """What was raised, in one line: its kind, its message, and the last place outside the package and the libraries."""
    kind, message = "it calls os._exit" if isinstance(error, ProcessEndedError) else type(error).__name__, message_of(error)
    foreign = [frame for frame in traceback.extract_tb(error.__traceback__) if is_foreign_file(frame.filename)]
    where = f" ({Path(foreign[-1].filename).name}, line {foreign[-1].lineno})" if foreign else ""
    return f"{kind}: {message}{where}" if message else f"{kind}{where}"


def message_of(error: BaseException) -> str:
    """The message of an error in one line; empty if it has none."""
    try:
        return " ".join(str(error).split())
    except Exception:  # an error of foreign code may not even be able to say what it is
        return ""


def is_foreign(found: type) -> bool:
    """Whether a class is defined outside the package."""
    return found.__module__.partition(".")[0] != PACKAGE


def is_foreign_file(file: str) -> bool:
    """Whether a file of Python code lies outside the package, Python's own library, and installed libraries."""
    return Path(file).is_file() and not file.startswith(NOT_FOREIGN)


@contextmanager
def interrupts_noted(pressed: list[int]) -> Iterator[None]:
    """Note each Ctrl-C, which else could not be told from a KeyboardInterrupt that code raises by itself."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return

    def note(number: int, frame: FrameType | None) -> Any:
        pressed.append(number)
        return before(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _directory_kept() -> Iterator[None]:
    """Come back to the working directory that foreign code may have left: relative paths are the user's."""
    try:
        before: Path | None = Path.cwd()
    except FileNotFoundError:
        before = None  # Somebody removed it.
    try:
        yield
    finally:
        if before is not None:
            os.chdir(before)


@contextmanager
def _exit_replaced() -> Iterator[None]:
    def refuse(status: int) -> NoReturn:
        del status
        raise ProcessEndedError

    before, os._exit = os._exit, refuse
    try:
        yield
    finally:
        os._exit = before
