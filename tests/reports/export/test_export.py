"""An export holds every number of the results, says what each column is, and is read by pandas as other programs read it."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from raterbench.__main__ import main
from raterbench.benchmark.statistics import compare
from raterbench.benchmark.statistics.subjects import subject_values
from raterbench.benchmark.statistics.verdict.table_layout import read_table
from raterbench.benchmark.store.metric_facts import MetricFacts
from raterbench.benchmark.store.results import LONG_COLUMNS, Results, read_results
from raterbench.errors import RaterbenchError
from raterbench.reports.analysis import Analysis
from raterbench.reports.export.columns import LONG, METRICS
from raterbench.reports.export.export import Export, export_results
from raterbench.reports.export.per_case import bencheval_table, challenger_table, file_names

from ..conftest import Study, write_study

SMALL: dict[str, Any] = {
    "candidates": ("A", "=1+1, B"), "subjects": 4, "slices": 1, "folds": 2, "repeats": 2, "raters": ("Ada", "Ben"),
    "pictures": False, "confusions": False, "calibration": False,
}  # fmt: skip
ROLES = ["--candidate", "candidate", "--value", "value", "--subject", "subject", "--repeat", "repeat", "--fold", "fold"]


@pytest.fixture(scope="module")
def export(study_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Export:
    """All files of the whole study."""
    return export_results(study_folder, tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="module")
def small_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("small"), Study(**SMALL))


@pytest.fixture(scope="module")
def package(export: Export) -> dict[str, Any]:
    return json.loads((export.folder / "datapackage.json").read_text())


def read(export: Export, name: str) -> pd.DataFrame:
    return pd.read_csv(export.folder / name, keep_default_na=False, na_values={"value": [""], "metric_error": [""]})


def test_the_long_table_reads_back_with_the_same_numbers(export: Export, results: Results) -> None:
    table = read(export, "results.csv.gz")
    pd.testing.assert_frame_equal(table, results.long_table, check_dtype=False, check_exact=True)
    assert [column.name for column in LONG] == LONG_COLUMNS


def test_the_package_describes_every_file_and_its_columns(export: Export, package: dict[str, Any]) -> None:
    described = {resource["path"]: resource for resource in package["resources"]}
    assert set(described) | {"datapackage.json", "dictionary.md"} == set(export.files)
    for path, resource in described.items():
        content = (export.folder / path).read_bytes()
        assert resource["hash"] == f"sha256:{hashlib.sha256(content).hexdigest()}" and resource["bytes"] == len(content)
        table, fields = pd.read_csv(export.folder / path, keep_default_na=False, dtype=str), resource["schema"]["fields"]
        assert [field["name"] for field in fields] == list(table.columns), path
        assert all(field["description"] for field in fields)
        for field in fields:
            cells, limits = table[field["name"]], field.get("constraints", {})
            assert not (limits.get("required") and (cells == "").any()), (path, field["name"])
            assert set(cells[cells != ""]) <= set(limits.get("enum", cells)), (path, field["name"])
            if field["type"] in ("number", "integer"):
                assert pd.to_numeric(cells[cells != ""]).notna().all()
        key = resource["schema"].get("primaryKey")
        assert not key or not table.duplicated(key).any(), path
    assert re.fullmatch("[a-z0-9._-]+", package["name"])


def test_the_dictionary_names_every_column_and_metric(export: Export) -> None:
    text = (export.folder / "dictionary.md").read_text(encoding="utf-8").replace("\\", "")
    metrics = read(export, "metrics.csv").set_index("metric")
    assert all(f"| {column.name} |" in text for column in (*LONG, *METRICS))
    assert all(f"| {metric}" in text for metric in metrics.index)
    dice = metrics.loc["dice"]
    assert (dice["better"], float(dice["lowest"]), float(dice["highest"]), dice["reference"]) == ("higher", 0, 1, "truth")
    assert metrics.index[metrics["primary"] == "True"].tolist() in ([], ["dice"])
    assert metrics.loc["rvd", "lowest"] == "" and metrics.loc["hd95", "unit"] == "mm"
    assert "both empty" in dice["empty_policy"] and all(metrics.loc[m, "references"] for m in metrics.index)


def test_other_programs_read_the_same_values(export: Export, analysis: Analysis, results: Results) -> None:
    wanted = subject_values(results.rows, "dice", "truth")
    wide = pd.read_csv(export.folder / "wide" / "dice.csv", index_col=0)
    np.testing.assert_array_equal(wide, wanted)
    assert list(wide.columns) == analysis.candidates
    cases = read(export, "cases/dice.csv")
    long = read(export, "challenger/dice.csv")
    assert len(long) == long.groupby(["case", "algorithm"]).ngroups == long["case"].nunique() * len(wide.columns)
    by_case = cases.groupby(["case", "candidate"])["value"].mean()
    np.testing.assert_allclose(long["value"], by_case.loc[list(zip(long["case"], long["algorithm"], strict=True))], rtol=0)
    assert set(long["task"]) == {"phantom"}
    errors = read(export, "bencheval/dice.csv").groupby(["task", "method"])["metric_error"].mean().unstack()
    np.testing.assert_allclose(1 - errors[wide.columns], wanted, atol=1e-12)
    assert not {"bencheval/rvd.csv", "bencheval/entropy.csv"} & set(export.files)
    assert (read(export, "bencheval/hd95.csv")["metric_error"] >= 0).all()


def test_compare_gives_the_numbers_of_the_results_from_either_file(export: Export, analysis: Analysis) -> None:
    roles = {role: role for role in ("candidate", "value", "subject", "repeat", "fold", "case")}
    found = compare(read_table(export.folder / "cases" / "dice.csv"), **roles).table.set_index("candidate")
    values = analysis.case_values("dice")
    for name in analysis.candidates[1:]:
        test = values.difference(name, analysis.candidates[0]).test
        assert found.loc[name, ["difference", "p", "df"]].tolist() == pytest.approx([test.mean, test.p, test.df], rel=1e-9)
    long = read_table(export.folder / "results.csv.gz")
    chosen = compare(long, **roles, where={"metric": "dice", "reference": "truth", "kind": "method"}).table
    pd.testing.assert_frame_equal(chosen.set_index("candidate"), found)
    with pytest.raises(RaterbenchError, match="'metric', which must not be averaged: choose the rows of one of them"):
        compare(long, **roles, where={"reference": "truth", "kind": "method"})


def test_the_command_writes_into_the_results_and_the_same_bytes_again(small_folder: Path, capsys: Any) -> None:
    folder = small_folder
    assert main(["export", str(folder)]) == 0
    assert "dictionary.md" in capsys.readouterr().out
    files = {file: file.read_bytes() for file in (folder / "export").rglob("*") if file.is_file()}
    assert main(["export", str(folder)]) == 0
    assert {file: file.read_bytes() for file in (folder / "export").rglob("*") if file.is_file()} == files
    command = ["compare", str(folder / "export" / "results.csv.gz"), *ROLES, "--case", "case"]
    assert main([*command, "--where", "metric=dice", "--where", "reference=truth", "--where", "kind=method"]) == 0
    assert "=1+1, B" in capsys.readouterr().out
    assert read_results(folder).completeness.is_sound, "an export is no foreign file among the results"


def test_nothing_of_the_user_is_overwritten(small_folder: Path, tmp_path: Path, capsys: Any) -> None:
    mine = tmp_path / "mine" / "cases" / "dice.csv"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    assert main(["export", str(small_folder), "-o", str(tmp_path / "mine")]) == 2
    assert "dice.csv is in the way, and raterbench did not write it" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "mine").rglob("*")] == ["cases", "dice.csv"] and mine.read_text() == "mine"
    assert main(["export", str(tmp_path)]) == 2
    assert "holds no experiment.json" in capsys.readouterr().err


def test_incomplete_results_say_so_and_end_with_1(make: Callable[..., Path], capsys: Any) -> None:
    folder = make(**{**SMALL, "failed": (("A", 0, 0),)})
    assert main(["export", str(folder)]) == 1
    assert "FAILED: 1 of" in capsys.readouterr().out
    assert "FAILED: 1 of" in (folder / "export" / "dictionary.md").read_text(encoding="utf-8")
    cases = pd.read_csv(folder / "export" / "cases" / "dice.csv")
    assert not ((cases["candidate"] == "A") & (cases["repeat"] == 0) & (cases["fold"] == 0)).any()
    assert len(read_results(folder).candidates) == 2


def test_missing_values_are_empty_cells_and_metrics_without_error_have_no_file() -> None:
    cases = pd.DataFrame({"candidate": ["A", "A", "B"], "case": ["x", "y", "x"], "subject": "s", "repeat": 0, "value": 0.25})
    long = challenger_table(cases, "made")
    assert long["value"].isna().tolist() == [False, False, False, True]
    facts = MetricFacts("Dice", "", "higher", "", "any", False, 0.0, 1.0)
    assert bencheval_table(cases, facts)["metric_error"].tolist() == [0.75, 0.75]
    for better, lowest, highest in (("higher", 0.0, None), ("lower", None, None), ("zero", None, 1.0)):
        assert bencheval_table(cases, MetricFacts("", "", better, "", "any", False, lowest, highest)) is None
    assert bencheval_table(cases, None) is None


def test_each_metric_has_a_file_of_its_own() -> None:
    names = file_names(["surface dice", "Surface Dice", "surface dice (tolerance=2.0)", "../../x", "中", "文", "m" * 300])
    assert len(set(names.values())) == 7
    assert names["surface dice"] == "surface-dice" and names["Surface Dice"] == "surface-dice-2"
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,70}", name) for name in names.values())


def test_a_damaged_or_endless_gzip_is_an_error_that_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "table.csv.gz"
    content = gzip.compress(b"name,dice\n" + b"A,0.5\n" * 1000)
    for wrong in (content[:-20], content[:20] + os.urandom(20) + content[40:]):
        file.write_bytes(wrong)
        with pytest.raises(RaterbenchError, match=r"table.csv.gz cannot be decompressed"):
            read_table(file)
    monkeypatch.setattr("raterbench.benchmark.statistics.verdict.table_layout.LARGEST_TABLE", 1000)
    file.write_bytes(content)
    with pytest.raises(RaterbenchError, match="more than 1,000 bytes"):
        read_table(file)
