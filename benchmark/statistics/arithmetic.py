"""Rounding, mean and spread that huge, tiny and equal values do not upset."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

DIGITS = 12
LARGEST = 1e300
"""A value of a metric beyond this counts as undefined: below it no sum over cases can overflow."""


def largest(*values: npt.ArrayLike) -> float:
    """The largest magnitude among finite values; 0 if there is none."""
    sizes = [np.abs(np.asarray(v, dtype=float)) for v in values]
    return max((float(s[np.isfinite(s)].max(initial=0.0)) for s in sizes), default=0.0)


def round_to_scale(values: npt.ArrayLike, scale: float) -> Floats:
    """``values`` rounded to about 12 significant digits of ``scale``, the largest magnitude of what they were computed from.

    The same number computed in another order differs in its last bits: such rounding error must neither be a difference nor
    break a tie. With a scale of 0 there is nothing to round: the values are returned as they are. NaN and infinity stay.
    """
    rounded = np.array(values, dtype=float)
    if not 0 < scale < math.inf:
        return rounded
    # Near the ends of the range of floating-point numbers 10^decimals would overflow; a power of two shifts without error.
    shift = 0 if 1e-200 < scale < 1e200 else math.frexp(scale)[1]
    decimals = DIGITS - math.ceil(math.log10(math.ldexp(scale, -shift)))
    result: Floats = np.ldexp(np.round(np.ldexp(rounded, -shift), decimals), shift)
    return result


def scaled(values: Floats) -> tuple[Floats, int]:
    """``values`` divided by a power of two so that the largest is between .5 and 1, without error; and that power."""
    power = math.frexp(largest(values))[1]
    return np.ldexp(values, -power), power


def mean_and_std(values: npt.ArrayLike) -> tuple[float, float]:
    """Mean and standard deviation (ddof 1) of the values that are not NaN; NaN where there are too few.

    Equal values have exactly that mean and a spread of exactly 0; squares neither overflow nor vanish.
    """
    known = np.asarray(values, dtype=float)
    known = known[~np.isnan(known)]
    if known.size == 0:
        return math.nan, math.nan
    if (known == known[0]).all():
        return float(known[0]), 0.0 if known.size > 1 else math.nan
    small, power = scaled(known)
    return float(np.ldexp(small.mean(), power)), float(np.ldexp(small.std(ddof=1), power))
