"""Published cells beside measured ones: the numbers, what counts as a difference, and what is said where there are none."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from raterbench.benchmark.experiment.experiment import Candidate, Experiment, Split
from raterbench.benchmark.store.results import read_results
from raterbench.methods.fit_report import FitReport
from raterbench.reports.page.report import write_report
from raterbench.reports.published.tables import published_tables
from raterbench.reports.tables.table import Table
from raterbench.reports.tables.terminal import published_parts

from ...made_units import MadeUnit, write_run

REASON, DIFFERENCE = -1, -2
TABLE_ONE = {
    "STAPLE": {"dice": [0.77, 0.78, 0.79]},  # 78.03 ± 0.29 in the paper
    "Naive CNN on mode labels": {"dice": [0.92, 0.93, 0.94]},  # 62.89 ± 0.63
    "Confusion network lambda 0.7": {"dice": [0.828, 0.829, 0.83], "confusion rmse": [0.05, 0.06, 0.07]},  # .0887 ± .0008
}
CASES = 4
FACTS = {"title": "Digits", "citation": "", "licence": "", "source": "", "classes": ["background", "digit"], "raters": ["good"]}


def study(folder: Path, values=TABLE_ONE, *, dataset="mnist", published="zhang2020-table1", fused=(), warnings=()) -> Path:
    """Results whose value of a repeat is its mean over four images; ``values``: candidate -> metric -> one value a repeat."""
    training = {"report": FitReport(alarms=list(warnings))}
    repeats = max(len(v) for metrics in values.values() for v in metrics.values())
    units = []
    for name, metrics in values.items():
        for repeat in range(repeats):
            units.append(MadeUnit(name, "method", repeat, rows=rows(name, metrics, repeat), training=training))
    units += [MadeUnit(name, "fusion", rows=rows(name, metrics, 0)) for name, metrics in fused]
    experiment = Experiment(
        folder.name, tuple(Candidate(n, "majority-vote") for n in values), dataset=dataset, published=published,
        split=Split(policy="holdout", repeats=repeats),
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    write_run(folder, experiment, FACTS, units)
    return folder


def rows(name, metrics, repeat):
    found = []
    for metric, values in metrics.items():
        for case in range(CASES):
            value = values[repeat] + 0.01 * (case - (CASES - 1) / 2)
            head = [name, f"c{case}", f"c{case}", "here", "all" if metric == "confusion rmse" else "digit"]
            found += [[*head, "truth", metric, value], [*head, "raters", metric, 0.1]]
    return found


def cell(table: Table, row: str, head: str, column: int) -> str:
    return next(cells[column].text for cells in table.rows if (cells[0].text, cells[1].text) == (row, head))


@pytest.fixture
def tables(tmp_path) -> list[Table]:
    return published_tables(read_results(study(tmp_path / "zhang2020-table1")))


def test_a_cell_has_what_is_printed_what_is_measured_and_their_difference(tables):
    head = "Dice (%)"
    assert [cell(tables[0], "STAPLE", head, n) for n in range(2, 7)] == ["78.03 ± 0.29", "78.00 ± 1.00", "3 × 4", "−0.03", ""]
    row = tables[0].plain.query("candidate == 'STAPLE' and metric == 'dice'").iloc[0]
    assert (row["published"], row["published_std"], row["n"], row["subjects"]) == (78.03, 0.29, 3, 4)
    assert (row["measured"], row["measured_std"]) == (pytest.approx(78.0), pytest.approx(1.0))
    assert not row["differs"]


def test_a_reason_stands_only_where_the_values_differ(tables):
    plain = tables[0].plain
    assert "invert the order" in cell(tables[0], "Naive CNN on mode labels", "Dice (%)", REASON)
    assert cell(tables[0], "Naive CNN on mode labels", "Dice (%)", DIFFERENCE) == "+30.11"
    assert cell(tables[0], "Our method (λ = 0.7)", "Dice (%)", REASON) == ""
    assert "not said" in cell(tables[0], "Our method (λ = 0.7)", "confusion RMSE", REASON)
    assert "inverted by these raters" in tables[0].caption and "validation images" in tables[0].caption
    assert "no parameters of its raters" not in tables[0].caption
    assert plain.loc[plain["differs"], "why"].str.len().min() > 0
    assert set(plain.loc[~plain["differs"], "why"]) == {"", "not measured"}


def test_an_alarm_is_the_reason_of_a_difference(tmp_path):
    table = published_tables(read_results(study(tmp_path / "zhang2020-table1", warnings=["it left"])))[0]
    assert cell(table, "Our method (λ = 0.7)", "confusion RMSE", REASON) == "the learned truth left the raters"
    assert cell(table, "STAPLE", "Dice (%)", REASON) == ""
    mode = cell(table, "Naive CNN on mode labels", "Dice (%)", REASON)
    assert "invert the order" in mode, "whatever else units warn of: only a learned truth can leave the raters"


def test_without_a_spread_the_tolerance_decides(tmp_path):
    once = {"STAPLE": {"dice": [0.789]}, "Spatial STAPLE": {"dice": [0.80]}}
    table = published_tables(read_results(study(tmp_path / "zhang2020-table1", once)))[0]
    assert cell(table, "STAPLE", "Dice (%)", 3) == "78.90"
    assert cell(table, "STAPLE", "Dice (%)", REASON) == ""
    assert cell(table, "Spatial STAPLE", "Dice (%)", REASON) != ""
    assert "beyond 1 in Dice (%)" in table.caption


def test_fused_labels_stand_in_where_the_candidate_has_no_value(tmp_path):
    fused = [("staple", {"confusion rmse": [0.2], "dice": [0.1]})]
    table = published_tables(read_results(study(tmp_path / "zhang2020-table1", fused=fused)))[0]
    assert cell(table, "STAPLE", "confusion RMSE", 3) == "0.2000"
    assert cell(table, "STAPLE", "Dice (%)", 3) == "78.00 ± 1.00"
    assert "from the ratings of the test images themselves: confusion RMSE of STAPLE." in table.caption


def test_experiments_with_other_options_of_a_data_set_show_their_own_columns(tmp_path):
    values = {"HQ + upgraded": {"dice": [0.9, 0.92, 0.94]}}
    folder = study(tmp_path / "vadineanu2025-table1-bias", values, dataset="cells", published="vadineanu2025-table1")
    (table,) = published_tables(read_results(folder))
    head = "HL60, bias 6, network, Dice"
    assert {cells[1].text for cells in table.rows} == {
        head,
        *(f"HL60, bias 6, {q} annotations, Dice" for q in ("LQ", "upgraded")),
    }
    assert [cell(table, "HQ + upg.", head, n) for n in (2, 3)] == ["0.923", "0.920 ± 0.020"] and len(table.rows) == 5 + 2
    mine = study(tmp_path / "mine", values, dataset="cells", published="vadineanu2025-table1")
    (table,) = published_tables(read_results(mine))
    assert {cells[3].text for cells in table.rows} == {"–"} and len(table.rows) == 56


def test_another_data_set_without_results_says_how_to_get_them(tables):
    assert [t.name for t in tables] == ["published", "published-2"]
    other = tables[1]
    assert {c[REASON].text for c in other.rows} == {"no data: see raterbench run zhang2020-table1-ms"}
    assert "register at https://smart-stats-tools.org" in other.caption and "<data>/isbi2015/training" in other.caption
    assert other.plain["measured"].isna().all()


def test_results_beside_fill_the_other_columns(tmp_path):
    folder = study(tmp_path / "zhang2020-table1")
    study(tmp_path / "zhang2020-table1-ms", {"STAPLE": {"dice": [0.55]}}, dataset="isbi2015")
    other = published_tables(read_results(folder))[1]
    assert cell(other, "STAPLE", "Dice (%)", 3) == "55.00"
    assert cell(other, "Spatial STAPLE", "Dice (%)", REASON) == "not measured"
    own = published_tables(read_results(tmp_path / "zhang2020-table1-ms"))
    assert [t.title.rpartition(": ")[2] for t in own] == ["MS lesions", "MNIST"]
    assert cell(own[1], "STAPLE", "Dice (%)", 3) == "78.00 ± 1.00"


def test_results_beside_that_are_unfinished_or_of_other_data_are_no_data(tmp_path):
    folder = study(tmp_path / "zhang2020-table1")
    beside = study(tmp_path / "zhang2020-table1-ms", dataset="phantom")
    assert published_tables(read_results(folder))[1].plain["measured"].isna().all()
    (beside / "experiment.json").write_text("{}")
    assert published_tables(read_results(folder))[1].plain["measured"].isna().all()


def test_nothing_is_shown_where_nothing_is_declared_or_fits(tmp_path, results):
    assert published_tables(results) == published_parts(results) == []
    assert published_tables(read_results(study(tmp_path / "a", published=""))) == []
    assert published_tables(read_results(study(tmp_path / "b", dataset="phantom"))) == []


def test_the_report_has_it_as_a_section_as_files_and_in_the_terminal(tmp_path, figures_unsaved):
    folder = study(tmp_path / "zhang2020-table1")
    page = write_report(folder).read_text(encoding="utf-8")
    assert '<section id="published">' in page and '<a href="#published">' in page
    assert page.index('id="published"') < page.index('id="run"')
    assert "Learning to segment when experts disagree" in page
    read = pd.read_csv(folder / "tables" / "published.csv")
    assert len(read) == 12 + 9
    assert r"\ensuremath{\lambda}" in (folder / "tables" / "published.tex").read_text(encoding="utf-8")
    assert (folder / "tables" / "published-2.md").is_file()
    console = Console(width=110, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    for part in published_parts(read_results(folder)):
        console.print(part)
    text = console.export_text()
    assert "78.03 ± 0.29" in text and "+30.11" in text and "3 × 4" in text and "…" not in text
    assert "these raters" in text
    assert "Published beside measured: MS lesions: no data: see raterbench run zhang2020-table1-ms" in text
