"""Writes tables as CSV, for programs with names unchanged, and for spreadsheets with texts that look like formulas escaped."""

from __future__ import annotations

import csv
from typing import Any

import pandas as pd

FORMULA = tuple("=+-@\t\r\n＝＋－＠")
"""First characters of texts that spreadsheets compute as formulas."""


def csv_bytes(table: pd.DataFrame) -> bytes:
    """The table as CSV in UTF-8, one row a line; names with commas or line breaks are quoted, and nothing else is changed."""
    text = str(table.to_csv(index=False, lineterminator="\n"))
    if "\r" in text:
        # The csv module does not quote a carriage return alone, which readers take for the end of the row.
        text = str(table.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC))
    # File names in another encoding hold surrogates, which UTF-8 cannot encode.
    return text.encode(errors="backslashreplace")


def spreadsheet_bytes(table: pd.DataFrame) -> bytes:
    """The table as CSV with an apostrophe before each text, column names included, that a spreadsheet would compute."""
    columns = [column if pd.api.types.is_numeric_dtype(column) else column.map(_guarded) for column in _columns(table)]
    return csv_bytes(pd.concat(columns, axis=1).rename(columns=_guarded) if columns else table)


def _columns(table: pd.DataFrame) -> list[pd.Series]:
    """The columns by position, because two raters' columns may have the same name."""
    return [table.iloc[:, place] for place in range(table.shape[1])]


def _guarded(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
