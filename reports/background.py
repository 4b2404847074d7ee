"""Calls that run in other processes of this machine while the caller goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_all_start_methods, get_context
from types import TracebackType
from typing import Any, Self

_CALLS: dict[str, Callable[[], Any]] = {}
"""What forked processes call: they have it from their parent."""


class Background:
    """Starts ``calls``, by name and in their order, in so many ``processes``; a context manager.

    Processes are forked, because the calls need all results of an experiment, which are slow to send. With one process, and
    where a process cannot be forked or has several threads, which a fork would not copy, calls run when their result is asked
    for.
    """

    def __init__(self, calls: Mapping[str, Callable[[], Any]], processes: int = 1) -> None:
        self._calls = dict(calls)
        self._started: dict[str, Future[Any]] = {}
        self._pool: ProcessPoolExecutor | None = None
        may_fork = "fork" in get_all_start_methods() and threading.active_count() == 1
        if processes > 1 and len(self._calls) > 1 and may_fork:
            _CALLS.update(self._calls)
            self._pool = ProcessPoolExecutor(processes, mp_context=get_context("fork"))
            self._started = {name: self._pool.submit(_call, name) for name in self._calls}

    def result(self, name: str) -> Any:
        """What the call gave, or the exception that it raised."""
        return self._started[name].result() if self._started else self._calls[name]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            _CALLS.clear()


def _call(name: str) -> Any:
    return _CALLS[name]()
