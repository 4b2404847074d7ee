"""Every unit without a result is named, with its reason."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from raterbench.reports.tables.unfinished import unfinished_units


def analysis_of(rows: list[tuple[str, int, int, str, str | None]]) -> SimpleNamespace:
    units = pd.DataFrame(rows, columns=["candidate", "repeat", "fold", "status", "reason"])
    return SimpleNamespace(results=SimpleNamespace(units=units))


def test_units_without_a_result_are_named_with_their_reasons() -> None:
    rows = [("A", 0, fold, "done", None) for fold in range(3)]
    rows += [("B", 0, 0, "failed", "the loss became NaN"), ("B", 1, 2, "failed", "the loss became NaN")]
    rows += [("C", 0, fold, "skipped", "needs the truth") for fold in range(5)]
    rows += [("labels", 0, 1, "missing", None)]
    table = unfinished_units(analysis_of(rows))
    assert table is not None
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["B", "failed", "repeat 0 fold 0, repeat 1 fold 2", "the loss became NaN"],
        ["C", "skipped", "5 units", "needs the truth"],
        ["Raters and fused labels", "missing", "repeat 0 fold 1", "not recorded"],
    ]
    assert "Of 11 planned units these have no result: 2 failed, 1 missing, 5 skipped." in table.caption
    assert len(table.plain) == 8


def test_nothing_is_said_where_all_are_done() -> None:
    assert unfinished_units(analysis_of([("A", 0, 0, "done", None)])) is None
