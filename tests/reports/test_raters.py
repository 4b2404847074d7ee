"""What a report says about the raters: errors and intervals against direct computation, and what figures leave out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.lines import Line2D
from scipy import stats

from raterbench.benchmark.metrics.confusion import confusion_rmse
from raterbench.benchmark.statistics.rater_errors import IDENTITY
from raterbench.benchmark.statistics.significance import corrected_t_interval
from raterbench.benchmark.store.results import Results, read_results
from raterbench.reports.analysis import Analysis
from raterbench.reports.figures.raters import reliability_maps as maps
from raterbench.reports.figures.raters.confusion import confusion, confusion_entries
from raterbench.reports.figures.raters.identification import identification
from raterbench.reports.tables.rater_tables import alarms, rater_classes, raters
from raterbench.reports.tables.rater_wording import same_alarm
from raterbench.reports.tables.terminal import main_table_text

SMALL: dict[str, Any] = {
    "subjects": 4, "slices": 1, "folds": 2, "classes": ("lesion",), "calibration": False, "overlap": ("dice",),
    "against": ("raters",),
}  # fmt: skip
FOUR = ("A", "B", "C", "D")


def made(make: Callable[..., Path], **settings: Any) -> Analysis:
    return Analysis(read_results(make(**{**SMALL, **settings})))


def test_errors_are_those_of_every_fold(results: Results, analysis: Analysis) -> None:
    found = analysis.rater_errors.set_index(["candidate", "repeat", "fold", "rater"])["rmse"]
    for keys, part in results.confusions.groupby(["candidate", "repeat", "fold", "rater"]):
        estimate, truth = part["estimate"].to_numpy(float), part["truth"].to_numpy(float)
        assert found[keys] == pytest.approx(confusion_rmse(estimate, truth))
        right = (part["observed"] == part["true"]).to_numpy(float)
        assert found[(IDENTITY, *keys[1:])] == pytest.approx(confusion_rmse(right, truth))


def test_the_interval_is_wider_than_if_folds_were_independent() -> None:
    values = [0.1, 0.2, 0.15, 0.12]
    low, high = corrected_t_interval(values, 0.25)
    half = stats.t.ppf(0.975, 3) * np.std(values, ddof=1)
    assert (low, high) == pytest.approx((np.mean(values) - half * 0.5**0.5, np.mean(values) + half * 0.5**0.5))
    assert corrected_t_interval(values, np.nan) == pytest.approx(stats.t.interval(0.95, 3, np.mean(values), stats.sem(values)))
    assert np.isnan(corrected_t_interval([0.1, np.nan], 0.25)).all()


def test_the_table_has_means_intervals_and_training_cases(results: Results, analysis: Analysis) -> None:
    table = raters(analysis)
    assert table is not None
    assert list(table.head[1:3]) == ["All raters", "Ada (n = 16)"] and table.head[-1] == "Eve (n = 0)"
    errors = analysis.rater_errors
    ada = errors.loc[(errors["candidate"] == "Confusion matrices") & (errors["rater"] == "Ada"), "rmse"]
    low, high = corrected_t_interval(ada.to_numpy(), 0.24)
    row = table.plain[(table.plain["candidate"] == "Confusion matrices") & (table.plain["rater"] == "Ada")].iloc[0]
    assert row["rmse"] == pytest.approx(ada.mean()) and row["n_folds"] == 5
    assert (row["low"], row["high"]) == pytest.approx((low, high)), "4.8 test cases stand against 20"
    assert table.rows[0][2].text == f"{ada.mean():.4f} ± {(row['high'] - row['low']) / 2:.4f}"
    for column in range(1, 7):
        cells = [r[column] for r in table.rows]
        assert [c.bold for c in cells] == [c.sort == min(c.sort for c in cells) for c in cells]
    assert "Folds share training cases and are not independent" in table.caption


def test_classes_of_a_rater_stand_below_the_truth(results: Results, analysis: Analysis) -> None:
    table = rater_classes(analysis)
    assert table is not None
    assert [row[1].text for row in table.rows[:4]] == [
        "Truth", "Confusion matrices", "TGCE_ss 50% & more", "Fused labels: STAPLE",
    ]  # fmt: skip
    assert table.rules == {4, 8, 12, 16} and [row[0].text for row in table.rows[3:5]] == ["Ada", "Ben"]
    of_ben = results.confusions.query("rater == 'Ben' and observed == true and true == 'grey matter'")
    for row in table.rows[5:7]:
        mine = of_ben.loc[of_ben["candidate"] == row[1].text, "estimate"]
        assert row[-1].sort == pytest.approx(mine.mean()) and row[2].text == "16"
    assert table.rows[4][-1].sort == pytest.approx(of_ben["truth"].mean())


def test_where_nobody_knows_the_truth_the_others_stand_in(make: Callable[..., Path]) -> None:
    unknown = made(make, truth=False, candidates=FOUR, identified=FOUR[1:])
    table, classes, plot = raters(unknown), rater_classes(unknown), identification(unknown)
    assert table is not None and classes is not None and plot is not None
    for caption in (table.caption, classes.caption, plot.caption):
        assert "The truth is unknown: each rater is compared with the majority of the other raters" in caption
    assert classes.rows[0][1].text == "Majority of the others"
    assert "compared with the majority" in confusion(unknown)[0].caption


def test_what_cannot_be_compared_is_still_shown(make: Callable[..., Path]) -> None:
    alone = made(make, compared=False, truth=False, candidates=FOUR, identified=FOUR)
    assert raters(alone) is None and confusion_entries(alone) is None and identification(alone) is None
    classes = rater_classes(alone)
    assert classes is not None and classes.rows[0][1].text == "A"
    (plot,) = confusion(alone)
    assert not [t for axes in plot.figure.axes for t in axes.texts if "RMSE" in t.get_text()]


def test_one_fold_has_no_interval(results: Results) -> None:
    one = results.confusions[results.confusions["fold"] == 0]
    table = raters(Analysis(dataclasses.replace(results, confusions=one, packed={})))
    assert table is not None
    assert "One fold: there is no interval." in table.caption and "n: training cases" not in table.caption
    assert "±" not in table.rows[0][1].text and table.head[2] == "Ada"


def test_every_alarm_is_counted_by_candidate(analysis: Analysis, results: Results) -> None:
    table = alarms(analysis)
    assert table is not None
    said = [[cell.text for cell in row] for row in table.rows]
    assert said[0] == ["Majority vote", "1 of 5 units", "Rater Eve is absent from the training part"]
    assert [row[0] for row in said] == ["Majority vote", "Soft average", "Confusion matrices"]
    quiet = dataclasses.replace(results, units=results.units.assign(alarms=[[] for _ in range(len(results.units))]))
    assert alarms(Analysis(quiet)) is None
    words = " ".join(main_table_text(results).split())
    assert "Alarms were raised by Majority vote, Soft average, Confusion matrices; the report says which." in words
    assert "Alarms" not in main_table_text(quiet)


def test_alarms_are_one_kind_where_numbers_alone_differ() -> None:
    said = ["Dice fell from 0.9 to 0.8", "rater 'r1' rated 1 case", "Dice fell from 1.00 to 0.2", "rater 'r2' rated 1 case"]
    assert same_alarm(pd.Series(said)).nunique() == 3, "two raters are two alarms, whatever they are called"


def test_a_point_stands_where_its_numbers_say(make: Callable[..., Path]) -> None:
    found = made(make, candidates=FOUR, identified=FOUR[:3], folds=4, truth=True)
    plot = identification(found)
    assert plot is not None
    errors = found.rater_errors.groupby(["candidate", "repeat", "fold"])["rmse"].mean().groupby("candidate").mean()
    (axes,) = plot.figure.axes
    for name in FOUR[:3]:
        expected = (errors[name], found.rows_for("dice")["mean"][name])
        (marker,) = [line for line in lines(axes) if line.get_label() == name]
        assert (marker.get_xdata()[0], marker.get_ydata()[0]) == pytest.approx(expected)
        assert (marker.get_markerfacecolor() == "white") is (name in ("A", "C"))
    assert sum(text.get_text() == "!" for text in axes.texts) == 2
    upright = [line for line in lines(axes) if list(line.get_xdata()) == pytest.approx([errors[IDENTITY]] * 2)]
    assert len(upright) == 1
    assert "without knowing the truth" in plot.caption


def test_many_candidates_have_a_line_each(make: Callable[..., Path]) -> None:
    names = [f"N{i:02d}" for i in range(12)]
    found = made(make, candidates=names, identified=names, folds=4, truth=True)
    plot = identification(found)
    assert plot is not None
    errors = found.rater_errors.groupby(["candidate", "repeat", "fold"])["rmse"].mean().groupby("candidate").mean()
    assert plot.caption.startswith("One line a candidate")
    metric, error = plot.figure.axes
    written = [label.get_text() for label in metric.get_yticklabels()]
    assert [text.removesuffix(" (!)") for text in written] == names
    for axes, expected in ((metric, found.rows_for("dice")["mean"]), (error, errors)):
        points = {line.get_ydata()[0]: line for line in lines(axes) if line.get_marker() == "o"}
        for place, name in enumerate(names):
            assert points[place].get_xdata()[0] == pytest.approx(expected[name])
            assert (points[place].get_markerfacecolor() == "white") is written[place].endswith("(!)")


def lines(axes: Any) -> list[Line2D]:
    return list(axes.lines)


def test_two_estimators_make_no_figure(analysis: Analysis) -> None:
    assert identification(analysis) is None


def test_what_a_page_has_no_room_for_is_named(make: Callable[..., Path]) -> None:
    names = [f"N{i:02d}" for i in range(18)]
    found = made(make, candidates=names, identified=names, classes=("a", "b"), raters=("Ada", "Ben"))
    (plot,) = confusion(found)
    shown = [n for n in names if n in plot.alt]
    assert 5 < len(shown) < 18 and shown == names[: len(shown)]
    assert f"Not shown for lack of space: {', '.join([*names[len(shown) :], 'Fused labels: STAPLE'])};" in plot.caption
    entries = confusion_entries(found)
    assert entries is not None and "N12" in entries.caption and "N11" not in entries.caption


def test_maps_say_what_they_are(results: Results) -> None:
    candidates = tuple(
        dataclasses.replace(c, method="tgce" if c.name.startswith("TGCE") else c.method) for c in results.experiment.candidates
    )
    confusions = results.confusions[results.confusions["candidate"] == "Confusion matrices"]
    known = dataclasses.replace(results, experiment=results.experiment.replace(candidates=candidates), confusions=confusions)
    plots = maps.reliability_maps(Analysis(known))
    assert [plot.name for plot in plots] == ["reliability-maps", "reliability-maps-2"]
    assert "Confusion matrices: the probability that the rater is right." in plots[0].caption
    assert "TGCE_ss 50% & more: a gate" in plots[0].caption and "not a graded measure" in plots[0].caption
    page = plots[0].figure.axes[0]
    shown = [text.get_text() for text in page.texts]
    assert [name for name in shown if name in ("Image", *results.facts["raters"])] == ["Image", "Ada", "Ben", "Cleo", "Dan"]
    panel = page.images[1]
    case = results.pictures[0]
    expected = case.reliability["Confusion matrices"]["Ada"]
    np.testing.assert_array_equal(np.asarray(panel.get_array()), expected[maps.view(case)])
    assert panel.get_clim() == (0, 1)


def test_no_maps_make_no_figure(make: Callable[..., Path]) -> None:
    assert maps.reliability_maps(made(make, believed=())) == []


def test_the_consensus_is_the_vote_where_the_truth_is_unknown(results: Results) -> None:
    case = results.pictures[0]
    whole = tuple(slice(None) for _ in case.image.shape)
    np.testing.assert_array_equal(maps._consensus(case, whole), case.truth)
    ratings = {"a": np.array([[0, 1, 1, 255]], np.uint8), "b": np.array([[1, 1, 2, 2]], np.uint8)}
    ratings["c"] = np.array([[1, 2, 2, 2]], np.uint8)
    voted = maps._consensus(dataclasses.replace(case, truth=None, ratings=ratings), (slice(None), slice(None)))
    assert voted.tolist() == [[1, 1, 2, 2]]
