"""Says what is being done while it is done: whoever listens can show it, and whoever works need not know who does."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

T = TypeVar("T")


@dataclass(eq=False)
class Step:
    """Work that may take long: ``done`` of ``total`` things (files, cases) are over; without a total nobody knows how many."""

    what: str
    total: int | None = None
    done: int = 0
    started: float = field(default_factory=time.monotonic)


class Listener(Protocol):
    """Hears of steps as they begin and end; a step within another one ends before it. It may look at them meanwhile."""

    def begin(self, step: Step) -> None: ...

    def end(self, step: Step) -> None: ...


_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let ``listener`` hear of all steps of this thread, in place of whoever listened before."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def step(what: str, total: int | None = None) -> Iterator[Step]:
    """Say that ``what`` is being done; the caller counts ``done`` up."""
    current, listener = Step(what, total), _listener.get()
    if listener is None:
        yield current
        return
    listener.begin(current)
    try:
        yield current
    finally:
        listener.end(current)


def counted_step(what: str, things: Collection[T]) -> Iterator[T]:
    """The things, one by one, as a step that counts them."""
    with step(what, len(things)) as current:
        for thing in things:
            yield thing
            current.done += 1
