"""Which words a number may have: who is best, who is best calibrated, and what an entropy error is measured against."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from raterbench.benchmark.statistics.collapse import collapsed_candidates, far_behind
from raterbench.benchmark.store.results import Results, read_results
from raterbench.reports.analysis import Analysis
from raterbench.reports.answer.answer import answer
from raterbench.reports.figures.entropy import entropy
from raterbench.reports.figures.style import house_style
from raterbench.reports.tables.captions import main_caption, unfinished
from raterbench.reports.tables.tables import comparison_table
from raterbench.reports.tables.terminal import main_table_text

from .conftest import SMALL

pytestmark = pytest.mark.usefixtures("figures_undrawn")


def changed(results: Results, value: Any, **where: str) -> Results:
    """The same results with another value in the rows of methods where these columns have these words."""
    rows = results.long_table.copy()
    chosen = (rows["kind"] == "method") & np.logical_and.reduce([rows[c].eq(v) for c, v in where.items()] or [True])
    rows.loc[chosen, "value"] = value(rows.loc[chosen, "value"]) if callable(value) else value
    return dataclasses.replace(results, long_table=rows)


def collapsing(small: Results) -> Results:
    """B calls everything background, and so has the lowest calibration error, Brier score and false-positive volume."""
    found = small
    for metric in ("dice", "recall", "false positive volume", "brier"):
        found = changed(found, 0.0, candidate="B", metric=metric)
    counts = found.calibration.copy()
    mine = counts["candidate"] == "B"
    counts.loc[mine, "correct"] = (counts.loc[mine, "confidence"] / 2**24).round().astype(int)
    return dataclasses.replace(found, calibration=counts)


def test_a_collapsed_candidate_is_best_at_nothing(small: Results) -> None:
    analysis = Analysis(collapsing(small))
    calibration = analysis.calibration
    assert calibration.ece_of("B", "closed") == min(calibration.ece_of(c, "closed") for c in "ABC")
    assert set(analysis.collapsed) == {"B"} and "at most half of the best candidate’s" in analysis.collapsed["B"]
    best = analysis.table[analysis.table["best"]]
    assert "B" not in set(best["candidate"]) and {"brier", "false positive volume", "dice"} <= set(best["metric"])
    assert "B" not in [*calibration.lowest("open"), *calibration.lowest("closed")]
    found = answer(analysis)
    (said,) = [f for f in found.background if "calibrat" in f]
    assert "among the candidates that did not collapse" in said and not re.search(r": B\b", said)
    assert any(w.startswith("Collapsed, and so never called best on anything: B (mean Dice 0.000") for w in found.warnings)
    row = next(row for row in comparison_table(analysis).rows if row[0].text == "B")
    assert not any(cell.bold for cell in row)
    assert "B collapsed and may not be the best" in main_caption(analysis, ["dice"])[0]
    assert not analysis.rows_for("brier").loc["B", "best"] and np.isfinite(analysis.rows_for("brier").loc["B", "p"])


def test_empty_images_do_not_hide_a_collapse(small: Results) -> None:
    """Where most references are empty, who marks nothing has a high Dice; the recall is defined where something is."""
    found = changed(changed(small, 0.9, metric="dice"), 0.0, candidate="B", metric="recall")
    assert set(Analysis(found).collapsed) == {"B"} and Analysis(found).collapsed["B"].startswith("mean recall 0.000")


def test_a_collapse_is_half_of_the_best_or_nothing_at_all() -> None:
    means = {"Dice": pd.Series({"A": 0.8, "B": 0.41, "C": 0.4, "D": np.nan})}
    assert collapsed_candidates(means) == {"C": "mean Dice 0.400, at most half of the best candidate’s 0.800"}
    assert collapsed_candidates({"Dice": pd.Series({"A": 0.0, "B": 0.0})}) == {"A": "mean Dice 0.000", "B": "mean Dice 0.000"}
    assert collapsed_candidates({"Dice": pd.Series({"A": np.nan})}) == {}


def test_one_class_that_is_lost_is_a_collapse(make: Callable[..., Path]) -> None:
    found = read_results(make(**{**SMALL, "classes": ("white", "grey")}))
    analysis = Analysis(changed(found, 0.0, **{"candidate": "C", "metric": "dice", "class": "grey"}))
    assert set(analysis.collapsed) == {"C"} and "Dice of grey" in analysis.collapsed["C"]


def test_nobody_is_best_where_all_collapsed(small: Results) -> None:
    found = answer(Analysis(changed(small, 0.0, metric="dice")))
    assert found.headline == "No candidate can be called best on Dice against the truth."
    assert "No candidate can be called best calibrated: all candidates collapsed." in found.background


def test_best_calibrated_is_said_only_beyond_chance(small: Results) -> None:
    analysis = Analysis(small)
    table = analysis.calibration.image("closed")
    best = table["ece"].idxmin()
    (said,) = [f for f in answer(analysis).background if "calibrat" in f]
    overlap = [c for c in table.index if c != best and table.loc[c, "ece_low"] <= table.loc[best, "ece_high"]]
    assert list(analysis.calibration.close_to(best, "closed")) == overlap
    assert said.startswith("Lowest calibration error" if overlap else "Best calibrated")
    one = dataclasses.replace(small, calibration=small.calibration[small.calibration["subject"] == "s00"])
    (said,) = [f for f in answer(Analysis(one)).background if "calibrat" in f]
    assert said.startswith("Lowest calibration error: "), "one subject has no interval"


def test_far_behind_is_beyond_the_best_interval_and_worse_than_whatever_needs_no_network() -> None:
    columns = ["kind", "candidate", "mean", "ci_low", "ci_high"]
    methods = [["method", "A", 0.8, 0.7, 0.9], ["method", "B", 0.5, 0.4, 0.6], ["method", "C", 0.69, 0.6, 0.75]]
    others = [["fusion", "staple", 0.9, 0.8, 1.0], ["rater", "Ada", 0.55, 0.5, 0.6]]
    table = pd.DataFrame([*methods, *others], columns=columns)
    assert far_behind(table, "higher") == ["B"]
    assert far_behind(table.replace({"Ada": "Ben", 0.55: 0.45}), "higher") == [], "a rater is as far behind"
    assert far_behind(table[table["kind"] == "method"], "higher") == ["B"]
    assert far_behind(table.assign(ci_low=np.nan, ci_high=np.nan), "higher") == [] == far_behind(table, "none")
    costs = table.assign(**{name: -table[name] for name in columns[2:]})
    assert far_behind(costs, "lower") == ["B"]


def test_who_segments_far_worse_is_not_best_calibrated(small: Results) -> None:
    """B has 0.6 of the others' Dice, which is no collapse, and the lowest calibration error."""
    dull = changed(changed(small, lambda v: 0.6 * v, candidate="B", metric="dice"), 0.9, metric="recall")
    analysis = Analysis(dataclasses.replace(dull, calibration=collapsing(small).calibration))
    assert not analysis.collapsed and analysis.calibration.ece_of("B", "closed") < 0.001
    assert "B" not in analysis.calibration.lowest("closed")
    row = next(row for row in comparison_table(analysis).rows if row[0].text == "B")
    assert not any(cell.bold for head, cell in zip(comparison_table(analysis).head, row, strict=True) if "ECE" in head)
    words = "Not called best calibrated: B (Dice worse than all raters and fused labels"
    (said,) = [f for f in answer(analysis).background if "calibrat" in f]
    assert words in said and "among the candidates that are not far behind" in said
    assert words in comparison_table(analysis).caption and words in " ".join(main_table_text(analysis.results).split())


def test_training_that_did_not_end_is_said_wherever_the_numbers_are_read(small: Results) -> None:
    assert unfinished(Analysis(small)) == ""
    units = small.units.copy()
    units.loc[units["candidate"].isin(["A", "C"]), "best_epoch"] = 39
    units.loc[(units["candidate"] == "C") & (units["fold"] == 0), "best_epoch"] = 20
    analysis = Analysis(dataclasses.replace(small, units=units))
    words = (
        "2 of 3 trained candidates were still improving in the last epoch (A, C): give budget.epochs more than 40, since their "
        "order may still change."
    )
    assert unfinished(analysis) == words
    assert words in answer(analysis).warnings and words in comparison_table(analysis).caption
    assert words in " ".join(main_table_text(analysis.results).split())
    one_cycle = small.experiment.replace(budget={"schedule": "one-cycle"})
    assert unfinished(Analysis(dataclasses.replace(small, units=units, experiment=one_cycle))) == ""
    units.loc[units["candidate"] == "A", ["epochs", "best_epoch"]] = None
    assert unfinished(analysis).startswith("1 of 2 trained candidates was still improving")


def test_the_entropy_mae_is_one_number_in_table_figure_and_file(small: Results) -> None:
    analysis = Analysis(small)
    with house_style():
        plot = entropy(analysis)
    assert plot is not None
    rows = small.long_table
    mine = rows[(rows["candidate"] == "A") & (rows["metric"] == "entropy error") & (rows["kind"] == "method")]
    assert set(mine["reference"]) == {"soft average"}
    expected = mine.groupby("subject")["value"].mean().mean()
    table = comparison_table(analysis)
    cell = next(row for row in table.rows if row[0].text == "A")[table.head.index("Entropy MAE (nat) ↓")]
    shown = cell.text.partition(" ")[0]
    assert shown == analysis.number("entropy error", expected)
    assert f"A: entropy MAE {shown};" in plot.alt
    assert f"MAE {shown}" in [text.get_text() for axes in plot.figure.axes for text in axes.texts]
    plain = table.plain.set_index(["metric", "kind", "candidate"]).loc[("entropy error", "method", "A")]
    assert (plain["mean"], plain["reference"]) == (pytest.approx(expected), "soft average")
    assert "Entropy MAE [nat] is against the raters’ soft average." in table.caption
    assert "difference to the raters’ soft average" in plot.caption


def test_an_entropy_error_against_the_truth_has_its_own_name(small: Results) -> None:
    named = small.long_table[small.long_table["metric"] == "entropy error"].assign(
        metric="entropy error against truth", reference="truth"
    )
    analysis = Analysis(dataclasses.replace(small, long_table=pd.concat([small.long_table, named], ignore_index=True)))
    heads = comparison_table(analysis).head
    assert "Entropy error, truth (nat) ↓" in heads and "Entropy MAE (nat) ↓" in heads


def test_the_relative_volume_difference_says_that_it_is_relative(analysis: Analysis) -> None:
    assert analysis.label("avd") == "Absolute relative volume difference"
    assert "AVD: absolute relative volume difference." in comparison_table(analysis).caption
