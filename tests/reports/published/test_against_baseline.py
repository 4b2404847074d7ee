"""A paper's table with a baseline: differences, the paper's test beside model t, and the same from one table of text."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from raterbench.__main__ import main
from raterbench.benchmark.experiment.experiment import Candidate, Experiment, Split
from raterbench.benchmark.statistics import compare
from raterbench.benchmark.statistics.ranking import COMPOSITE, composite_scores
from raterbench.benchmark.store.results import read_results
from raterbench.benchmark.store.units import Calibration
from raterbench.errors import RaterbenchError
from raterbench.methods.fit_report import FitReport
from raterbench.reports.published.command import published_beside
from raterbench.reports.published.measurements import (
    CALIBRATION,
    measurements_of,
    read_measurements,
    subject_table,
    subject_text,
)
from raterbench.reports.published.tables import published_tables

from ...made_units import MadeUnit, write_run

NAMES = ("Conv-STAPLE", "Conv-Average", "Conv-Random", "Soft-STAPLE")
CLASSES = ["background", "white matter", "grey matter"]
FACTS = {"title": "Cords", "citation": "", "licence": "", "source": "", "classes": CLASSES, "raters": ["good"]}
REPEATS, FOLDS, SUBJECTS = 3, 2, 4


def counts(right: float) -> Calibration:
    """Of each of the cases 100 voxels with a confidence of .95, a share ``right`` of them rightly."""
    found = np.zeros((SUBJECTS, 1, 11, 3), np.int64)
    found[:, 0, 9] = 100, round(100 * right), (95 * 2**24)
    return Calibration("staple", ("image",), found)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random, units = np.random.default_rng(0), []
    for place, name in enumerate(NAMES):
        for repeat in range(REPEATS):
            for fold in range(FOLDS):
                rows = []
                for number in range(SUBJECTS):
                    subject = f"s{fold * SUBJECTS + number}"
                    for class_ in CLASSES[1:]:
                        for metric in COMPOSITE:
                            value = 0.7 + 0.02 * place + random.normal(0, 0.01)
                            rows.append([name, subject, subject, "here", class_, "staple", metric, value])
                training = {"report": FitReport(alarms=["lost"] if (place, repeat, fold) == (1, 0, 0) else [])}
                parts = {"calibration": counts(0.9 + 0.01 * repeat)}
                units.append(MadeUnit(name, "method", repeat, fold, rows=rows, training=training, parts=parts))
    folder = tmp_path_factory.mktemp("results") / "lemay2022-fusion"
    experiment = Experiment(
        folder.name, tuple(Candidate(n, "majority-vote") for n in NAMES), dataset="phantom", published="lemay2022-fusion",
        split=Split(policy="folds", repeats=REPEATS, parameters={"folds": FOLDS}), references=("staple",),
    )  # fmt: skip
    folder.mkdir()
    write_run(folder, experiment, FACTS, units)
    return folder


@pytest.fixture(scope="module")
def plain(folder: Path) -> pd.DataFrame:
    return published_tables(read_results(folder))[0].plain.set_index(["row", "column"])


DICE = "Spinal cord, grey matter, Dice (%)"


def test_a_cell_is_the_mean_over_trained_models_of_its_class_and_reference(folder, plain):
    rows = read_results(folder).rows.query("candidate == 'Soft-STAPLE' and metric == 'dice' and `class` == 'grey matter'")
    models = 100 * rows.groupby(["repeat", "fold"])["value"].mean()
    found = plain.loc["Soft-STAPLE", DICE]
    assert (found["measured"], found["measured_std"]) == (pytest.approx(models.mean()), pytest.approx(models.std()))
    assert (found["n"], found["subjects"], found["published"], found["marked"]) == (6, 8, 87.1, True)
    assert found["published_difference"] == pytest.approx(0.5) and found["stands_in"] and not found["differs"]


def test_both_tests_are_those_of_the_comparison(folder, plain):
    rows = read_results(folder).rows.query("metric == 'dice' and `class` == 'grey matter'")
    roles = {"candidate": "candidate", "value": "value", "subject": "subject", "repeat": "repeat", "fold": "fold"}
    honest = compare(rows.drop(columns="metric"), **roles, baseline="Conv-STAPLE").table.set_index("candidate")
    models = rows.groupby(["candidate", "repeat", "fold"])["value"].mean().unstack("candidate")
    for name in NAMES[1:]:
        found = plain.loc[name, DICE]
        gaps = models[name] - models["Conv-STAPLE"]
        assert found["p_trainings"] == pytest.approx(stats.wilcoxon(gaps, correction=False, method="asymptotic").pvalue)
        assert found["p_model_t"] == pytest.approx(honest["p_holm"][name])
        assert found["measured_difference"] == pytest.approx(100 * honest["difference"][name])
    assert plain.loc["Conv-STAPLE", DICE][["p_trainings", "measured_difference"]].isna().all()


def test_calibration_is_the_mean_over_trained_models_and_the_three_conventional_ones_have_a_row(plain):
    column = "Spinal cord, ECE (%), all voxels"
    found = plain.loc["Conv-Random", column]
    assert found["measured"] == pytest.approx(100 * np.mean([0.05, 0.04, 0.03])) and found["subjects"] == 0
    assert np.isfinite(found["p_model_t"]) or found["measured_difference"] == 0
    three = plain.loc["Conventional, mean of the three", "Spinal cord, ECE (%), confidence 1 dropped"]
    assert (three["published"], three["measured"]) == (16.2, pytest.approx(4.0))
    assert np.isnan(plain.loc["SoftSeg, mean of the three", "Spinal cord, ECE (%), confidence 1 dropped"]["measured"])


def test_the_composite_score_has_only_measured_values(folder, plain):
    scores = composite_scores(measurements_of(read_results(folder))._grouped, "staple").scores
    found = plain.loc["Soft-STAPLE", "Spinal cord, composite score"]
    assert np.isnan(found["published"]) and found["measured"] == pytest.approx(scores["Soft-STAPLE"].mean())


def test_what_was_not_measured_says_so(plain):
    found = plain.loc["Conv-STAPLE", "Spinal cord, grey matter, Brier × 1000 (soft average)"]
    assert np.isnan(found["measured"]) and found["why"] == "not measured"
    assert ("Conv-Union", DICE) not in plain.index, "neither published nor measured"


def test_the_table_of_text_gives_the_same_table(folder, tmp_path, capsys):
    file = tmp_path / "subjects.csv.gz"
    file.write_bytes(subject_text(subject_table(read_results(folder))))
    own, again = published_tables(read_results(folder))[0], published_beside(file, out=tmp_path / "out")
    pd.testing.assert_frame_equal(again.table.plain, own.plain, rtol=1e-3)  # seven digits of each value are written
    assert [cell.text for row in again.table.rows for cell in row] == [cell.text for row in own.rows for cell in row]
    assert main(["published", str(file), "-o", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "published.md").read_text() == again.table.markdown()
    out = capsys.readouterr().out
    assert "87.1 ± 3.4" in out and "p Holm ┃" in out and "…" not in out
    measured = read_measurements(file)
    assert measured.alarmed("Conv-Average") and not measured.alarmed("Conv-STAPLE")
    assert set(measured.trainings["metric"]) == {*CALIBRATION.values(), "alarms"}


def test_what_is_wrong_with_a_table_of_text_is_a_sentence(folder, tmp_path):
    table, file = subject_table(read_results(folder)), tmp_path / "subjects.csv.gz"

    def refused(changed: pd.DataFrame, words: str, **options: str) -> None:
        file.write_bytes(gzip.compress(changed.to_csv(index=False).encode()))
        with pytest.raises(RaterbenchError, match=words):
            published_beside(file, **options)

    refused(table.drop(columns="reference"), "has no column 'reference'; raterbench export FOLDER writes")
    refused(table.assign(experiment=["a", *["b"] * (len(table) - 1)]), "must hold one experiment on one data set; it has 2")
    refused(table.assign(value="much"), "columns value, repeat and fold must hold numbers")
    refused(table.assign(experiment="mine"), "experiment mine, which no published table names: give one of lemay2022-fusion")
    refused(table.assign(dataset="mnist"), "has values on mnist, but lemay2022-fusion is measured on scgm, phantom")
    refused(table, "no published table 'lemay2022-fusoin'; did you mean 'lemay2022-fusion'", name="lemay2022-fusoin")
