"""Reports of numbers that nobody hopes for: zeros, nothing, infinity, candidates that collapsed, parts that break."""

from __future__ import annotations

import dataclasses
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from raterbench.__main__ import main
from raterbench.benchmark.results import Results, read_results
from raterbench.datasets.errors import RaterbenchError
from raterbench.reports import details, figures, report
from raterbench.reports.analysis import Analysis
from raterbench.reports.captions import main_caption
from raterbench.reports.collapse import collapsed_candidates
from raterbench.reports.details import all_tables
from raterbench.reports.entropy import entropy
from raterbench.reports.figures import all_figures, write_figures
from raterbench.reports.part_maker import PartMaker
from raterbench.reports.report import make_report, write_report
from raterbench.reports.style import house_style
from raterbench.reports.summary import summarise
from raterbench.reports.tables import comparison_table
from raterbench.reports.terminal import main_table_text
from raterbench.reports.wording import decimals_for, write_number

SMALL: dict[str, Any] = {
    "candidates": ("A", "B", "C"), "subjects": 6, "slices": 1, "folds": 2, "raters": ("Ada", "Ben"), "pictures": False,
    "confusions": False, "classes": ("lesion",),
}  # fmt: skip


@pytest.fixture
def small(make: Callable[..., Path]) -> Results:
    return read_results(make(**SMALL))


def changed(results: Results, value: Any, **where: str) -> Results:
    """The same results with another value in the rows of methods where these columns have these words."""
    rows = results.rows.copy()
    chosen = (rows["kind"] == "method") & np.logical_and.reduce([rows[c].eq(v) for c, v in where.items()] or [True])
    rows.loc[chosen, "value"] = value(rows.loc[chosen, "value"]) if callable(value) else value
    return dataclasses.replace(results, rows=rows)


UNHOPED: dict[str, tuple[Any, dict[str, str]]] = {
    "all zero": (0.0, {}),
    "all the same": (0.7, {}),
    "all missing": (np.nan, {}),
    "one candidate missing": (np.nan, {"candidate": "B"}),
    "the baseline missing": (np.nan, {"candidate": "A"}),
    "the primary metric missing": (np.nan, {"metric": "dice"}),
    "another metric infinite": (np.inf, {"metric": "hd95"}),
    "huge": (lambda v: v * 1e300, {"metric": "hd95"}),
    "huge primary": (lambda v: v * 1e299, {"metric": "dice"}),
    "the largest number": (1.7e308, {"metric": "brier"}),
    "tiny": (lambda v: v * 1e-310, {"metric": "brier"}),
    "tiny primary": (lambda v: v * 1e-310, {"metric": "dice"}),
}


@pytest.mark.parametrize("name", UNHOPED)
def test_every_table_and_figure_is_made(small: Results, name: str, tmp_path: Path) -> None:
    value, where = UNHOPED[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        analysis = Analysis(changed(small, value, **where))
        tables, text = all_tables(analysis), main_table_text(analysis.results)
        summary = summarise(analysis)
        effects = [plot for plot in all_figures(analysis) if plot.name in ("effects", "entropy")]
        assert write_figures(effects, tmp_path) or name in ("all missing", "the primary metric missing")
    written = "".join(t.markdown() + t.latex() for t in tables) + text + summary.headline + "".join(summary.findings)
    assert not re.search(r"\bnan\b|\binf\b", written, re.IGNORECASE)
    assert max(map(len, re.findall(r"\d+", written))) < 30


def test_equal_candidates_do_not_differ(small: Results) -> None:
    row = Analysis(changed(small, 0.0)).of("dice").loc["B"]
    assert (row["difference"], row["p"], row["p_holm"], row["significant"]) == (0, 1, 1, False)


def test_a_missing_number_says_why_in_every_form(small: Results) -> None:
    table = comparison_table(Analysis(changed(small, np.nan, candidate="B", metric="hd95")))
    assert "HD95 (mm) of B: none of the 6 values of B is defined." in table.full_caption
    assert "none of the 6 values of B is defined" in table.markdown() and "none of the 6 values" in table.latex()
    cell = next(row for row in table.rows if row[0].text == "B")[table.head.index("HD95 (mm) ↓")]
    assert (cell.text, cell.note) == ("–", "none of the 6 values of B is defined")
    assert "Undefined (–)" not in comparison_table(Analysis(small)).full_caption


def test_the_page_shows_the_reason(make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make(**{**SMALL, "empty": True})
    page = write_report(folder, strict=True).read_text(encoding="utf-8")
    assert 'title="none of the 6 values of B is defined"' in page
    assert "Undefined (–). HD95 (mm) of A: none of the 6 values of A is defined." in page
    written = pd.read_csv(folder / "tables" / "comparison.csv").set_index(["metric", "candidate"])
    assert written.loc[("hd95", "B"), "why_no_mean"] == "none of the 6 values of B is defined"


@pytest.mark.parametrize(("typical", "value", "text"), [
    (0.5, 0.1234, "0.123"),
    (1e-7, 1.5e-7, "1.50e−07"), (1e12, -2e12, "−2.00e+12"), (1e-7, 0.0, "0.00e+00"), (0.5, 0.0, "0.000"),
])  # fmt: skip
def test_numbers_of_any_size_can_be_read(typical: float, value: float, text: str) -> None:
    assert write_number(value, decimals_for(typical)) == text


# Collapse -----------------------------------------------------------------------------------------------------------------


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
    summary = summarise(analysis)
    (said,) = [f for f in summary.findings if "calibrat" in f]
    assert "among the candidates that did not collapse" in said and not re.search(r": B\b", said)
    assert any(w.startswith("Collapsed, and so never called best on anything: B (mean Dice 0.000") for w in summary.warnings)
    row = next(row for row in comparison_table(analysis).rows if row[0].text == "B")
    assert not any(cell.bold for cell in row)
    assert "B collapsed and may not be the best" in main_caption(analysis, ["dice"])
    assert not analysis.of("brier").loc["B", "best"] and np.isfinite(analysis.of("brier").loc["B", "p"])


def test_empty_images_do_not_hide_a_collapse(small: Results) -> None:
    """Where most references are empty, who marks nothing has a high Dice; the recall is defined where something is."""
    found = changed(changed(small, 0.9, metric="dice"), 0.0, candidate="B", metric="recall")
    assert Analysis(found).collapsed == {"B": pytest.approx(Analysis(found).collapsed["B"])}
    assert Analysis(found).collapsed["B"].startswith("mean recall 0.000")


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
    summary = summarise(Analysis(changed(small, 0.0, metric="dice")))
    assert summary.headline == "No candidate can be called best on Dice."
    assert "Nobody can be called best calibrated: all candidates collapsed." in summary.findings


def test_best_calibrated_is_said_only_beyond_chance(small: Results) -> None:
    analysis = Analysis(small)
    table = analysis.calibration.image("closed")
    best = table["ece"].idxmin()
    (said,) = [f for f in summarise(analysis).findings if "calibrat" in f]
    overlap = [c for c in table.index if c != best and table.loc[c, "ece_low"] <= table.loc[best, "ece_high"]]
    assert list(analysis.calibration.close_to(best, "closed")) == overlap
    assert said.startswith("Lowest calibration error" if overlap else "Best calibrated")
    one = dataclasses.replace(small, calibration=small.calibration[small.calibration["subject"] == "s00"])
    (said,) = [f for f in summarise(Analysis(one)).findings if "calibrat" in f]
    assert said.startswith("Lowest calibration error: "), "one subject has no interval"


# Entropy ------------------------------------------------------------------------------------------------------------------


def test_the_entropy_mae_is_one_number_in_table_figure_and_file(small: Results) -> None:
    analysis = Analysis(small)
    with house_style():
        plot = entropy(analysis)
    assert plot is not None
    rows = small.rows
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


def test_units_of_earlier_versions_change_no_entropy_mae(small: Results) -> None:
    rows = small.rows
    old = rows[rows["metric"] == "entropy error"].assign(reference="truth", value=9.0)
    both = Analysis(dataclasses.replace(small, rows=pd.concat([old, rows], ignore_index=True)))
    pd.testing.assert_frame_equal(both.of("entropy error"), Analysis(small).of("entropy error"))
    only = rows[rows["metric"] != "entropy error"]
    against_truth = Analysis(dataclasses.replace(small, rows=pd.concat([only, old], ignore_index=True)))
    assert "entropy error" not in against_truth.metrics
    assert not any("Entropy MAE" in head for head in comparison_table(against_truth).head)
    with house_style():
        plot = entropy(against_truth)
    assert plot is not None and "MAE" not in plot.alt + plot.caption


def test_an_entropy_error_against_the_truth_has_its_own_name(small: Results) -> None:
    named = small.rows[small.rows["metric"] == "entropy error"].assign(metric="entropy error against truth", reference="truth")
    analysis = Analysis(dataclasses.replace(small, rows=pd.concat([small.rows, named], ignore_index=True)))
    heads = comparison_table(analysis).head
    assert "Entropy error, truth (nat) ↓" in heads and "Entropy MAE (nat) ↓" in heads


def test_the_relative_volume_difference_says_that_it_is_relative(small: Results) -> None:
    analysis = Analysis(small)
    assert analysis.label("avd") == "Absolute relative volume difference"
    assert "AVD: absolute relative volume difference." in comparison_table(analysis).caption


# Parts that break ---------------------------------------------------------------------------------------------------------


def broken(_: Analysis) -> None:
    raise ValueError("Axis limits cannot be NaN or Inf")


def test_a_broken_part_is_named_and_the_others_are_there(
    make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make(**SMALL)
    monkeypatch.setattr(figures, "effects", broken)
    monkeypatch.setattr(details, "by_reference", broken)
    said = "The figure ‘effects’ could not be made: ValueError: Axis limits cannot be NaN or Inf"
    assert main(["report", str(folder)]) == 1
    assert said in capsys.readouterr().out
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.count(said) == 2, "where it belongs, and in what to beware of"
    assert "The table ‘by-reference’ could not be made" in page and 'id="table-comparison"' in page
    assert not (folder / "figures" / "effects.png").exists() and (folder / "figures" / "entropy.png").exists()
    with pytest.raises(ValueError, match="Axis limits"):
        write_report(folder, strict=True)
    with pytest.raises(ValueError, match="Axis limits"):
        all_figures(Analysis(read_results(folder)))


def test_a_figure_that_cannot_be_laid_out_leaves_no_file(small: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    def half_saved(figure: object, path: Path) -> list[Path]:
        path.with_suffix(".png").write_bytes(b"half")
        raise ZeroDivisionError("float division by zero")

    monkeypatch.setattr(figures, "save", half_saved)
    part_maker = PartMaker(strict=False)
    with house_style():
        plot = entropy(Analysis(small))
    assert plot is not None
    assert write_figures([plot], small.folder / "figures", part_maker) == []
    assert list((small.folder / "figures").iterdir()) == []
    assert [str(b) for b in part_maker.broken] == [
        "The figure ‘entropy’ could not be made: ZeroDivisionError: float division by zero"
    ]


def test_a_metric_that_breaks_leaves_the_others(small: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    compare = Analysis.compare

    def breaks(self: Analysis, metrics: list[str], reference: str) -> Any:
        if metrics == ["hd95"]:
            raise OverflowError("too large")
        return compare(self, metrics, reference)

    monkeypatch.setattr(Analysis, "compare", breaks)
    analysis = Analysis(small, part_maker=PartMaker(strict=False))
    assert "hd95" not in set(analysis.table["metric"]) and "brier" in set(analysis.table["metric"])
    assert [cell.text for row in comparison_table(analysis).rows for cell in row if "HD95" in cell.text] == []
    assert "The metric ‘hd95’ could not be made: OverflowError: too large." in summarise(analysis).warnings


def test_a_fault_in_code_is_not_hidden() -> None:
    part_maker = PartMaker(strict=False)
    with pytest.raises(KeyError):
        part_maker.make("figure", "f", lambda: {}["no such name"])
    part_maker.make("table", "t", lambda: (_ for _ in ()).throw(RaterbenchError("mend this.")))
    assert str(part_maker.broken[0]) == "The table ‘t’ could not be made: mend this"


def test_without_the_primary_metric_there_is_no_report(small: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = small.rows[small.rows["metric"] != "dice"]
    monkeypatch.setattr(report, "read_results", lambda folder: dataclasses.replace(small, rows=rows))
    with pytest.raises(RaterbenchError, match="the primary metric 'dice' is not among the results"):
        make_report(small.folder)
