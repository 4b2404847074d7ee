"""What may be said of each candidate beside the baseline: better, worse, equivalent or undecided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..arithmetic import Floats
from ..significance import holm
from .model_t import ModelT

Better = Literal["higher", "lower"]
Words = Literal[
    "better",
    "worse",
    "equivalent",
    "better, by less than is relevant",
    "worse, by less than is relevant",
    "undecided",
]


@dataclass(frozen=True)
class Verdict:
    """A test with what follows from it.

    ``low`` to ``high`` is Holm's interval at ``level``: it excludes 0 exactly when Holm's procedure rejects. ``words`` is the
    verdict. ``reason`` says why nothing can be decided; ``exploratory`` why the test is no confirmation.
    """

    test: ModelT
    p_holm: float
    level: float
    low: float
    high: float
    words: Words

    @property
    def significant(self) -> bool:
        """The interval excludes 0."""
        return self.words not in ("equivalent", "undecided")


def holm_levels(p: npt.ArrayLike, alpha: float) -> Floats:
    """The level of each interval [m] that goes with Holm's procedure: 1 - alpha / (m - k + 1) at step k.

    From the first p that is not rejected on, the level is that of its step. A missing p (NaN) counts in m and comes last.
    """
    raw = np.asarray(p, dtype=float)
    order = np.argsort(raw, kind="stable")
    limits = alpha / np.arange(raw.size, 0, -1)
    kept = np.flatnonzero(~(raw[order] <= limits))
    if kept.size:
        limits[kept[0] :] = limits[kept[0]]
    levels = np.empty(raw.size)
    levels[order] = 1 - limits
    return levels


def verdicts(
    tests: Mapping[str, ModelT], *, better: Better, alpha: float = 0.05, smallest_difference: float = 0.0
) -> dict[str, Verdict]:
    """The verdict on each candidate of one family, all compared with the same baseline.

    ``smallest_difference`` is the smallest that is relevant, in the unit of the differences: a candidate is equivalent if the
    1 - 2 ``alpha`` interval lies within it on both sides of 0 (two one-sided tests: Schuirmann, 1987). With 0 nobody is.
    """
    p = [test.p for test in tests.values()]
    found = {}
    for (name, test), adjusted, level in zip(tests.items(), holm(p), holm_levels(p, alpha), strict=True):
        low, high = test.interval(level)
        words = _words(test, (low, high), 1 if better == "higher" else -1, alpha, smallest_difference)
        found[name] = Verdict(test, float(adjusted), float(level), low, high, words)
    return found


def _words(test: ModelT, interval: tuple[float, float], sign: int, alpha: float, smallest_difference: float) -> Words:
    low, high = interval
    ends = test.interval(1 - 2 * alpha)
    equivalent = smallest_difference > 0 and -smallest_difference < ends[0] and ends[1] < smallest_difference
    if low > 0 or high < 0:
        ahead = (low > 0) == (sign > 0)
        if equivalent:
            return "better, by less than is relevant" if ahead else "worse, by less than is relevant"
        return "better" if ahead else "worse"
    return "equivalent" if equivalent else "undecided"
