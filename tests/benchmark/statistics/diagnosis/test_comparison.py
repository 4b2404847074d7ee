"""The table of the diagnosis: families, controls, what is missing and why."""

import numpy as np
import pandas as pd
import pytest

from raterbench.benchmark.statistics.diagnosis.area_test import difference_test
from raterbench.benchmark.statistics.diagnosis.comparison import COLUMNS, DiagnosisTerms, diagnosis_table
from raterbench.benchmark.statistics.diagnosis.network_scores import KIND, network_scores
from raterbench.benchmark.statistics.significance import holm
from raterbench.benchmark.store.diagnoses import ModelDiagnoses, scores_table

from ....made_diagnoses import CROSSED, PERMUTED, PREDICTED, PUBLISHED, DiagnosedStudy, score_rows

TERMS = DiagnosisTerms("Majority vote", resamples=50, test_to_train=1 / 3)


def table_of(study: DiagnosedStudy) -> pd.DataFrame:
    models = [
        ModelDiagnoses(name, repeat, fold, {}, study.diagnoses(place, repeat, fold))
        for place, name in enumerate(study.candidates)
        for repeat in range(study.repeats)
        for fold in range(study.folds)
    ]
    return scores_table(models)


@pytest.fixture(scope="module")
def scores() -> pd.DataFrame:
    return table_of(DiagnosedStudy(networks=("cat", "roi")))


@pytest.fixture(scope="module")
def table(scores: pd.DataFrame) -> pd.DataFrame:
    return diagnosis_table(scores, DiagnosedStudy().candidates, TERMS)


def one(table: pd.DataFrame, candidate: str, control: str, network: str = "cat") -> pd.Series:
    (row,) = (
        row
        for _, row in table.iterrows()
        if (row["candidate"], row["control"], row["network"]) == (candidate, control, network)
    )
    return row


def test_it_has_a_row_for_each_candidate_network_and_control(table: pd.DataFrame) -> None:
    assert list(table.columns) == COLUMNS
    assert len(table) == 2 * (3 + 1 + 3 + 3) and not table.duplicated(["candidate", *KIND]).any()
    assert set(table["n_models"]) == {12} and set(table["n_positive"]) == {20} and set(table["n_subjects"]) == {40}


def test_each_kind_of_scores_is_a_family_of_comparisons_with_the_baseline(table: pd.DataFrame, scores: pd.DataFrame) -> None:
    for control in (PREDICTED, CROSSED):
        ours = [one(table, name, control) for name in ("Diagnosis first", "STAPLE")]
        found = {kind: by_candidate for kind, by_candidate in network_scores(scores) if kind[1:3] == (control, "cat")}
        (by_candidate,) = found.values()
        tests = [difference_test(by_candidate[row["candidate"]], by_candidate["Majority vote"]) for row in ours]
        assert [row["p"] for row in ours] == [test.p for test in tests]
        assert [row["p_holm"] for row in ours] == holm([test.p for test in tests]).tolist()
        for row in ours:
            assert row["difference"] == pytest.approx(row["auc"] - one(table, "Majority vote", control)["auc"])
            assert (row["difference_low"] > 0 or row["difference_high"] < 0) == (row["p_holm"] <= 0.05)
        assert one(table, "Majority vote", control)["verdict"] == "baseline"


def test_leak_is_what_the_area_of_permuted_diagnoses_exceeds_a_half_by(table: pd.DataFrame) -> None:
    row = one(table, "Diagnosis first", PERMUTED)
    assert row["leak"] == pytest.approx(row["auc"] - 0.5) and row["leak_low"] > 0.1
    assert row["leak_low"] < row["leak"] < row["leak_high"] and np.isnan(row["difference"])
    honest = one(table, "STAPLE", PERMUTED)
    assert honest["leak_low"] < 0 < honest["leak_high"]
    assert table.loc[table["control"] != PERMUTED, "leak"].isna().all()


def test_circular_rows_are_marked_and_not_compared_with_a_baseline_that_has_none(table: pd.DataFrame) -> None:
    assert (table["circular"] == (table["control"] == PUBLISHED)).all()
    row = one(table, "Diagnosis first", PUBLISHED)
    assert row["auc"] > 0.98 and np.isnan(row["p"]) and row["why_no_p"] == "Majority vote has no such scores"


def test_models_of_one_class_are_left_out_and_named() -> None:
    study = DiagnosedStudy(networks=("cat",), one_class=True)
    row = one(diagnosis_table(table_of(study), study.candidates, TERMS), "STAPLE", PREDICTED)
    assert row["left_out"] == "repeat 0 fold 0; repeat 1 fold 0; repeat 2 fold 0" and row["n_models"] == 9
    alone = score_rows([("STAPLE", 0, 0, "a", "ill", 0.5), ("STAPLE", 0, 0, "b", "ill", 0.6)])
    row = diagnosis_table(alone, ["STAPLE"], TERMS).iloc[0]
    assert np.isnan(row["auc"]) and row["n_models"] == 0
    assert row["why_no_interval"] == "the test cases of each trained model are of one class"


def test_cases_of_unknown_diagnosis_are_left_out() -> None:
    study = DiagnosedStudy(networks=("cat",), unknown=10)
    found = diagnosis_table(table_of(study), study.candidates, TERMS)
    assert set(found["n_positive"]) == {15} and set(found["n_negative"]) == {15}


def test_more_than_two_diagnoses_are_each_told_from_the_rest() -> None:
    study = DiagnosedStudy(networks=("cat",), names=("healthy", "mild", "severe"), cases=36, candidates=("A", "B"), leaky=())
    scores = table_of(study)
    case = scores[(scores["control"] == PREDICTED) & (scores["candidate"] == "A") & (scores["repeat"] == 0)]
    assert case.groupby("case")["score"].sum().to_numpy() == pytest.approx(1)
    found = diagnosis_table(scores, study.candidates, DiagnosisTerms("A", resamples=20))
    assert found["positive"].unique().tolist() == ["healthy", "mild", "severe"]
    assert set(found["n_positive"]) == {12} and set(found["n_negative"]) == {24}


def test_equal_areas_of_all_models_say_why_there_is_no_interval() -> None:
    rows = [("A", 0, fold, f"{fold}{i}", "ill" if i % 2 else "healthy", i % 2) for fold in range(3) for i in range(6)]
    row = diagnosis_table(score_rows(rows), ["A"], DiagnosisTerms("A", resamples=20)).iloc[0]
    assert row["auc"] == 1 and np.isnan(row["low"]) and "the same for all trained models" in row["why_no_interval"]
