"""The diagnosis in the report: its tables, its figure, its line in the terminal, its files; and none of it elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from raterbench.benchmark.experiment.published import PublishedColumn, PublishedRow, PublishedTable
from raterbench.benchmark.store.results import Results, read_results
from raterbench.reports.analysis import Analysis
from raterbench.reports.export.columns import DIAGNOSES
from raterbench.reports.export.export import export_results
from raterbench.reports.figures.diagnosis.areas import _RowOfPanels, areas
from raterbench.reports.page.page import SECTIONS
from raterbench.reports.page.report import write_report
from raterbench.reports.published.compared import compared_table
from raterbench.reports.published.measurements import DIAGNOSIS, measurements_of, read_measurements, subject_table, subject_text
from raterbench.reports.published.tables import written_table
from raterbench.reports.tables.details import all_tables
from raterbench.reports.tables.diagnosis import diagnosis, diagnosis_words, score_calibration
from raterbench.reports.tables.table import Table
from raterbench.reports.tables.terminal import main_table_text

from ..made_diagnoses import CROSSED, PERMUTED, PREDICTED, PUBLISHED, DiagnosedStudy

pytestmark = pytest.mark.usefixtures("figures_unsaved")
STUDY = DiagnosedStudy(networks=("roi", "cat"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return STUDY.write(tmp_path_factory.mktemp("diagnosed") / "study")


@pytest.fixture(scope="module")
def diagnosed(folder: Path) -> Results:
    return read_results(folder)


@pytest.fixture(scope="module")
def analysed(diagnosed: Results) -> Analysis:
    return Analysis(diagnosed)


def found(table: Table | None) -> Table:
    assert table is not None
    return table


def row(table: Table, candidate: str, labels: str, network: str = "cat") -> dict[str, str]:
    (cells,) = (cells for cells in table.rows if [c.text for c in cells[:3]] == [candidate, labels, network])
    return {head: cell.shown for head, cell in zip(table.head, cells, strict=True)}


def test_results_hold_the_scores_as_they_were_stored(diagnosed: Results) -> None:
    table = diagnosed.diagnoses
    stored = STUDY.diagnoses(1, 2, 3)
    mine = table[(table["candidate"] == "Diagnosis first") & (table["repeat"] == 2) & (table["fold"] == 3)]
    assert len(mine) == sum(len(part.cases) * len(part.networks) for part in stored.scored)
    permuted = stored.scored[3]
    shown = mine[(mine["control"] == PERMUTED) & (mine["network"] == "cat")]
    assert shown["case"].tolist() == list(permuted.cases) and shown["score"].tolist() == permuted.probability[:, 1, 1].tolist()
    assert shown["diagnosis"].tolist() == [("healthy", "ill")[d] for d in permuted.diagnosis]
    labels = diagnosed.diagnosed_labels
    assert set(labels["control"]) == {PUBLISHED, CROSSED, PERMUTED} and set(labels["reference"]) == {"truth"}


def test_a_row_has_the_area_its_difference_and_the_quality_of_the_labels(analysed: Analysis) -> None:
    table, scores = found(diagnosis(analysed)), analysed.results.diagnoses
    shown = row(table, "Diagnosis first", "fused, cross-fitted")
    mine = scores[(scores["candidate"] == "Diagnosis first") & (scores["control"] == CROSSED) & (scores["network"] == "cat")]
    by_model = [roc_auc_score(part["diagnosis"] == "ill", part["score"]) for _, part in mine.groupby(["repeat", "fold"])]
    assert shown["AUC ↑"] == f"{np.mean(by_model):.3f}"  # Folds of one size and composition.
    assert shown["n"] == "20 + 20 × 12"
    labels = analysed.results.diagnosed_labels
    dice = labels[(labels["candidate"] == "Diagnosis first") & (labels["control"] == CROSSED)]["dice"].mean()
    assert shown["Dice ↑"] == f"{dice:.3f}"
    assert row(table, "STAPLE", "predicted")["Dice ↑"] == f"{analysed.rows_for('dice')['mean']['STAPLE']:.3f}"
    baseline = row(table, "Majority vote", "predicted")
    assert baseline["Difference"] == "baseline" and baseline["p (Holm)"] == "–"
    significant = table.plain[table.plain["p_holm"] <= 0.05]
    marked = [cells[0].text for cells in table.rows if cells[5].mark]
    assert len(significant) and marked == significant["candidate"].tolist()


def test_circular_rows_are_marked_and_leak_stands_where_diagnoses_were_permuted(analysed: Analysis) -> None:
    table = found(diagnosis(analysed))
    circular = row(table, "Diagnosis first", "fused, as published (circular)")
    assert circular["Difference"] == "–" and circular["Leak"] == "–"
    leak = row(table, "Diagnosis first", "fused, permuted")
    assert leak["Leak"] == f"{float(leak['AUC ↑']) - 0.5:+.3f}" and leak["p (Holm)"] == "–"
    said = table.caption
    assert "tell ill from healthy" in said and "Such rows are circular" in said and "not subtracted from other rows" in said
    assert "All of it is exploratory" in said and "Left out" not in said
    assert table.rules == {6, 8, 14}


def test_only_what_is_there_is_explained(analysed: Analysis) -> None:
    scores = analysed.results.diagnoses
    only = Analysis(replace(analysed.results, diagnoses=scores[scores["control"] == PREDICTED]))
    said = found(diagnosis(only)).caption
    assert "made without its raters" in said and "circular" not in said and "leak" not in said.lower()


def test_folds_of_one_class_are_named(tmp_path: Path) -> None:
    study = DiagnosedStudy(networks=("cat",), one_class=True, candidates=("Majority vote", "STAPLE"), leaky=())
    said = found(diagnosis(Analysis(read_results(study.write(tmp_path))))).caption
    assert (
        "Left out, because the test cases are all with or all without the diagnosis: repeat 0 fold 0; repeat 1 fold 0; "
        "repeat 2 fold 0 (Majority vote, STAPLE)." in said
    )


def test_cases_of_one_class_alone_have_a_row_without_numbers_and_no_figure(analysed: Analysis) -> None:
    scores = analysed.results.diagnoses
    ill = Analysis(replace(analysed.results, diagnoses=scores[scores["diagnosis"] == "ill"]))
    table = found(diagnosis(ill))
    assert row(table, "STAPLE", "predicted")[
        "AUC ↑"
    ] == "–" and "the test cases of each trained model are of one class" in " ".join(table.paragraphs)
    assert score_calibration(ill) is None and areas(ill) is None


def test_the_calibration_table_has_the_counts_of_each_bin(analysed: Analysis) -> None:
    table = found(score_calibration(analysed))
    scores = analysed.results.diagnoses
    keys = ["candidate", "source", "control", "network", "positive"]
    for key, part in table.plain.groupby(keys, sort=False):
        mine = scores[(scores[keys] == list(key)).all(axis=1)]
        number = np.minimum((mine["score"] * 10).astype(int), 9)
        assert part["n"].tolist() == np.bincount(number, minlength=10).tolist()
        assert part["positives"].sum() == (mine["diagnosis"] == "ill").sum()
    assert len(table.rows) * 10 == len(table.plain) and len(table.rows) == len(analysed.diagnosis)


def test_the_figure_has_a_panel_a_network_and_a_mark_a_control(analysed: Analysis) -> None:
    (plot,) = areas(analysed) or []
    panels = [axes for axes in plot.figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in panels] == ["roi", "cat"]
    table = analysed.diagnosis
    for axes in panels:
        marks = [line for line in axes.get_lines() if line.get_marker() not in ("None", None, "")]
        mine = table[table["network"] == axes.get_title()]
        assert sorted(float(mark.get_xdata()[0]) for mark in marks) == pytest.approx(sorted(mine["auc"]))
        hollow = [float(mark.get_xdata()[0]) for mark in marks if mark.get_markerfacecolor() == "white"]
        assert hollow == mine.loc[mine["circular"], "auc"].tolist()
        places = [float(mark.get_ydata()[0]) for mark in marks]
        assert len(set(places)) == len(places) and axes.get_lines()[0].get_xdata() == [0.5, 0.5]
    assert "Hollow marks are circular" in plot.caption and "STAPLE by cat, predicted" in plot.alt


def test_more_than_two_diagnoses_have_a_figure_each_and_a_column(tmp_path: Path) -> None:
    study = DiagnosedStudy(
        networks=("cat",), names=("none", "mild", "severe"), cases=36, candidates=("A", "B"), leaky=(), repeats=1
    )
    analysis = Analysis(read_results(study.write(tmp_path)))
    table = found(diagnosis(analysis))
    assert table.head[3] == "Diagnosis" and {cells[3].text for cells in table.rows} == {"none", "mild", "severe"}
    assert "one against the rest" in table.caption
    assert [plot.name for plot in areas(analysis) or []] == ["diagnosis-auc", "diagnosis-auc-2", "diagnosis-auc-3"]
    values = measurements_of(analysis.results).values(DIAGNOSIS[PREDICTED], "network:cat")
    assert len(values) == 2 * 4 and not values.duplicated(["candidate", "repeat", "fold"]).any()


def test_the_terminal_has_one_sentence(analysed: Analysis) -> None:
    said = diagnosis_words(analysed)
    table = analysed.diagnosis
    auc = table[(table["control"] == PREDICTED) & (table["network"] == "roi")]["auc"].tolist()
    assert said.startswith(
        f"AUC of the diagnosis by roi, predicted labels: Majority vote {auc[0]:.3f}, Diagnosis first {auc[1]:.3f}, STAPLE"
    )
    assert "(1 more network in the report)" in said and f"largest leak +{table['leak'].max():.3f} (Diagnosis first by" in said
    shown = " ".join(main_table_text(analysed.results, width=200).split())
    assert said in shown


def test_the_page_has_a_section_with_table_figure_and_files(folder: Path, tmp_path: Path) -> None:
    target = STUDY.write(tmp_path / "study")
    page = write_report(target, strict=True).read_text()
    assert 'id="diagnosis"' in page and "Whose labels serve the diagnosis of ill?" in page
    files = {file.name for file in (target / "tables").iterdir()} | {file.name for file in (target / "figures").iterdir()}
    assert {"diagnosis.csv", "diagnosis.md", "diagnosis.tex", "diagnosis-calibration.csv", "diagnosis-auc.png"} <= files
    plain = pd.read_csv(target / "tables" / "diagnosis.csv")
    assert {"p_delong", "p_corrected_t", "bootstrap_low", "leak_low", "circular", "dice_reference"} <= set(plain)
    assert next(names for anchor, _, names in SECTIONS if anchor == "diagnosis")


def test_the_export_has_the_scores_and_says_what_they_are(folder: Path, diagnosed: Results, tmp_path: Path) -> None:
    export = export_results(folder, tmp_path / "export")
    table = pd.read_csv(export.folder / "diagnoses.csv.gz", keep_default_na=False)
    assert list(table.columns) == [column.name for column in DIAGNOSES] == list(diagnosed.diagnoses.columns)
    assert table["score"].tolist() == diagnosed.diagnoses["score"].tolist()
    assert "diagnoses.csv.gz" in (export.folder / "dictionary.md").read_text()


def test_a_published_area_can_be_measured(diagnosed: Results, tmp_path: Path) -> None:
    """From the results, and from the values of each trained model in the file that an export writes."""
    file = tmp_path / "subjects.csv.gz"
    file.write_bytes(subject_text(subject_table(diagnosed)))
    column = PublishedColumn(
        "auc", "Made, AUC (%)", "auc", diagnosed.experiment.dataset, (diagnosed.experiment.name,), 1.0, 100.0, 2,
        reference="network:cat",
    )  # fmt: skip
    rows = (PublishedRow("Printed", "STAPLE", {"auc": [80.0, np.nan]}),)
    printed = PublishedTable("made-table", "Nobody", "a table", "nothing", columns=(column,), rows=rows)
    scores = diagnosed.diagnoses
    mine = scores[(scores["candidate"] == "STAPLE") & (scores["control"] == PREDICTED) & (scores["network"] == "cat")]
    by_model = [roc_auc_score(part["diagnosis"] == "ill", part["score"]) for _, part in mine.groupby(["repeat", "fold"])]
    for source in (measurements_of(diagnosed), read_measurements(file)):
        table = compared_table(printed, diagnosed.experiment.dataset, source)
        (cell,) = table.cells
        name = diagnosed.experiment.name
        assert (
            f"The measured values are those of {name} by the diagnosis network cat: mean ± standard deviation over 3 "
            "repeats of training, each the mean over its folds."
        ) in written_table(table).caption
        assert cell.measured is not None and cell.measured.mean == pytest.approx(100 * np.mean(by_model), abs=1e-4)
        assert cell.measured.n == 3 and cell.difference == pytest.approx(100 * np.mean(by_model) - 80, abs=1e-4)
        leak = source.values(DIAGNOSIS[PERMUTED], "network:cat")
        assert set(leak["candidate"]) == set(STUDY.candidates) and len(leak) == 3 * 12


def test_a_row_of_panels_has_no_candidate_and_no_control_without_a_value() -> None:
    rows = [("cat", "A", CROSSED), ("cat", "B", PREDICTED), ("own", "B", PREDICTED)]
    table = pd.DataFrame(rows, columns=["network", "candidate", "control"])
    both, own = (_RowOfPanels.of(table, networks, ["A", "B"], [PREDICTED, CROSSED]) for networks in (["cat", "own"], ["own"]))
    assert (both.names, both.controls) == (["A", "B"], [PREDICTED, CROSSED])
    assert (own.names, own.controls) == (["B"], [PREDICTED]) and own.height < both.height


def test_where_nothing_is_diagnosed_none_of_it_appears(small: Results, tmp_path: Path) -> None:
    analysis = Analysis(small)
    assert small.diagnoses.empty and small.diagnosed_labels.empty
    assert diagnosis(analysis) is None and score_calibration(analysis) is None and areas(analysis) is None
    assert not any(table.name.startswith("diagnosis") for table in all_tables(analysis))
    assert diagnosis_words(analysis) == "" and "AUC" not in main_table_text(small)
    assert not set(subject_table(small)["metric"]) & set(DIAGNOSIS.values())
    export = export_results(small.folder, tmp_path / "export")
    assert "diagnoses.csv.gz" not in export.files and "diagnos" not in (export.folder / "dictionary.md").read_text()
