"""Trained models tested as the papers did."""

import math

import numpy as np
import pytest
from scipy import stats

from raterbench.benchmark.statistics.significance import wilcoxon
from raterbench.benchmark.statistics.verdict.as_published import as_published


def ranked(smaller: int, n: int) -> np.ndarray:
    """Differences 1 to n whose negative ranks add up to ``smaller``."""
    d = np.arange(1.0, n + 1)
    for rank in range(n, 0, -1):
        if smaller >= rank:
            d[rank - 1] = -d[rank - 1]
            smaller -= rank
    assert smaller == 0
    return d


def test_the_printed_p_is_that_of_the_normal_approximation() -> None:
    # 40 trained models whose smaller rank sum is 167: .0011 is printed, and the exact test gives .00076.
    d = ranked(167, 40)
    found = as_published(d, np.zeros(40))
    assert round(found.p, 4) == 0.0011
    assert round(wilcoxon(d).p, 5) == 0.00076
    assert found.p == pytest.approx(stats.wilcoxon(d, method="asymptotic").pvalue)


def test_means_and_deviations_are_over_models() -> None:
    found = as_published([0.8, 0.9, np.nan, 0.7], [0.7, 0.7, 0.7, 0.7])
    assert (found.mean, found.std, found.difference, found.n_models) == pytest.approx((0.8, 0.1, 0.1, 3))


def test_zeros_and_nothing() -> None:
    assert as_published([0.1 + 0.2, 0.3], [0.3, 0.3]).p == 1
    assert math.isnan(as_published([np.nan], [1.0]).p)
    assert as_published([1e-300, 2e-300, 3e-300], [0, 0, 0]).p == as_published([1, 2, 3], [0, 0, 0]).p
