"""Repaired annotations in the report: the table against the comparison itself, the pictures, and curves of budgets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from raterbench.benchmark.experiment.experiment import Candidate, Experiment, Split, Statistics
from raterbench.benchmark.statistics import compare
from raterbench.benchmark.store.picture_cases import PictureCase
from raterbench.benchmark.store.results import read_results
from raterbench.benchmark.store.units import Picture, Pictures, PredictedPicture, PredictedPictures
from raterbench.methods.fit_report import AnnotationRepair, FitReport, RepairScore
from raterbench.reports.analysis import Analysis
from raterbench.reports.figures.annotations import repair as pictures
from raterbench.reports.figures.annotations.budgets import annotation_cost, repair_by_slices
from raterbench.reports.published.measurements import (
    CHEAP,
    REPAIR,
    measurements_of,
    read_measurements,
    subject_table,
    subject_text,
)
from raterbench.reports.tables.details import all_tables
from raterbench.reports.tables.repairs import repaired_annotations, repairs

from ..made_units import MadeUnit, write_run

pytestmark = pytest.mark.usefixtures("figures_unsaved")
CASES = ("a1", "a2", "b1", "c1", "d1")
SUBJECTS = {case: case[0] for case in CASES}


def budget(name: str, careful: int, cheap: int, **more: object) -> Candidate:
    return Candidate(name, "annotation-budget", {"careful": careful, "cheap": cheap, **more})


UPGRADE = {"segmenter": {"method": "upgrade", "budget": {"epochs": 2}}}
CANDIDATES = (
    budget("Repaired 10", 1, 9, **UPGRADE), budget("Repaired 20", 2, 18, **UPGRADE, subjects=1), budget("Cheap 10", 0, 10),
    Candidate("other", "fused-labels"),
)  # fmt: skip


def score(part: str, number: int) -> RepairScore:
    """Made-up Dice that differs by case and model: of test cases, or of two training cases."""
    cases = CASES if part == "test" else ("x", "y")
    before = tuple(0.4 + 0.01 * i for i in range(len(cases)))
    after = tuple(0.7 + 0.02 * i + 0.01 * number for i in range(len(cases)))
    return RepairScore(part, "truth", cases, before, after, 0.41, 0.75 + 0.01 * number)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    units = []
    for place, candidate in enumerate(CANDIDATES):
        for repeat in range(3):
            rows = [
                [candidate.name, case, SUBJECTS[case], "here", "cell", "truth", "dice", 0.8 + 0.01 * place] for case in CASES
            ]
            scores = tuple(score(part, repeat) for part in ("test", "training"))
            report = FitReport(repair=AnnotationRepair(5, ("lq",), ("hq",), (), {}, False, scores) if place < 2 else None)
            after = np.zeros((1, 8, 8), np.uint8)
            after[0, 2:6, 2:5] = 1
            shown = PredictedPicture("a1", np.zeros((2, 8, 8), np.uint8), (), None, ("lq",), after if place < 2 else None)
            parts = {"predicted/0": PredictedPictures((shown,))}
            units.append(MadeUnit(candidate.name, repeat=repeat, rows=rows, parts=parts, training={"report": report}))
    given = np.zeros((2, 8, 8), np.uint8)
    given[0, 2:6, 2:6] = given[1, 3:7, 2:4] = 1
    picture = Picture("a1", "why", np.zeros((8, 8), np.uint8), ("hq", "lq"), given, given[0])
    rows = [[rater, case, SUBJECTS[case], "here", "cell", "truth", "dice", 0.9] for rater in ("hq", "lq") for case in CASES]
    units.append(MadeUnit("raters", "raters", rows=rows, parts={"pictures/0": Pictures((picture,))}))
    made = Experiment(
        name="made", candidates=CANDIDATES, split=Split("holdout", repeats=3), metrics=("dice",), references=("truth",),
        statistics=Statistics(resamples=20, careful_cost=4),
    )  # fmt: skip
    write_run(tmp_path, made, {"classes": ["background", "cell"], "raters": ["hq", "lq"], "truth_known": True}, units)
    return tmp_path


def test_the_table_is_the_comparison_of_annotations_before_and_after(folder: Path) -> None:
    analysis = Analysis(read_results(folder))
    table = repairs(analysis)
    assert table is not None and "repairs" in [made.name for made in all_tables(analysis)]
    long = pd.DataFrame(
        [
            {"labels": labels, "repeat": repeat, "fold": 0, "subject": SUBJECTS[case], "case": case, "dice": value}
            for repeat in range(3)
            for labels in ("before", "after")
            for case, value in zip(CASES, getattr(score("test", repeat), labels), strict=True)
        ]
    )
    expected = compare(
        long, candidate="labels", value="dice", subject="subject", case="case", repeat="repeat", fold="fold", baseline="before"
    ).table.set_index("candidate").loc["after"]  # fmt: skip
    row = table.plain.query("candidate == 'Repaired 10' and part == 'test'").iloc[0]
    assert [row[name] for name in ("difference", "low", "high")] == pytest.approx(
        expected[["difference", "low", "high"]].tolist()
    )
    assert (row["pooled_before"], row["pooled_after"], row["annotations"]) == (pytest.approx(0.41), pytest.approx(0.76), 5)
    assert table.plain["part"].tolist() == ["test", "test", "training", "training"] and table.rules == {2}
    assert np.isnan(table.plain.loc[2, "difference"]) and table.rows[2][5].text == "–"
    found = repaired_annotations(analysis).loc["Repaired 20"]
    assert found["low"] < found["after"] < found["high"]


def test_published_tables_can_have_the_quality_of_annotations(folder: Path, tmp_path: Path) -> None:
    results = read_results(folder)
    file = tmp_path / "subjects.csv.gz"
    file.write_bytes(subject_text(subject_table(results)))
    for source in (measurements_of(results), read_measurements(file)):
        values = source.values(REPAIR["after"], "truth").query("candidate == 'Repaired 10'")
        assert values["value"].tolist() == pytest.approx([0.75, 0.76, 0.77])
        assert source.values(REPAIR["before"], "truth")["value"].tolist() == pytest.approx([0.41] * 6)


def test_annotations_are_compared_by_subject_from_the_exported_values(folder: Path, tmp_path: Path) -> None:
    """What the table of repairs says can be had again from the file: the subjects, not only all voxels together."""
    results = read_results(folder)
    file = tmp_path / "subjects.csv.gz"
    file.write_bytes(subject_text(subject_table(results)))
    roles = {role: role for role in ("candidate", "value", "subject", "repeat", "fold")}
    where = {"kind": "annotations", "metric": "dice", "reference": "truth"}
    found = compare(pd.read_csv(file), **roles, baseline=CHEAP, where=where).table.set_index("candidate")
    table = repairs(Analysis(results))
    assert table is not None
    rows = table.plain.query("part == 'test'").set_index("candidate")
    assert set(found.index) == {CHEAP, *rows.index}
    for candidate, row in rows.iterrows():
        assert found.loc[candidate, "difference"] == pytest.approx(row["difference"])
        assert found.loc[CHEAP, "mean"] == pytest.approx(row["dice_before"])


def test_annotations_that_differ_keep_the_name_of_their_candidate(folder: Path) -> None:
    results = read_results(folder)
    other = results.repaired["candidate"] == "Repaired 10"
    results.repaired.loc[other, "before"] -= 0.1
    table = subject_table(results)
    named = set(table.loc[table["kind"] == "annotations", "candidate"])
    assert {f"{CHEAP} of Repaired 10", f"{CHEAP} of Repaired 20"} <= named and CHEAP not in named


def test_the_picture_says_what_was_added_removed_and_missed(folder: Path) -> None:
    analysis = Analysis(read_results(folder))
    plot = pictures.repair(analysis)
    assert plot is not None and "Nothing is learned from these cases" in plot.caption
    case = analysis.results.pictures[0]
    panel = pictures._panels(case, "lq", ["Repaired 10"])[2]
    masks = dict(panel.areas)
    given, after, better = case.ratings["lq"] == 1, case.repaired["Repaired 10"]["lq"] == 1, case.truth == 1
    where = pictures.view(case)
    assert np.array_equal(masks[pictures.ADDED], (after & ~given)[where])
    assert np.array_equal(masks[pictures.REMOVED], (given & ~after)[where])
    assert np.array_equal(masks[pictures.MISSED], (better & ~after & ~given)[where])
    names = [panel.title for panel in pictures._panels(case, "lq", ["Repaired 10"])]
    assert names == ["Image", "lq", "Repaired 10", "The truth"]
    legend = [patch.get_facecolor()[:3] for patch in plot.figure.legends[0].get_patches()]
    assert legend == [pytest.approx(to_rgb(colour)) for colour, _ in pictures.MEANINGS]


def test_without_truth_the_other_raters_are_better_labels() -> None:
    labels = np.array([[0, 1, 1, 255]], np.uint8)
    ratings = {"lq": labels, "a": np.array([[0, 1, 0, 1]], np.uint8), "b": np.array([[0, 0, 1, 255]], np.uint8)}
    case = PictureCase("c", "", np.zeros((1, 4), np.float32), ratings)
    assert pictures._better(case, "lq").tolist() == [[0, 1, 1, 1]]
    assert pictures._better_words(case, "lq") == "the majority of the others"


def test_budgets_of_one_kind_are_a_curve_over_their_cost(folder: Path) -> None:
    plot = annotation_cost(Analysis(read_results(folder)))
    assert plot is not None
    lines = {line.get_label(): line.get_xydata().tolist() for line in plot.figure.axes[0].get_lines()}
    assert lines["Repaired"] == [[13, pytest.approx(0.80)], [26, pytest.approx(0.81)]]
    assert lines["Cheap 10"] == [[10, pytest.approx(0.82)]] and "a careful one 4" in plot.caption


def test_candidates_of_other_methods_are_other_curves_and_shared_cases_cost_a_cheap_annotation_more(folder: Path) -> None:
    results = read_results(folder)
    changed = (
        budget("Repaired 10", 1, 9, shared=True, **UPGRADE), budget("Repaired 20", 2, 18, shared=True, subjects=1),
        Candidate("Cheap 10", "annotation-budget", {"careful": 0}), CANDIDATES[-1],
    )  # fmt: skip
    analysis = Analysis(replace(results, experiment=results.experiment.replace(candidates=changed)))
    cost, slices = annotation_cost(analysis), repair_by_slices(analysis)
    assert cost is not None and slices is not None
    lines = {line.get_label(): line.get_xdata().tolist() for line in cost.figure.axes[0].get_lines()}
    assert lines == {"Repaired 10": [1 * 4 + 9 + 1], "Repaired 20": [2 * 4 + 18 + 2]}
    assert "have no number in the experiment: Cheap 10." in cost.caption
    labels = [line.get_label() for line in slices.figure.axes[0].get_lines()]
    assert labels == ["Repaired 10, all subjects", "Repaired 20, 1 subject", "before repair"]


def test_a_kept_case_without_the_cheap_rater_is_left_out(folder: Path) -> None:
    analysis = Analysis(read_results(folder))
    (case,) = analysis.results.pictures
    other = PictureCase("other", "", case.image, {"hq": case.ratings["hq"]}, repaired={"Repaired 10": {"second": case.truth}})
    analysis.results.pictures.append(other)
    plot = pictures.repair(analysis)
    assert plot is not None and "other" not in plot.alt and "a1" in plot.alt


def test_the_quality_of_a_repair_by_careful_annotations(folder: Path) -> None:
    plot = repair_by_slices(Analysis(read_results(folder)))
    assert plot is not None
    lines = {line.get_label(): line for line in plot.figure.axes[0].get_lines()}
    assert {"1 subject", "all subjects", "before repair"} == set(lines)
    assert lines["1 subject"].get_xdata().tolist() == [pytest.approx(2, abs=0.1)] and lines["before repair"].get_ydata()[
        0
    ] == pytest.approx(0.42, abs=0.01)


def test_an_experiment_without_repair_has_none_of_it(results, analysis) -> None:
    assert repairs(analysis) is None and pictures.repair(analysis) is None
    assert annotation_cost(analysis) is None and repair_by_slices(analysis) is None
