"""Numbers in tables against direct computation, the three forms they are written in, and what captions must say."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from raterbench.benchmark.metrics.calibration import expected_calibration_error
from raterbench.benchmark.store.results import Results, read_results
from raterbench.reports.analysis import Analysis
from raterbench.reports.answer.answer import answer
from raterbench.reports.page.escaping import latex_text
from raterbench.reports.tables.composite import composite
from raterbench.reports.tables.details import all_tables, by_reference, calibration, differences
from raterbench.reports.tables.rater_tables import raters
from raterbench.reports.tables.table import Cell, Table
from raterbench.reports.tables.tables import comparison_table
from raterbench.reports.tables.terminal import main_table_text
from raterbench.reports.tables.wording import NO_VALUE, words_of, write_number

pytestmark = pytest.mark.usefixtures("figures_undrawn")


@pytest.fixture(scope="module")
def table(analysis: Analysis) -> Table:
    return comparison_table(analysis)


def by_subject(results: Results, metric: str, candidate: str, reference: str = "truth") -> pd.Series:
    rows = results.rows
    keep = (rows["metric"] == metric) & (rows["candidate"] == candidate) & (rows["reference"] == reference)
    cases = rows[keep].groupby(["subject", "case"])["value"].mean()
    return cases.groupby("subject").mean()


@pytest.mark.parametrize(("metric", "candidate"), [("dice", "STAPLE"), ("hd95", "Majority vote"), ("brier", "Soft average")])
def test_means_and_spreads_are_over_subjects(results: Results, table: Table, metric: str, candidate: str) -> None:
    row = table.plain[(table.plain["metric"] == metric) & (table.plain["candidate"] == candidate)].iloc[0]
    expected = by_subject(results, metric, candidate)
    assert row["mean"] == pytest.approx(expected.mean())
    assert row["std"] == pytest.approx(expected.std(ddof=1))
    assert row["n"] == 12


def test_ece_in_the_table_is_pooled_over_all_voxels(results: Results, table: Table) -> None:
    counts = results.calibration
    mine = counts[(counts["candidate"] == "STAPLE") & (counts["reference"] == "truth") & (counts["region"] == "image")]
    pooled = mine.groupby("bin")[["n", "correct", "confidence"]].sum().reindex(range(11), fill_value=0).to_numpy()
    for last_bin in ("open", "closed"):
        expected = expected_calibration_error(pooled, last_bin)
        row = table.plain[(table.plain["metric"] == f"ece {last_bin}") & (table.plain["candidate"] == "STAPLE")].iloc[0]
        assert row["mean"] == pytest.approx(expected)
        assert f"{100 * expected:.2f}" in [c.text for c in table.rows[1]]


def test_best_is_bold_and_marks_tell_confirmatory_from_exploratory(analysis: Analysis, table: Table) -> None:
    bold = [row[0].text for row in table.rows if row[1].bold]
    assert analysis.tie_group is not None and bold == list(analysis.tie_group.group) and len(bold) < 6
    significant = analysis.rows_for("dice")["significant"]
    # One repeat confirms nothing.
    for row in table.rows[:6]:
        assert row[1].mark == ("°" if significant[row[0].text] else "")
    assert {cell.mark for row in table.rows for cell in row} == {"", "°"} and not analysis.confirmatory
    repeated = dataclasses.replace(analysis.results, long_table=three_repeats(analysis.results.long_table))
    again = Analysis(repeated)
    assert again.confirmatory
    marks = {row[0].text: row[1].mark for row in comparison_table(again).rows[:6]}
    assert marks == {name: "*" if found else "" for name, found in again.rows_for("dice")["significant"].items()}
    assert "*" in marks.values()


def three_repeats(rows: pd.DataFrame) -> pd.DataFrame:
    """The same rows three times, with a little noise in the candidates' values and folds that move on."""
    rng = np.random.default_rng(0)
    parts = []
    for repeat in range(3):
        noise = rng.normal(0, 0.005, len(rows)) * (rows["kind"] == "method") * (repeat > 0)
        fold = (rows["subject"].str[1:].astype(int) * (repeat + 1) + repeat) % 5
        parts.append(rows.assign(repeat=repeat, fold=fold, value=rows["value"].astype(float) + noise))
    return pd.concat([parts[0], *(part[part["kind"] == "method"] for part in parts[1:])], ignore_index=True)


def test_rows_that_need_no_network_stand_below_a_rule(table: Table) -> None:
    names = [row[0].text for row in table.rows]
    assert names[6:9] == ["Fused labels: Majority vote", "Fused labels: STAPLE", "Fused labels: Soft average"]
    assert names[9:] == [f"Rater {name}" for name in ("Ada", "Ben", "Cleo", "Dan", "Eve")]
    assert table.rules == {6, 9}


def test_what_only_some_candidates_estimate_is_described_and_not_tested(
    make: Callable[..., Path], analysis: Analysis, table: Table
) -> None:
    place = list(table.head).index("CM RMSE ↓")
    shown = {row[0].text: row[place] for row in table.rows}
    assert shown["Majority vote"].text == shown["Rater Ada"].text == NO_VALUE
    assert shown["Confusion matrices"].bold
    assert all(re.fullmatch(r"0\.\d+ ± 0\.\d+", shown[n].text) for n in ("Confusion matrices", "Fused labels: STAPLE"))
    described = analysis.rows_for("confusion rmse").loc["TGCE_ss 50% & more"]
    assert described["n"] == 12 and described["ci_low"] < described["mean"] < described["ci_high"]
    assert np.isnan(described["p"]) and not described["significant"]
    without = comparison_table(Analysis(read_results(make(subjects=4, slices=1, folds=2, confusions=False))))
    assert "CM RMSE ↓" not in without.head


def test_without_a_truth_the_caption_says_what_stands_in(make: Callable[..., Path], table: Table) -> None:
    words = "the truth is unknown, so each rater is compared with the majority of the other raters of the case"
    assert words in comparison_table(Analysis(read_results(make(subjects=4, slices=1, folds=2, truth=False)))).caption
    assert words not in table.caption


def test_the_caption_states_what_it_must(table: Table) -> None:
    for words in (
        "12 subjects", "24 cases", "1 repeat", "5-fold", "model t", "Holm", "Primary metric: Dice", "the truth",
        "Majority vote", "both empty", "Fewer than 3 repeats", "in bold", "Nothing is confirmatory: one repeat", "°: ",
    ):  # fmt: skip
        assert words in table.caption, words


def test_the_caption_names_failed_and_skipped(make: Callable[..., Path]) -> None:
    folder = make(candidates=("A", "B", "C"), subjects=4, folds=2, failed=[("B", 0, 1)], skipped="C", slices=1)
    caption = comparison_table(Analysis(read_results(folder))).caption
    assert "B (repeat 0 fold 1): the loss became NaN" in caption
    assert "C: needs the truth" in caption


def test_csv_is_tidy_numbers(table: Table) -> None:
    read = pd.read_csv(StringIO(table.csv()))
    assert {"metric", "reference", "candidate", "mean", "std", "ci_low", "ci_high", "p", "p_holm", "effect"} <= set(
        read.columns
    )
    assert pd.api.types.is_numeric_dtype(read["mean"])
    np.testing.assert_allclose(read["mean"], table.plain["mean"].astype(float))


def test_markdown_has_as_many_cells_in_each_line(table: Table) -> None:
    lines = [line for line in table.markdown().splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {len(table.head) + 1}
    assert any("**" in line for line in lines)


def test_latex_is_escaped_and_balanced(table: Table) -> None:
    text = table.latex()
    assert r"TGCE\_ss 50\% \& more" in text
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in body} == {len(table.head) - 1}
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
    for environment in re.findall(r"\\begin\{(.*?)\}", text):
        assert rf"\end{{{environment}}}" in text
    assert text.isascii()


def test_every_letter_that_latex_reads_is_escaped() -> None:
    assert latex_text("a_b & 50% #1 {x} ~^\\$") == (
        r"a\_b \& 50\% \#1 \{x\} \textasciitilde{}\textasciicircum{}\textbackslash{}\$"
    )


SIGNS = [(-0.0004, "0.000"), (0.0004, "0.000"), (0.02, "+0.020"), (-0.02, "−0.020"), (np.nan, "–")]


@pytest.mark.parametrize(("value", "text"), SIGNS)
def test_signs_of_differences(value: float, text: str) -> None:
    assert write_number(value, 3, sign=True) == text


def test_long_tables_run_over_pages() -> None:
    table = Table("t", "T", "c", ["a", "b"], [[Cell("x"), Cell("1")]] * 60, pd.DataFrame())
    assert "longtable" in table.latex()


def test_differences_are_paired_means(results: Results, analysis: Analysis) -> None:
    table = differences(analysis)
    assert table is not None
    row = table.plain.set_index("candidate").loc["STAPLE"]
    gap = by_subject(results, "dice", "STAPLE") - by_subject(results, "dice", "Majority vote")
    assert row["difference"] == pytest.approx(gap.mean())
    assert table.caption.startswith("These comparisons are exploratory: Dice against the truth")


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("rater:Ada", "rater Ada"),
        ("log-opinion-pool-staple", "LOP-STAPLE of the raters"),
        ("staple (region=union)", "STAPLE (region=union) of the raters"),
        ("simple", "simple of the raters"),
        ("none", "no reference"),
    ],
)
def test_a_reference_is_said_in_words(reference: str, words: str) -> None:
    assert words_of(reference) == words


def test_by_reference_starts_with_the_primary_one(results: Results, analysis: Analysis) -> None:
    table = by_reference(analysis)
    assert table is not None
    assert table.head[1] == "Truth" and len(table.head) == 7
    row = table.plain[(table.plain["reference"] == "staple") & (table.plain["candidate"] == "TGCE_ss 50% & more")].iloc[0]
    assert row["mean"] == pytest.approx(by_subject(results, "dice", "TGCE_ss 50% & more", "staple").mean())
    assert set(table.plain.loc[table.plain["reference"] != "truth", "family"]) <= {"", "exploratory"}


def test_raters_compare_with_the_identity(results: Results, analysis: Analysis) -> None:
    table = raters(analysis)
    assert table is not None
    assert [row[0].text for row in table.rows][-2:] == ["Fused labels: STAPLE", "Identity matrix"]
    ada = results.confusions[(results.confusions["rater"] == "Ada") & (results.confusions["fold"] == 0)]
    ada = ada[ada["candidate"] == "Confusion matrices"]
    identity = (ada["observed"] == ada["true"]).astype(float)
    trivial = float(np.sqrt(((identity - ada["truth"]) ** 2).mean()))
    assert table.rows[-1][2].sort == pytest.approx(trivial)


def test_calibration_says_how_many_voxels_count(analysis: Analysis) -> None:
    table = calibration(analysis)
    assert table is not None
    assert "(100 %)" in table.rows[0][table.head.index("Voxels closed")].text and len(table.rows) == 12


def test_calibration_of_each_trained_model_is_against_staple_too(results: Results, analysis: Analysis) -> None:
    table = calibration(analysis)
    assert table is not None
    counts = results.calibration
    for reference, words in (("truth", "Truth"), ("staple", "STAPLE of the raters")):
        mine = counts[(counts["candidate"] == "STAPLE") & (counts["reference"] == reference) & (counts["region"] == "image")]
        errors = []
        for _, part in mine.groupby(["repeat", "fold"]):
            pooled = part.groupby("bin")[["n", "correct", "confidence"]].sum().reindex(range(11), fill_value=0).to_numpy()
            errors.append(100 * float(expected_calibration_error(pooled, "open")))
        expected = f"{np.mean(errors):.2f} ± {np.std(errors, ddof=1):.2f}"
        row = next(row for row in table.rows if row[0].text == "STAPLE" and row[1].text == "image")
        assert row[table.head.index(f"By model, {words}, open (%)")].text == expected


def test_the_composite_table_ranks_candidates_by_their_mean_score(analysis: Analysis) -> None:
    table = composite(analysis)
    assert table is not None and "depends on which candidates take part" in table.caption and "n = 12 of each" in table.caption
    by_place = sorted(table.rows, key=lambda row: row[2].sort)
    assert [row[1].sort for row in by_place] == sorted((row[1].sort for row in table.rows), reverse=True)
    assert sum(row[1].sort for row in table.rows) == pytest.approx(0, abs=1e-9)
    assert [row[0].text for row in table.rows if row[1].bold] == [by_place[0][0].text]
    assert table.head[-1] == "z of Absolute relative volume difference"
    rows = analysis.results.long_table
    without = dataclasses.replace(analysis.results, long_table=rows[rows["metric"] != "avd"])
    assert composite(Analysis(without)) is None


def test_the_debiased_error_stands_beside_the_plug_in_one(analysis: Analysis) -> None:
    table = calibration(analysis)
    assert table is not None and "interval of this plug-in estimate cannot cover 0" in table.caption
    for treatment in ("open", "closed"):
        place = table.head.index(f"Debiased {treatment} (%)")
        assert table.head[place - 2] == f"ECE {treatment} (%)"
        known = table.plain[table.plain["last_bin"] == treatment]
        assert [row[place].text for row in table.rows] == [write_number(100 * v, 2) for v in known["ece_debiased"]]
        assert all(row[place].sort <= row[place - 2].sort for row in table.rows)


def test_every_table_can_be_written(analysis: Analysis) -> None:
    tables = all_tables(analysis)
    assert [t.name for t in tables] == [
        "comparison", "differences", "differences-exploratory", "composite", "by-reference", "by-class", "by-centre",
        "calibration", "interchangeability", "raters-left-out",
        "raters", "rater-classes", "alarms", "units",
    ]  # fmt: skip
    for table in tables:
        assert all(len(row) == len(table.head) for row in table.rows), table.name
        assert list(table.files) == [f"tables/{table.name}.{ending}" for ending in ("md", "csv", "tex")]
        assert all(table.files.values())


def test_the_terminal_table_fits(results: Results) -> None:
    lines = main_table_text(results).splitlines()
    assert max(map(len, lines)) <= 100
    text = "\n".join(lines)
    for words in ("Dice", "CM RMSE", "Brier", "ECE", "baseline", "12 subjects"):
        assert words in text


@pytest.mark.parametrize(
    ("facts", "head", "size"),
    [
        ({}, "HD95 (mm) ↓", "False-positive area [mm²]"),
        ({"unit": "pixel"}, "HD95 (px) ↓", "False-positive area [px²]"),
        ({"unit": "mm", "case_shape": [9, 40, 48]}, "HD95 (mm) ↓", "False-positive volume [mm³]"),
    ],
)
def test_lengths_are_in_the_unit_of_the_data_set(small: Results, facts: dict[str, object], head: str, size: str) -> None:
    analysis = Analysis(dataclasses.replace(small, facts={**small.facts, **facts}))
    assert analysis.head("hd95") == head
    assert analysis.label("false positive volume") == size
    assert analysis.label("surface dice").endswith(" px" if facts.get("unit") == "pixel" else " mm")
    assert head in comparison_table(analysis).markdown()


def test_what_was_warned_of_in_the_plan_is_in_the_caption_and_in_the_summary(small: Results) -> None:
    said = "the tolerance of surface dice, 9 mm, is at least half the diagonal of the smallest image."
    analysis = Analysis(dataclasses.replace(small, facts={**small.facts, "warnings": [said]}))
    assert said in comparison_table(analysis).caption
    assert f"T{said[1:]}" in answer(analysis).warnings


def test_the_caption_says_whether_cuts_by_the_image_are_surface(small: Results) -> None:
    assert "edge voxels, also where the image cuts an object" in comparison_table(Analysis(small)).caption
    without = dataclasses.replace(
        small,
        experiment=small.experiment.replace(
            metrics=("dice", {"name": "surface dice", "image_border": False}, {"name": "hd95", "image_border": False})
        ),
    )
    assert "edge voxels, but not where the image cuts an object" in comparison_table(Analysis(without)).caption
