"""Checks of parameters: known words, and finite numbers within their range."""

from __future__ import annotations

import math
from collections.abc import Collection
from numbers import Integral, Real
from typing import Any

from ..datasets.errors import RaterbenchError, nearest


def check_choice(owner: object, name: str, known: Collection[str]) -> None:
    """Check that the parameter called ``name`` of ``owner`` is one of the ``known`` words.

    Raises:
        RaterbenchError: it is none; the nearest known word is given.
    """
    value = getattr(owner, name)
    if not isinstance(value, str) or value not in known:
        raise RaterbenchError(f"{type(owner).__name__}: {name} = {value!r} is unknown{nearest(str(value), known)}")


def check_number(
    owner: object,
    name: str,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
    whole: bool = False,
    optional: bool = False,
) -> None:
    """Check that the parameter called ``name`` of ``owner`` is a finite number within a range.

    Args:
        owner: the fusion, method, recipe or budget.
        name: of the parameter.
        least: the smallest value of the range.
        above: what the value must be greater than.
        most: the largest value of the range.
        below: what the value must be smaller than.
        whole: the number has no fraction, and is of a type for whole numbers.
        optional: None is allowed, too.

    Raises:
        RaterbenchError: it is not; the message names the owner's class, the parameter, its value and the range.
    """
    value: Any = getattr(owner, name)
    if optional and value is None:
        return
    words = [
        "" if least is None else f"{least} or more",
        "" if above is None else f"greater than {above}",
        "" if most is None else f"{most} at most",
        "" if below is None else f"below {below}",
    ]
    rule = ""
    is_whole = isinstance(value, Integral)
    if isinstance(value, bool) or not (is_whole or (isinstance(value, Real) and not whole)):
        rule = "a whole number" if whole else "a number"
    elif not is_whole and not math.isfinite(value):
        rule = "finite"
    elif not all(
        (
            least is None or value >= least,
            above is None or value > above,
            most is None or value <= most,
            below is None or value < below,
        )
    ):
        rule = " and ".join(word for word in words if word)
    if rule:
        raise RaterbenchError(f"{type(owner).__name__}: {name} = {value!r} must be {rule}")
