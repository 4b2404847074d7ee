"""What a contract test found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class CheckResult:
    """One check: its name in words, whether it passed, and what is wrong and how to mend it (empty if it passed)."""

    name: str
    passed: bool
    message: str


class BrokenContractError(AssertionError):
    """A check found that a promise of the contract is not kept; the text says which."""


def require(kept: bool, sentence: str) -> None:
    """Raise ``BrokenContractError`` with the sentence unless the promise is kept."""
    if not kept:
        raise BrokenContractError(sentence)


def run_checks(checks: Mapping[str, Callable[..., None]], *arguments: Any) -> list[CheckResult]:
    """Run every check on the same arguments; an error of the class under test is a finding, not the end of the run."""
    results = []
    for name, check in checks.items():
        message = ""
        try:
            check(*arguments)
        except BrokenContractError as broken:
            message = str(broken)
        except Exception as error:  # reported: foreign code may raise anything, and the other checks still matter
            message = f"it raised {type(error).__name__}: {error}"
        results.append(CheckResult(name, not message, message))
    return results
