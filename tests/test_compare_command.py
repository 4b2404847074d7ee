"""``raterbench compare`` on a table of somebody else's."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from raterbench.__main__ import main


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """One row a training, 40 a candidate, 5 candidates, wide."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({f"candidate {name}": rng.normal(0.8, 0.05, 40) for name in "ABCDE"})
    path = tmp_path / "published.tsv"
    table.to_csv(path, sep="\t", decimal=",", encoding="utf-16")
    return path


def test_a_published_table_goes_through(published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["compare", str(published), "--wide", "-o", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "n = 40 trained models of each candidate." in shown and "undecided" in shown
    written = pd.read_csv(out / "comparison.csv")
    assert {"candidate", "difference", "low", "high", "p", "p_holm", "df", "verdict"} <= set(written.columns)
    assert written["candidate"].tolist() == [f"candidate {name}" for name in "ABCDE"]
    assert "whether the difference would hold for other subjects cannot be known" in (out / "comparison.txt").read_text("utf-8")
    assert main(["compare", str(published), "--wide", "--statistics", "as-published", "-o", str(out)]) == 0
    assert pd.read_csv(out / "comparison.csv")["p_holm"].isna().all()


def test_what_is_wrong_is_one_line_and_status_2(published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(published), "--wide", "--baseline", "candidate Z"]) == 2
    assert "has no candidate 'candidate Z' for a baseline; did you mean" in capsys.readouterr().err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "comparison.csv").write_text("mine")
    assert main(["compare", str(published), "--wide", "-o", str(tmp_path / "mine")]) == 2
    assert "comparison.csv" in capsys.readouterr().err
    assert (tmp_path / "mine" / "comparison.csv").read_text() == "mine"


def test_a_published_study_by_the_names_of_its_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ten repeats of four folds: the study's own p and standard deviations as published, and p that knows of the overlap."""
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"run": np.repeat(np.arange(10), 4), "part": np.tile(np.arange(4), 10), "epochs": "50 of 60"})
    luck = rng.normal(0, 0.02, 40)
    for place, name in enumerate(("STAPLE", "Average", "Random", "Matrices", "TGCE")):
        table[name] = 0.8 + 0.006 * place + luck + rng.normal(0, 0.01, 40)
    table.to_csv(tmp_path / "dice.csv", index=False)
    command = ["compare", str(tmp_path / "dice.csv"), "--wide", "--repeat", "run", "--fold", "part", "--baseline", "Average"]
    assert main([*command, "--statistics", "as-published", "-o", str(tmp_path / "published")]) == 0
    assert "these p-values are too small" in capsys.readouterr().out
    assert main([*command, "-o", str(tmp_path / "honest")]) == 0
    shown = capsys.readouterr().out
    assert "corrected resampled t-test over trained models against Average" in shown
    assert "whether the difference would hold for other subjects cannot be known" in shown
    published, honest = (
        pd.read_csv(tmp_path / name / "comparison.csv", index_col="candidate") for name in ("published", "honest")
    )
    assert list(published.index) == list(honest.index) == list(table.columns[3:])
    for name in ("STAPLE", "Random", "Matrices", "TGCE"):
        wilcoxon = stats.wilcoxon(table[name], table["Average"], correction=False, method="asymptotic")
        assert published.loc[name, "p"] == pytest.approx(wilcoxon.pvalue, rel=1e-6)
        gap = table[name] - table["Average"]
        t = gap.mean() / (gap.std(ddof=1) * np.sqrt(1 / 40 + 1 / 3))
        assert honest.loc[name, "p"] == pytest.approx(2 * stats.t.sf(abs(t), 39), rel=1e-6)
        assert published.loc[name, "n_models"] == honest.loc[name, "n_models"] == 40
    assert published.loc["TGCE", ["mean", "std"]].tolist() == pytest.approx([table["TGCE"].mean(), table["TGCE"].std()])
    assert (honest["p_holm"].dropna() >= published.loc[honest["p_holm"].dropna().index, "p"]).all()


def test_the_same_table_one_row_a_value(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    rows = [{"who": name, "training": n, "dice": rng.normal(0.8, 0.05)} for name in "ABCDE" for n in range(40)]
    pd.DataFrame(rows).to_csv(tmp_path / "dice.csv.gz", index=False)
    command = ["compare", str(tmp_path / "dice.csv.gz"), "--candidate", "who", "--value", "dice"]
    assert main([*command, "--repeat", "training"]) == 0
    assert "n = 40 trained models, 40 repeats of each candidate." in capsys.readouterr().out
    assert main([*command, "--repeat", "trainings"]) == 2
    assert "has no column 'trainings'; did you mean 'training'?" in capsys.readouterr().err


def test_rows_are_chosen_by_the_cells_of_a_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = pd.DataFrame({"who": list("ABAB"), "case": [1, 1, 2, 2], "Metric": ["dice"] * 4, "value": [0.5, 0.6, 0.7, 0.9]})
    both = pd.concat([table, table.assign(Metric="hd95", value=20)])
    both.to_csv(tmp_path / "values.csv", index=False)
    command = ["compare", str(tmp_path / "values.csv"), "--candidate", "who", "--value", "value", "--subject", "case"]
    for arguments, words in (
        ([], "several values in column 'Metric', which must not be averaged: choose the rows of one of them (dice, hd95)"),
        (["--where", "Metric=dise"], "has no 'dise' in column 'Metric'; did you mean 'dice'?"),
        (["--where", "metric=dice"], "has no column 'metric'; did you mean 'Metric'?"),
        (["--where", "Metric=dice", "--where", "Metric=hd95"], "a column is chosen from twice"),
    ):
        assert main([*command, *arguments]) == 2
        assert words in capsys.readouterr().err
    assert main([*command, "--where", "Metric=dice"]) == 0
    assert "+0.15" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main([*command, "--where", "Metric"])
    assert "'Metric' must be COLUMN=VALUE, such as metric=dice" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("metric", "better"), [("dice", "higher"), ("entropy error", "lower"), ("hd95 (spacing=1)", "lower"), ("mine", "higher")]
)
def test_a_known_metric_says_which_values_are_better(
    metric: str, better: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(2)
    rows = [
        {"method": name, "patient": patient, "run": run, "metric": metric, "value": base + rng.normal(0, 0.01)}
        for name, base in (("first", 0.1), ("second", 0.3)) for patient in range(9) for run in range(3)
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "all.csv", index=False)
    columns = ["--candidate", "method", "--value", "value", "--subject", "patient", "--repeat", "run"]
    command = ["compare", str(tmp_path / "all.csv"), *columns, "--where", f"metric={metric}"]
    assert main(command) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"{'Larger' if better == 'higher' else 'Smaller'} values are better." in shown
    assert f"second is {'better' if better == 'higher' else 'worse'} than first" in shown
    assert main([*command, "--better", "lower"]) == 0
    assert "second is worse than first" in " ".join(capsys.readouterr().out.split())


def test_a_signed_error_needs_a_word_on_what_is_better(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.csv").write_text("m,s,metric,v\na,1,rvd,0.1\nb,1,rvd,0.2\na,2,rvd,0.1\nb,2,rvd,0.3\n")
    command = [
        "compare",
        str(tmp_path / "t.csv"),
        "--candidate",
        "m",
        "--value",
        "v",
        "--subject",
        "s",
        "--where",
        "metric=rvd",
    ]
    assert main(command) == 2
    assert "rvd is best near zero" in capsys.readouterr().err
    assert main([*command, "--better", "lower"]) == 0
