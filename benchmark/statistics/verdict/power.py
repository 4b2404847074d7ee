"""What a design can find, and what would be needed to find the difference that was observed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import special

from ..arithmetic import Floats
from .model_t import FEW_MODELS, ModelT

POWER = 0.8
MOST_SUBJECTS, MOST_REPEATS = 1_000_000, 1_000
"""Where the search for what is needed ends."""


@dataclass(frozen=True)
class Power:
    """``smallest_found``: the difference that this design finds with 80 % power; NaN without a test.

    ``subjects_needed``, ``repeats_needed``: how many would find the observed difference with 80 % power, all else kept. None
    where no number would: subjects do not average out the luck of few trainings, nor repeats that of few subjects.
    """

    variance_ratio: float
    smallest_found: float
    subjects_needed: int | None
    repeats_needed: int | None


def power_of(test: ModelT, *, repeats: int, alpha: float = 0.05) -> Power:
    """The power of the design behind a test that had ``repeats`` repeats, at the two-sided level ``alpha``.

    The plan for other numbers takes the estimated variance components as true and the design as balanced. One repeat cannot
    tell subjects and rest apart; then both count as subjects, so that repeats are not promised too much.
    """
    if not test.standard_error > 0:
        return Power(test.variance_ratio, np.nan, None, None)
    smallest = _needed_shift(test.df, alpha) * test.standard_error
    components = _scaled_components(test)
    if components is None or test.mean == 0:
        return Power(test.variance_ratio, smallest, None, None)

    def found(subjects: float, times: float) -> bool:
        variance, df = _planned(test, components, subjects / test.n_subjects, times)
        if variance <= 0:
            return True
        return _rejection(abs(test.mean) / test.standard_error / np.sqrt(variance), df, alpha) >= POWER

    more_subjects = _smallest(lambda n: found(n, 1), 2, MOST_SUBJECTS)
    more_repeats = _smallest(lambda r: found(test.n_subjects, r / repeats), 1, MOST_REPEATS)
    return Power(test.variance_ratio, smallest, more_subjects, more_repeats)


def _scaled_components(test: ModelT) -> tuple[float, float, float] | None:
    """Variances of subjects, models and rest in units of the squared standard error; None where they are not known."""
    if np.isnan(test.model_std) or np.isnan(test.within_std):
        return None
    unknown = np.isnan(test.subject_std)
    parts = (test.within_std, test.model_std, 0.0) if unknown else (test.subject_std, test.model_std, test.rest_std)
    subject, model, rest = (float((part / test.standard_error) ** 2) for part in parts)
    return subject, model, rest


def _planned(test: ModelT, components: tuple[float, float, float], more_subjects: float, times: float) -> tuple[float, float]:
    """Variance (in squared standard errors) and degrees of freedom with so many times the subjects and repeats."""
    subject, model, rest = components
    n, models = test.n_subjects * more_subjects, test.n_models * times
    entries = test.n_entries * more_subjects * times
    variance = subject / n + model / models + rest / entries
    per_subject = entries / n
    if test.kind == "hold-out" and models < FEW_MODELS:
        return np.inf, 1.0
    same_folds = test.kind == "nested" and test.n_entries > test.n_subjects
    if test.kind != "hold-out" and (same_folds or per_subject <= 1):
        return variance, max(models / max(per_subject, 1) - 1, 1)
    of_subjects, of_models = subject / n + rest / entries, model / models + rest / entries
    parts = of_subjects**2 / max(n - 1, 1) + of_models**2 / max(models - 1, 1)
    return variance, float(np.clip(variance**2 / parts, 1, max(n - 1, 1))) if parts > 0 else n - 1


def _rejection(shift: float, df: float, alpha: float) -> float:
    """Probability that a two-sided t test rejects where the true mean is ``shift`` standard errors from 0."""
    limit, spread = special.stdtrit(df, 1 - alpha / 2), _spreads(df)
    return float((special.ndtr(shift - limit * spread) + special.ndtr(-shift - limit * spread)).mean())


@lru_cache(maxsize=64)
def _spreads(df: float) -> Floats:
    """Estimated standard errors, in true ones, at 400 equally likely places of their distribution."""
    # The noncentral t distributions of scipy.stats and scipy.special would need none, but are slow and sometimes NaN.
    found: Floats = np.sqrt(2 * special.gammaincinv(df / 2, (np.arange(400) + 0.5) / 400) / df)
    return found


def _needed_shift(df: float, alpha: float) -> float:
    """How many standard errors a true mean must be from 0 to be found with 80 % power."""
    high = 4.0
    from scipy.optimize import brentq  # Here, because it is slow to load.

    while _rejection(high, df, alpha) < POWER:
        high *= 2
    return float(brentq(lambda shift: _rejection(shift, df, alpha) - POWER, 0, high, rtol=1e-6))


def _smallest(enough: Callable[[int], bool], low: int, high: int) -> int | None:
    """The smallest whole number from ``low`` to ``high`` that is enough, where all above one are; None if none is."""
    if not enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low
