"""What a contract test found."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import RaterbenchError
from ...plugin_errors import foreign_code, message_of


@dataclass(frozen=True)
class CheckResult:
    """One check: its name in words, whether it passed, and what is wrong and how to mend it.

    The message is empty where it passed, or says why the check does not apply.
    """

    name: str
    passed: bool
    message: str


class BrokenContractError(AssertionError):
    """A check found that a promise of the contract is not kept; the text says which."""


class NotApplicableError(Exception):
    """A check has nothing to say about this class; the text says why."""


def require(kept: bool, sentence: str) -> None:
    """Raise ``BrokenContractError`` with the sentence unless the promise is kept."""
    if not kept:
        raise BrokenContractError(sentence)


def run_checks(checks: Mapping[str, Callable[..., None]], subject: Any, *arguments: Any) -> list[CheckResult]:
    """Run every check on the subject and the arguments; an error of the subject is a finding, not the end of the run."""
    results = []
    for name, check in checks.items():
        passed, message = True, ""
        try:
            with foreign_code(name):
                check(subject, *arguments)
        except RaterbenchError as error:
            # Foreign code may raise anything, and the other checks still matter.
            cause = error.__cause__ or error
            passed = isinstance(cause, NotApplicableError)
            if passed:
                message = f"left out: {cause}"
            elif isinstance(cause, BrokenContractError):
                message = str(cause)
            else:
                message = f"it raised {type(cause).__name__}: {message_of(cause)}{_place(cause, subject)}"
        results.append(CheckResult(name, passed, message))
    return results


def _place(error: BaseException, subject: Any) -> str:
    """Where in the subject's own file the error arose, as the end of a sentence; empty if it was elsewhere."""
    source = inspect.getsourcefile(subject if isinstance(subject, type) else type(subject))
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == source]
    return f" (line {lines[-1]} of {Path(str(source)).name})" if lines else ""
