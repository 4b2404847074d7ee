"""Colours, markers and line styles, the same for a candidate in all figures and on the page; without matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#882255", "#5E4310", "#332288", "#8A3FFC")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p")
DASHES: tuple[Any, ...] = (
    "-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)), (0, (3, 3)), (0, (8, 1.5, 1.2, 1.5, 1.2, 1.5)),
    (0, (2.4, 1)), (0, (10, 3)), (0, (1.2, 3)), (0, (4, 1.5, 4, 1.5, 1.2, 1.5)),
)  # fmt: skip
CLASS_COLOURS = ("#F5B800", "#3FB8FF", "#FF6B9D", "#4FE0A8", "#C9A0FF", "#FF8A3D")
"""Of foreground classes, bright enough to be seen on a grey image."""
INK, MUTED, FAINT, BAND = "#1B1E23", "#5B616B", "#D5D9E0", "#F2E2BD"


def colours(candidates: Sequence[str]) -> dict[str, str]:
    """The colour of each candidate by its place in the experiment, the same in all figures."""
    return {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(candidates)}


def markers(candidates: Sequence[str]) -> dict[str, str]:
    """The marker of each candidate by its place in the experiment."""
    return {name: MARKERS[i % len(MARKERS)] for i, name in enumerate(candidates)}


def dashes(candidates: Sequence[str]) -> dict[str, Any]:
    """The line style of each candidate by its place in the experiment, for lines without markers."""
    return {name: DASHES[i % len(DASHES)] for i, name in enumerate(candidates)}
