"""``raterbench compare`` on a table of somebody else's."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

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
