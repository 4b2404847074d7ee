"""Tables as CSV: as programs read them, with every name as given, and for spreadsheets, where no name may be a formula."""

from __future__ import annotations

import csv
from typing import Any

import pandas as pd

FORMULA = tuple("=+-@\t\r\n＝＋－＠")
"""What a text starts with that spreadsheets compute."""


def csv_bytes(table: pd.DataFrame) -> bytes:
    """One row a line, in UTF-8. Names are as given: only quotes are added, where a name holds commas or line breaks."""
    text = str(table.to_csv(index=False, lineterminator="\n"))
    if "\r" in text:
        # The csv module leaves a lone carriage return unquoted, and readers take it for the end of the row.
        text = str(table.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC))
    # Half a character, of a file name in another encoding, is no UTF-8.
    return text.encode(errors="backslashreplace")


def spreadsheet_bytes(table: pd.DataFrame) -> bytes:
    """The same with an apostrophe before each text, in the head too, that a spreadsheet would compute."""
    columns = [column if _is_number(column) else column.map(_guarded) for column in _columns(table)]
    return csv_bytes(pd.concat(columns, axis=1).rename(columns=_guarded) if columns else table)


def _columns(table: pd.DataFrame) -> list[pd.Series]:
    """By place: two columns may have one name where raters have columns."""
    return [table.iloc[:, place] for place in range(table.shape[1])]


def _is_number(column: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column))


def _guarded(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
