"""Tables of text as people save them, long and wide."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from raterbench import RaterbenchError
from raterbench.benchmark.statistics.verdict.table_layout import Columns, arrange_long, arrange_wide, read_table

LONG = Columns("method", "dice", "patient", "run", "fold")


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "table.csv"
    path.write_text(text, encoding=encoding)
    return path


@pytest.mark.parametrize(("delimiter", "comma"), [(",", "."), (";", ","), ("\t", ","), ("|", ".")])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_any_separator_and_encoding(tmp_path: Path, delimiter: str, comma: str, encoding: str) -> None:
    rows = [["method", "patient", "dice"], ["Müller", "01", f"0{comma}812"], ["Müller", "02", "NA"], ["B", "01", "1"]]
    path = written(tmp_path, "\n".join(delimiter.join(row) for row in rows), encoding)
    cases, layout = arrange_long(read_table(path), Columns("method", "dice", "patient"), "it")
    assert cases["value"].tolist() == pytest.approx([0.812, np.nan, 1], nan_ok=True)
    assert cases["candidate"].tolist() == ["Müller", "Müller", "B"]
    assert cases["subject"].tolist() == ["01", "02", "01"]
    assert (layout.n_missing, layout.knows_no_models, layout.unit) == (1, True, "subject")


def test_a_long_table_keeps_what_it_names() -> None:
    table = pd.DataFrame({"method": ["A", "A"], "dice": [0.1, 0.2], "patient": ["p", "q"], "run": [1, 1], "fold": [0, 1]})
    cases, layout = arrange_long(table, LONG, "it")
    assert cases.columns.tolist() == ["candidate", "repeat", "fold", "subject", "case", "value"]
    assert (layout.subject, layout.repeat, layout.fold, layout.n_averaged) == ("patient", "run", "fold", 0)
    twice, layout = arrange_long(pd.concat([table, table]), LONG, "it")
    assert len(twice) == 4 and layout.n_averaged == 2


def test_each_row_of_a_wide_table_without_keys_is_a_training() -> None:
    table = pd.DataFrame({"A": [0.1, 0.2], "note": ["fine", "slow"], "B": [0.3, None]})
    cases, layout = arrange_wide(table, Columns(), "it")
    assert cases["candidate"].tolist() == ["A", "A", "B", "B"]
    assert cases["repeat"].tolist() == [1, 2, 1, 2]
    assert cases["subject"].nunique() == 2 and layout.unit == "trained model"


def test_named_columns_of_a_wide_table_are_no_candidates() -> None:
    table = pd.DataFrame({"patient": [1, 2], "run": [0, 0], "A": [0.1, 0.2], "B": [0.3, 0.4]})
    cases, _ = arrange_wide(table, Columns(subject="patient", repeat="run"), "it")
    assert cases["candidate"].unique().tolist() == ["A", "B"] and cases["subject"].tolist() == [1, 2, 1, 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": "dise"}, r"it has no column 'dise'; did you mean 'dice'"),
        ({"subject": "patients"}, r"no column 'patients'; did you mean 'patient'"),
        ({"candidate": None}, r"which column of it holds the candidates\?"),
        ({"value": None}, r"which column of it holds the values\? .* its columns: method, patient, dice, run, fold"),
        ({"subject": None, "repeat": None, "fold": None}, r"which rows of it belong together\? Name the column of subjects"),
    ],
)
def test_what_is_missing_is_named(change: dict[str, str | None], message: str) -> None:
    table = pd.DataFrame({"method": ["A"], "patient": ["p"], "dice": [0.5], "run": [0], "fold": [0]})
    with pytest.raises(RaterbenchError, match=message):
        arrange_long(table, LONG._replace(**change), "it")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no table: it needs a line with the names"),
        ("method,dice\n", "is no table"),
        ("method,patient,dice\nA,p,0.5\nB,p,0,5\n", "line 3: the row has 4 cells, but there are 3 columns"),
        ("method,patient,dice\nA,p,0.5\n\nB,p,good\n", "line 4: 'good' in column 'dice' is no number"),
        ("method;patient;dice\nA;p;1,234\nB;p;2,345\n", "line 2: '1,234' in column 'dice' is no number"),
        ("method,patient,dice\nA,p,0.5\nB,,0.5\n", "line 3: the column 'patient' is empty, but every row needs its subject"),
        ("method,patient,dice,dice\nA,p,0.5,1\n", "has the column 'dice' twice"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(RaterbenchError, match=message) as error:
        arrange_long(read_table(path), Columns("method", "dice", "patient"), str(path))
    assert str(path) in str(error.value)


def test_a_table_that_is_not_there_and_one_without_numbers(tmp_path: Path) -> None:
    with pytest.raises(RaterbenchError, match=r"nothing\.csv is not there"):
        read_table(tmp_path / "nothing.csv")
    with pytest.raises(RaterbenchError, match="no column of it holds the numbers of a candidate; its columns: a, b"):
        arrange_wide(pd.DataFrame({"a": ["x"], "b": [None]}), Columns(), "it")


def test_a_counter_without_a_name_is_no_candidate(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, ",A,B\n0,0.1,0.2\n1,0.3,0.4\n"))
    assert list(table.columns) == ["A", "B"]


def test_a_word_among_a_candidates_numbers_is_a_mistake() -> None:
    table = pd.DataFrame({"A": ["0.1", "0.2", "oops"], "B": ["0.1", "0.2", "0.3"]})
    with pytest.raises(RaterbenchError, match="row 2: 'oops' in column 'A' is no number"):
        arrange_wide(table, Columns(), "it")


def test_a_column_that_looks_like_a_key_is_no_candidate_in_silence() -> None:
    table = pd.DataFrame({"Run": [1, 2], "A": [0.1, 0.2], "B": [0.3, 0.4]})
    with pytest.raises(RaterbenchError, match="the column 'Run' of it looks like no candidate: name it as the column of"):
        arrange_wide(table, Columns(), "it")
    assert arrange_wide(table, Columns(repeat="Run"), "it")[0]["candidate"].unique().tolist() == ["A", "B"]
