"""Rounding, mean and spread at the ends of the range of floating-point numbers, against fractions."""

import math
import statistics
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raterbench.benchmark.statistics.arithmetic import largest, mean_and_std, round_to_scale
from raterbench.benchmark.statistics.ranking import best_of, composite_score, mean_ranks

wide = st.floats(-1e300, 1e300)


@given(st.lists(wide, min_size=2, max_size=10))
@settings(max_examples=200, deadline=None)
def test_mean_and_spread_equal_exact_fractions(values: list[float]) -> None:
    exact = [Fraction(v) for v in values]
    mean, std = mean_and_std(values)
    size = largest(values)
    assert mean == pytest.approx(float(statistics.mean(exact)), abs=1e-14 * size)
    assert std == pytest.approx(float(statistics.stdev(exact)), rel=1e-9, abs=1e-14 * size)


def test_equal_values_have_exactly_no_spread() -> None:
    assert mean_and_std([0.1] * 7) == (0.1, 0.0)
    assert mean_and_std([np.nan, 2.0, 2.0]) == (2.0, 0.0)
    mean, std = mean_and_std([3.0, np.nan])
    assert mean == 3.0 and math.isnan(std)
    assert all(map(math.isnan, mean_and_std([np.nan])))


@given(wide, st.floats(1e-11, 1))
@settings(max_examples=200, deadline=None)
def test_rounding_keeps_about_twelve_digits_and_is_done_once(scale: float, share: float) -> None:
    value = scale * share
    rounded = float(round_to_scale(value, abs(scale)))
    assert abs(rounded - value) <= 5.01e-12 * abs(scale) + 5e-324
    assert float(round_to_scale(rounded, abs(scale))) == rounded


def test_values_without_a_scale_stay_as_they_are() -> None:
    assert round_to_scale([0.0, np.nan, np.inf], 0.0) == pytest.approx([0, np.nan, np.inf], nan_ok=True)
    assert largest([np.nan, np.inf]) == 0


@pytest.mark.parametrize("size", [1e-310, 1e-200, 1e-13, 1, 1e13, 1e299])
def test_ranks_scores_and_the_best_do_not_depend_on_the_unit(size: float) -> None:
    table = pd.DataFrame({"A": [1.0, 5.0], "B": [1.0, 7.0], "C": [3.0, 1.0]})
    assert mean_ranks(table * size, "higher").tolist() == mean_ranks(table, "higher").tolist() == [2.25, 1.75, 2]
    means = pd.DataFrame({"dice": [1.0, 2.0, 4.0]}, index=list("ABC"))
    better = {"dice": "higher"}
    assert composite_score(means * size, better).to_numpy() == pytest.approx(composite_score(means, better).to_numpy())
    assert best_of(means["dice"] * size, "lower").tolist() == [True, False, False]


def test_rounding_error_gives_no_score_and_breaks_no_tie() -> None:
    means = pd.DataFrame({"dice": [0.3, 0.1 + 0.2], "recall": [0.5, 0.7]}, index=list("AB"))
    better = dict.fromkeys(means, "higher")
    expected = composite_score(means[["recall"]], better)
    pd.testing.assert_series_equal(composite_score(means, better), expected)
    assert best_of(means["dice"], "higher").all()
    assert composite_score(means[["dice"]], better).isna().all()


def test_nothing_is_best_without_a_value_or_a_direction() -> None:
    assert not best_of(pd.Series([np.nan, np.nan]), "higher").any()
    assert not best_of(pd.Series([1.0, 2.0]), "none").any()
    assert best_of(pd.Series([0.0, 0.0]), "lower").all()
