"""Reads tables of text as people save them: cells separated by commas, semicolons, tabs or bars, in any usual encoding."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from ...errors import RaterbenchError
from ...names import clean_name

DELIMITERS = (",", ";", "\t", "|")
NO_VALUE = {"nan", "#n/a", "#na", "#ref!", "#value!", "#name?", "#null!", "#num!", "#div/0!"}
"""What programs write for a value that is missing or could not be computed, in small letters."""

Row = tuple[int, list[str]]
"""The line where a row starts, and its cells."""


def delimited_rows(file: Path, text: str) -> list[Row]:
    """The rows of a text that are not empty, the first of which is the header, without blanks at the ends of cells.

    Raises:
        RaterbenchError: a quotation mark is not closed.
    """
    lines = text.split("\n")
    first = next((place for place, line in enumerate(lines) if line.strip(' ,;\t|"\u200b\ufeff')), None)
    if first is None:
        return []
    declared = re.fullmatch(r"\s*\"?sep=(.)\"?\s*", lines[first])  # Excel's own way of naming the separator.
    if declared:
        first += 1
    header = lines[first] if first < len(lines) else ""
    delimiter = declared[1] if declared else max(DELIMITERS, key=header.count)
    reader = csv.reader(
        (f"{line}\n" for line in lines[first:]), delimiter=delimiter, skipinitialspace=delimiter != "\t", strict=True
    )
    rows: list[Row] = []
    start = first + 1
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(clean_name(cell) for cell in stripped):
                rows.append((start, stripped))
            start = first + 1 + reader.line_num
    except csv.Error as error:
        raise RaterbenchError(f"{file}, line {start}: this row is no part of a table: {error}") from error
    return rows
