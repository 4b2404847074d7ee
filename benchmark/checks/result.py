"""What a contract test found."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


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
            check(subject, *arguments)
        except NotApplicableError as reason:
            message = f"left out: {reason}"
        except BrokenContractError as broken:
            passed, message = False, str(broken)
        except Exception as error:  # reported: foreign code may raise anything, and the other checks still matter
            passed, message = False, f"it raised {type(error).__name__}: {error}{_place(error, subject)}"
        results.append(CheckResult(name, passed, message))
    return results


def _place(error: Exception, subject: Any) -> str:
    """Where in the subject's own file the error arose, as the end of a sentence; empty if it was elsewhere."""
    source = inspect.getsourcefile(subject if isinstance(subject, type) else type(subject))
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == source]
    return f" (line {lines[-1]} of {Path(str(source)).name})" if lines else ""
