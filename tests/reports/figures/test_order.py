"""Who is ahead, who can be told from whom, and what could change the order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from raterbench.benchmark.statistics.verdict.shared_cells import CaseValues
from raterbench.benchmark.store.results import read_results
from raterbench.reports.analysis import Analysis
from raterbench.reports.figures.costs import costs
from raterbench.reports.figures.order.critical_difference import joined
from raterbench.reports.figures.order.failures import failures
from raterbench.reports.figures.order.overturn import WIDTH, overturn_raters, overturn_reference, overturn_trainings
from raterbench.reports.figures.order.pairs import pairs, verdict_of
from raterbench.reports.figures.order.ranks import ranks_by_rater, ranks_by_repeat, ranks_of
from raterbench.reports.figures.order.subjects import subjects
from raterbench.reports.figures.style import MM, Plot, house_style

SMALL = {"subjects": 4, "folds": 2, "slices": 1, "pictures": False, "confusions": False, "calibration": False}


def values_of(table: dict[str, list[float]], repeats: int = 1) -> CaseValues:
    """Values of each candidate, one row a (repeat, subject); subjects are as many as values of a repeat."""
    n = len(next(iter(table.values()))) // repeats
    rows = [
        (name, i // n, i % 2, f"s{i % n}", f"s{i % n}", value) for name, found in table.items() for i, value in enumerate(found)
    ]
    return CaseValues.of(pd.DataFrame(rows, columns=["candidate", "repeat", "fold", "subject", "case", "value"]))


@pytest.fixture(scope="module")
def plots(analysis: Analysis) -> dict[str, Plot]:
    makers = (overturn_trainings, overturn_reference, subjects, failures, costs)
    with house_style():
        found = [maker(analysis) for maker in makers] + pairs(analysis)
    return {plot.name: plot for plot in found if plot is not None}


def test_ranks_share_ties_and_follow_the_direction() -> None:
    means = {"a": 0.3, "b": 0.1 + 0.2, "c": 0.1, "d": np.nan}
    assert ranks_of(means, "higher").tolist()[:3] == [1.5, 1.5, 3]
    assert ranks_of(means, "lower").tolist()[:3] == [2.5, 2.5, 1]
    assert ranks_of({"a": -0.1, "b": 0.5}, "zero").tolist() == [1, 2]
    assert ranks_of(means, "none").isna().all() and np.isnan(ranks_of(means, "higher")["d"])


def test_ranks_of_each_repeat_beside_those_of_all() -> None:
    table = {"a": [0.9, 0.9, 0.1, 0.1], "b": [0.5, 0.5, 0.5, 0.6], "c": [0.4, 0.4, np.nan, np.nan]}
    ranks = ranks_by_repeat(values_of(table, 2), "higher")
    assert ranks["1"].tolist() == [1, 2, 3]
    assert ranks["2"].tolist()[:2] == [2, 1] and np.isnan(ranks.loc["c", "2"])
    assert ranks["all"].tolist() == [1, 2, 3]  # over what all three have: the first repeat


def rater_values(scores: dict[str, dict[str, float]]) -> pd.DataFrame:
    rows = [(c, r, 0, 0, s, s, value) for c, found in scores.items() for r, value in found.items() for s in ("x", "y")]
    return pd.DataFrame(rows, columns=["candidate", "rater", "repeat", "fold", "subject", "case", "value"])


def test_without_the_rater_who_favours_a_candidate_the_order_changes(analysis: Analysis) -> None:
    one, other = analysis.candidates[:2]
    values = rater_values({one: {"Ada": 0.9, "Ben": 0.4, "Cleo": 0.5}, other: {"Ada": 0.3, "Ben": 0.5, "Cleo": 0.6}})
    ranks = ranks_by_rater(values, "higher")
    assert list(ranks.columns) == ["all", "Ada", "Ben", "Cleo"]
    assert ranks.loc[one].tolist() == [1, 2, 1, 1]
    with house_style():
        plot = overturn_raters(analysis, values)
    assert plot is not None and f"{one} is first against 2 of 3 panels without a rater" in plot.caption
    assert f"Ada: {other}, {one}" in plot.alt
    assert overturn_raters(analysis, values[values["rater"] == "Ada"]) is None
    with house_style():
        assert overturn_raters(analysis) is not None, "the study has values against every rater"


def test_pictures_for_the_first_screen_are_narrow_and_legible(plots: dict[str, Plot]) -> None:
    for name in ("overturn-trainings", "overturn-reference"):
        figure = plots[name].figure
        assert figure.get_figwidth() / MM == pytest.approx(WIDTH)
        # At 320 pixels a letter of 8 points is as high as text of 16 pixels.
        assert {text.get_fontsize() for text in figure.axes[0].get_yticklabels()} == {8.0}
    assert "There is one repeat" in plots["overturn-trainings"].caption
    assert "against each other reference" in plots["overturn-reference"].caption


def test_of_many_candidates_the_first_have_colours_and_names(make: Callable[..., Path]) -> None:
    names = [f"candidate {i}" for i in range(11)]
    analysis = Analysis(read_results(make(candidates=names, repeats=2, **SMALL)))
    with house_style():
        plot = overturn_trainings(analysis)
    assert plot is not None
    labels = [text.get_text() for text in plot.figure.axes[0].get_yticklabels()]
    assert len(labels) == 5 and "The first 5 candidates are named" in plot.caption
    lines = [line for line in plot.figure.axes[0].lines if len(line.get_xdata()) == 3]
    assert len(lines) == 11 and len({line.get_color() for line in lines}) == 6
    assert "in each repeat in turn" in plot.caption and "of 2 repeats" in plot.caption


def test_bars_join_neighbours_of_whom_no_two_are_apart() -> None:
    apart = {frozenset("ac"), frozenset("ad"), frozenset("bd")}
    assert joined("abcd", apart) == [(0, 1), (1, 2), (2, 3)]
    assert joined("abc", set()) == [(0, 2)]
    assert joined("abc", {frozenset("ab"), frozenset("bc"), frozenset("ac")}) == []
    assert joined("abc", {frozenset("ab")}) == [(1, 2)]  # a and c are no neighbours


def test_the_verdict_of_a_pair() -> None:
    ahead = pd.Series({"apart": True, "difference": 0.1, "low": 0.05, "high": 0.15})
    assert [verdict_of(ahead, better, 0.01) for better in ("higher", "lower")] == ["better", "worse"]
    assert verdict_of(ahead, "higher", 0.01, turned=True) == "worse"
    close = pd.Series({"apart": False, "difference": 0.001, "low": -0.004, "high": 0.006})
    assert [verdict_of(close, "higher", size) for size in (0.01, 0.005, 0.0)] == ["equivalent", "undecided", "undecided"]
    unknown = pd.Series({"apart": False, "difference": 0.1, "low": np.nan, "high": np.nan})
    assert verdict_of(unknown, "higher", 0.01) == "undecided"


def test_the_matrix_agrees_with_the_axis_of_ranks(plots: dict[str, Plot], analysis: Analysis) -> None:
    matrix, axis = plots["pairs"], plots["critical-difference"]
    k = len(analysis.candidates)
    numbers = [text.get_text() for text in matrix.figure.axes[0].texts]
    assert len(numbers) == k * (k - 1)
    names = [text.get_text().replace("\n", " ") for text in matrix.figure.axes[0].get_yticklabels()]
    means = analysis.rows_for(analysis.metric)["mean"].sort_values(ascending=False)
    assert names[0] == means.index[0]
    assert axis.alt.startswith(f"Mean ranks: {means.index[0]}")
    said = ("model t", "Holm over 15 pairs", "12 subjects", "exploratory", "Dice is 1 where")
    assert all(words in plot.caption for plot in (matrix, axis) for words in said)


def test_wins_are_counted(plots: dict[str, Plot], analysis: Analysis) -> None:
    values = analysis.case_values(analysis.metric)
    table = pd.DataFrame(values.values, columns=list(values.candidates)).groupby(values.rows["subject"]).mean()
    wins = table.idxmax(axis=1).value_counts()
    for name in analysis.candidates:
        mean = analysis.number("dice", table[name].mean())
        assert f"{name}: mean {mean}, best on {wins.get(name, 0)} of 12" in plots["subjects"].alt


def test_failures_are_counted_over_all_cases_and_the_hard_ones(plots: dict[str, Plot], analysis: Analysis) -> None:
    figure = plots["failures"].figure
    assert [axes.get_title() for axes in figure.axes] == ["All cases (24)", "Where raters agree least (6)"]
    values = analysis.case_values(analysis.metric)
    line = figure.axes[0].lines[0]
    np.testing.assert_allclose(np.sort(values.values[:, 0]), np.asarray(line.get_xdata())[1:])
    assert line.get_ydata()[0] == 0 and line.get_ydata()[-1] == 1
    assert "Share beyond 0.5" in plots["failures"].alt


def test_costs_are_those_of_the_units(plots: dict[str, Plot], analysis: Analysis) -> None:
    assert f"{analysis.candidates[0]}: 34 seconds, 512 MB" in plots["costs"].alt
    assert "(5 trainings a candidate" in plots["costs"].caption


def test_one_candidate_has_nobody_to_be_compared_with(make: Callable[..., Path]) -> None:
    analysis = Analysis(read_results(make(candidates=["alone"], **SMALL)))
    with house_style():
        assert [maker(analysis) for maker in (overturn_trainings, overturn_reference, overturn_raters, subjects)] == [None] * 4
        assert pairs(analysis) == []
        assert failures(analysis) is not None and costs(analysis) is not None
