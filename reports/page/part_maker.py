"""Parts of a report that could not be made: each is named with its reason, and the others are written all the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from ...errors import RaterbenchError

T = TypeVar("T")

EXPECTED = (ArithmeticError, ValueError)
"""What unforeseen numbers can raise (an axis with an infinite limit, say), and errors that a user can mend, which
are ValueErrors. Anything else is a fault in the code and ends the report."""


@dataclass(frozen=True)
class BrokenPart:
    """A table, figure or sentence by its ``name``, and why it could not be made."""

    kind: str
    name: str
    reason: str

    def __str__(self) -> str:
        return f"The {self.kind} ‘{self.name}’ could not be made: {self.reason}"


@dataclass
class PartMaker:
    """Makes the parts of a report one by one and collects those that break.

    ``strict`` raises the error instead: for tests, and for those who look for its cause.
    """

    strict: bool = True
    broken: list[BrokenPart] = field(default_factory=list)

    def make(self, kind: str, name: str, maker: Callable[[], T]) -> T | None:
        """What ``maker`` makes, or None if it raises one of the expected errors."""
        try:
            return maker()
        except EXPECTED as error:
            self.lost(kind, name, error)
            return None

    def lost(self, kind: str, name: str, error: Exception) -> None:
        """Take note of a part that could not be made for one of the expected errors; ``strict`` raises it."""
        if self.strict:
            raise error
        reason = str(error) if isinstance(error, RaterbenchError) else f"{type(error).__name__}: {error}"
        self.broken.append(BrokenPart(kind, name, reason.rstrip(".: ")))
