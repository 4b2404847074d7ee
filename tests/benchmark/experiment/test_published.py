"""Printed tables: every cell of the paper is there, names what it compares with, and a slip of the pen is found."""

from __future__ import annotations

import dataclasses
import math
from functools import cache

import pytest

from raterbench.benchmark.experiment.experiment import read_experiment
from raterbench.benchmark.experiment.files import shipped
from raterbench.benchmark.experiment.published import (
    COMPOSITE_SCORE,
    PublishedNote,
    _check,
    published_names,
    read_published,
)
from raterbench.benchmark.runner.plan import make_plan
from raterbench.datasets import DATASETS, RaterbenchError
from raterbench.reports.published.measurements import CALIBRATION, DIAGNOSIS, NETWORK, REPAIR


@cache
def shown_by_shipped():
    """The published table that each shipped experiment shows; to read all takes a second."""
    return {name: read_experiment(name).published for name in shipped()}


def cells(name):
    return {(row.name, key): cell for row in read_published(name).rows for key, cell in row.cells.items()}


def test_the_cells_are_those_of_the_paper():
    first, second = cells("zhang2020-table1"), cells("zhang2020-table2")
    assert (len(first), len(second)) == (12 * 4 - 3 * 2, 9 * 4 - 2)
    assert first["STAPLE", "mnist-dice"] == [78.03, 0.29]
    assert first["Oracle (ours but with known CMs)", "ms-confusion"] == [0.0415, 0.0017]
    assert first["Our method (λ = 0.7)", "mnist-confusion"] == [0.0887, 0.0008]
    assert second["Naive CNN", "ms-dice"] == [27.41, 1.45]
    assert second["Ours without trace (λ = 0)", "mnist-confusion"] == [0.1538, 0.0029]
    for key, (mean, std) in (first | second).items():
        assert (0 < mean < 100 if "dice" in key[1] else 0 < mean < 1) and 0 < std < mean / 5


def test_the_cells_of_the_thesis_are_those_that_it_prints():
    softseg, fusion = cells("lemay2022-softseg"), cells("lemay2022-fusion")
    assert (len(softseg), len(fusion)) == (5 * (6 + 5 + 6), 6 * (10 + 3 + 5 + 2) + 4)
    assert softseg["Hard-Sig-Dice (conventional)", "scgm-dice"] == [82.3, 5.0, "*"]
    assert softseg["Soft-Sig-Wing", "scgm-mse"] == [0.611, 0.306, "*"]
    assert softseg["Soft-Sig-Wing", "ms-lfdr"] == [57.7, 17.3]
    assert softseg["Hard-ReLU-Wing", "brats-rvd"] == [-490.2, 1654.8]
    assert fusion["Soft-STAPLE", "scgm-gm-rvd"] == [1.6, 10.7, "*"] and fusion["Soft-Random", "scgm-wm-recall"] == [
        86.6,
        5.8,
        "*",
    ]
    assert fusion["Soft-STAPLE", "ms-mae"] == [3.0, 2.6, "*"] and fusion["Conv-Random", "ms-avd"] == [54.8, 54.8, "*"]
    marked = {paper: sum("*" in cell for cell in found.values()) for paper, found in (("4", softseg), ("5", fusion))}
    assert marked == {"4": 11 + 10, "5": 18 + 45 + 4}, "tables 4.3 and 4.5; 5.2, 5.3a and 5.3b"
    for mean, std, *mark in (softseg | fusion).values():
        assert (std > 0 or math.isnan(std)) and mark in ([], ["*"]) and -500 < mean < 550


def test_the_cells_of_the_upgrade_study_are_those_that_it_prints():
    found, repaired, beside = (cells(f"vadineanu2025-table{n}") for n in (1, 2, 3))
    assert [len(table) for table in (found, repaired, beside)] == [(5 + 2) * 8, 9 * 2, 3 * 3]
    assert all(math.isnan(std) and 0.2 < mean < 1 for table in (found, repaired, beside) for mean, std in table.values())
    assert found["HQ + LQ", "omission-hl60"][0] == 0.311 and found["LQ only", "bias-hl60"][0] == 0.933
    assert found["HQ + upg.", "mixture-granulocytes"][0] == 0.854 and found["Thrs.", "inclusion-granulocytes"][0] == 0.214
    assert found["HQ + upg.", "omission-hl60-lq"][0] == 0.462 and found["HQ + upg.", "omission-hl60-upgraded"][0] == 0.939
    assert repaired["Trained for 50 % omission", "omission-granulocytes"][0] == 0.93
    assert beside["Confident Learning", "bias"][0] == 0.947 and beside["Ours", "omission"][0] == 0.923


def test_the_cells_of_the_compared_learners_are_those_that_the_paper_prints():
    cup, nodule, lesion = (cells(f"wu2022-table{n}") for n in (2, 3, 4))
    assert [len(table) for table in (cup, nodule, lesion)] == [7 * (7 + 2) + 6, 7 * (5 + 2) + 6, 7 * (4 + 2) + 6]
    assert all(math.isnan(std) and 70 < mean < 90 for table in (cup, nodule, lesion) for mean, std in table.values())
    assert cup["sPU-Net (Kohl et al. 2018)", "r7"][0] == 76.47 and cup["DiFF", "self"][0] == 86.61
    assert nodule["AggNet (Albarqouni et al. 2016)", "r3"][0] == 84.79
    assert [table["DiFF", "auc"][0] for table in (cup, nodule, lesion)] == [88.13, 87.75, 82.06]
    assert cup["PHiSeg (Baumgartner et al. 2019)", "auc"][0] == 83.6 and nodule["MRNet (Ji et al. 2021)", "auc"][0] == 85.24
    assert lesion["WDNet (Guan et al. 2018)", "auc"][0] == 76.66
    assert lesion["MaxMig (Cao et al. 2019)", "self"][0] == 87.44 and lesion["MRNet (Ji et al. 2021)", "r4"][0] == 86.59


@pytest.mark.parametrize("name", [f"wu2022-table{n}" for n in (2, 3, 4)])
def test_the_column_of_own_targets_says_that_it_ranks_no_methods(name):
    table = read_published(name)
    own = next(column for column in table.columns if column.key == "self")
    assert "another one for each method" in own.head
    assert all("does not rank methods" in table.note(row, own, alarmed=False).detail for row in table.rows)


@pytest.mark.parametrize("name", published_names())
def test_every_column_is_measured_by_a_shipped_experiment_with_the_candidates(name):
    table = read_published(name)
    for column in table.columns:
        # Of raters whose masks nobody can get there is no experiment, or one on other data, and the column says so.
        assert {column.dataset, column.stand_in} & {*DATASETS.names()} if column.experiments else column.data
        for experiment in map(read_experiment, column.experiments):
            assert experiment.published == name
            assert experiment.dataset in {column.dataset, column.stand_in}
            of_models = [*CALIBRATION.values(), *REPAIR.values(), *DIAGNOSIS.values()]
            assert column.metric in [*experiment.metrics, *of_models, COMPOSITE_SCORE]
            assert column.reference in experiment.reference_names or column.reference.startswith(NETWORK)
            candidates = {c.name for c in experiment.candidates}
            rows = table.named_as(candidates).rows
            here = [row for row in rows if column.key in row.cells or not row.cells]
            named = {name for row in here for name in (row.mean_of or (row.candidate,))}
            assert named <= candidates or name == "vadineanu2025-table2"  # each of its rows belongs to one kind of error
    assert {e for c in table.columns for e in c.experiments} == {n for n, table in shown_by_shipped().items() if table == name}


@pytest.mark.parametrize("name", published_names())
def test_every_cell_has_a_reason_to_give(name):
    table = read_published(name)
    notes = [table.note(row, column, alarmed=False) for row in table.rows for column in table.columns]
    assert all(0 < len(note.text) < 50 and note.detail for note in notes)


def test_a_row_has_the_name_that_its_candidate_has_there():
    table = read_published("lemay2022-softseg")
    first = [table.named_as(names).rows[0].candidate for names in (["Hard-Sig-Dice"], ["Hard-Softmax-Dice"], ["other"])]
    assert first == ["Hard-Sig-Dice", "Hard-Softmax-Dice", "Hard-Softmax-Dice"]


@pytest.mark.parametrize("name", [n for n in shipped() if n.startswith("lemay2022")])
def test_with_two_classes_the_activation_is_the_sigmoid_of_the_thesis(name):
    experiment = read_experiment(name)
    recipes = [c.options.get("recipe") for c in experiment.candidates]
    used = {recipe["activation"] for recipe in recipes if isinstance(recipe, dict)} - {"normalised-relu"}
    assert used == {"sigmoid" if experiment.dataset in {"deepflash", "msseg2016", "brats"} else "softmax"}


def test_the_most_special_note_comes_first():
    table = read_published("zhang2020-table1")
    oracle, column = table.rows[-1], table.columns[1]
    assert table.note(oracle, column, alarmed=False).text == "the oracle’s error is undefined"
    assert "validation images" in table.note(table.rows[5], column, alarmed=False).detail


def test_what_is_wrong_is_a_sentence():
    with pytest.raises(RaterbenchError, match=r"no published table 'zhang2020-tabel1'; did you mean 'zhang2020-table1'"):
        read_published("zhang2020-tabel1")
    with pytest.raises(RaterbenchError, match="no published table 'nobody'"):
        read_published("nobody")
    table = read_published("zhang2020-table1")
    for wrong in (PublishedNote("why", rows=("STAPEL",)), PublishedNote("why", columns=("mnist-dise",))):
        with pytest.raises(RaterbenchError, match="is no row or column of it; did you mean"):
            _check(dataclasses.replace(table, notes=(wrong,)))


def test_what_is_published_changes_no_unit(tmp_path):
    small = ["dataset_options.subjects=6", "dataset_options.slices=1", "dataset_options.size=32", "keep_cases=0"]
    experiment = read_experiment("smoke", small)
    shown = experiment.replace(published="zhang2020-table1")
    plans = [make_plan(e, tmp_path / "results") for e in (experiment, shown)]
    assert plans[0].units == plans[1].units
    assert plans[0].listed() == plans[1].listed()
    assert shown.on("mnist").published == ""
