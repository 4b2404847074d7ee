"""A row of the table of ``make perf``, and what is known of the machine."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from ..runner.provenance import versions
from ..runner.workers import cores

PEERS = ("simpleitk", "scikit-learn", "torchmetrics")
"""The libraries that are measured against, beside those that compute (``provenance.LIBRARIES``)."""


@dataclass(frozen=True)
class Target:
    """A bound on the value of a row."""

    kind: Literal["at least", "at most", "below"]
    bound: float
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.bound:g}{self.unit}"

    def is_met(self, value: float) -> bool:
        """Whether a value keeps to it."""
        if self.kind == "at least":
            return value >= self.bound
        return value <= self.bound if self.kind == "at most" else value < self.bound


@dataclass(frozen=True)
class Row:
    """One line: ``work`` against something else.

    Without a ``value`` it was not tried, and ``measured`` says why. ``note`` is what a reader must know to believe the number.
    """

    work: str
    against: str
    measured: str
    value: float | None = None
    target: Target | None = None
    note: str = ""

    @property
    def met(self) -> str:
        """``yes`` or ``no``; empty where nothing was measured or nothing is asked for."""
        if self.value is None or self.target is None:
            return ""
        return "yes" if self.target.is_met(self.value) else "no"

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """What the table shows under ``HEAD``."""
        return self.work, self.against, self.measured, str(self.target or ""), self.met

    @property
    def words(self) -> str:
        """All of it in one line."""
        asked = f" ({', '.join(filter(None, (str(self.target), self.met)))})" if self.target else ""
        return f"{self.work} | {self.against}: {self.measured}{asked}"


HEAD = ("Work", "Against", "Measured", "Target", "Met")


def ratio_row(work: str, against: str, ratios: Sequence[float], target: Target | None = None, note: str = "") -> Row:
    """A row of ratios of alternating measurements: their median and range."""
    value = statistics.median(ratios)
    pairs = f"{len(ratios)} pair{'s'[: len(ratios) != 1]}"
    digits = 3 if value < 0.1 else 2
    low, high = (f"{end:.{digits}f}" for end in (min(ratios), max(ratios)))
    return Row(work, against, f"{value:.{digits}f} ({low} to {high}, {pairs})", value, target, note)


def machine() -> list[str]:
    """When and on what is measured: a line each for the day, the processor, its load, and the versions."""
    found = dict(versions())
    for name in PEERS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return [
        f"{datetime.now(UTC).date().isoformat()}, {platform.system()}",
        f"{processor()}, {cores()} core{'s'[: cores() != 1]}{_load()}",
        ", ".join(f"{name} {number}" for name, number in found.items()),
    ]


def processor() -> str:
    """The processor's own name where the system tells it, else its kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]} ({platform.machine()})" if names else platform.processor() or platform.machine()


def _load() -> str:
    """How many processes wanted a core in the last minute: above zero, other work disturbs what is measured."""
    return f"; {os.getloadavg()[0]:.1f} processes ran or waited before" if hasattr(os, "getloadavg") else ""
