"""``cases.csv``: which subject and centre a case belongs to, read from the table as people save it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...errors import RaterbenchError, nearest, shown
from ...names import clean_name, look_alikes
from ...paths import read_text
from ..images import stem_of
from .delimited import NO_VALUE, Row, delimited_rows

COLUMNS = ("case", "subject", "centre")


def read_cases(file: Path, cases: Iterable[str], what: str = "image") -> dict[str, tuple[str, str]]:
    """(subject, centre) of every case from ``cases.csv``; empty without the file.

    Cells may be separated by commas, semicolons, tabs or bars, and the file encoded in UTF-8, UTF-16 or Windows-1252.
    Empty rows and columns are passed over, and capitals and blanks in the names of columns. A case may be written with the
    ending of its file. Names of subjects and centres are cleaned of what nobody sees.

    Raises:
        RaterbenchError: it is no such table, does not list exactly the cases, each of which has a ``what``, or has two
            subjects or centres whose names look alike, so that one person could be in both training and test.
    """
    text = read_text(file, otherwise="cp1252")
    if text is None:
        return {}
    found = delimited_rows(file, text)
    if not found and not text.strip(' \n,;\t|"\u200b\ufeff'):
        raise RaterbenchError(f"{file} is empty, so it is no table: give it the columns {', '.join(COLUMNS)}, or delete it")
    columns, rows = _columns(file, found)
    known = list(cases)
    resolve = _Resolver(file, known, what)
    table: dict[str, tuple[str, str]] = {}
    listed: Counter[str] = Counter()
    for line, cells in rows:
        values = dict(zip(columns, cells, strict=True))
        where = f"{file}, line {line}"
        if any(value == "" for value in values.values()):
            raise RaterbenchError(
                f"{where}: the row of case {shown(values['case'])} has an empty cell: fill it, or delete the row"
            )
        case = resolve(values["case"])
        named = {column: clean_name(values[column]) for column in columns if column != "case"}
        for column, value in named.items():
            if not value or value.lower() in NO_VALUE or not value.isprintable():
                raise RaterbenchError(f"{where}: {shown(values[column])} is no {column}: write its name")
        table[case] = named.get("subject", case), named.get("centre", "unknown")
        listed[case] += 1
    for case, count in listed.items():
        if count > 1:
            raise RaterbenchError(f"{file} lists the case {case!r} {count} times: keep one of its rows")
    if unlisted := sorted(set(known) - set(table)):
        others = f", nor for {len(unlisted) - 1} others" if len(unlisted) > 1 else ""
        raise RaterbenchError(f"{file} has no row for the {what} {unlisted[0]!r}{others}: list every case")
    for place, column in enumerate(COLUMNS[1:]):
        if column in columns:
            _check_look_alikes(file, column, {case: both[place] for case, both in table.items()})
    return table


def _columns(file: Path, rows: Sequence[Row]) -> tuple[list[str], list[Row]]:
    """The names of the columns and the rows below, without columns that are empty throughout.

    Raises:
        RaterbenchError: a column is unknown, comes twice or has no name, or a row has another number of cells.
    """
    if not rows:
        raise RaterbenchError(f"{file} is no table: give it the columns {', '.join(COLUMNS)}, or delete it")
    columns = [clean_name(cell).lower() for cell in rows[0][1]]
    while columns and not columns[-1]:
        columns.pop()
    for place, column in enumerate(columns):
        # A column 'patient' that is passed over in silence would let one person into both training and test.
        if column not in COLUMNS:
            name = shown(rows[0][1][place])
            raise RaterbenchError(f"{file}: unknown column {name}{nearest(column[:80], COLUMNS)}")
        if column in columns[:place]:
            raise RaterbenchError(f"{file} has the column {column!r} twice: keep one of them")
    if "case" not in columns:
        raise RaterbenchError(f"{file} has no column 'case': add one with the names of the cases")
    body = []
    for line, cells in rows[1:]:
        if len(cells) < len(columns) or any(cells[len(columns) :]):
            raise RaterbenchError(
                f"{file}, line {line}: the row has {len(cells)} cells, but there are {len(columns)} columns "
                f"({', '.join(columns)}): put a cell that holds a separator into quotation marks"
            )
        body.append((line, cells[: len(columns)]))
    return columns, body


class _Resolver:
    """Finds the case that a cell means."""

    def __init__(self, file: Path, cases: Sequence[str], what: str) -> None:
        self.file, self.cases, self.what = file, cases, what
        self.exact = set(cases)
        self.by_name: dict[str, list[str]] = {}
        for case in cases:
            self.by_name.setdefault(clean_name(case), []).append(case)

    def __call__(self, cell: str) -> str:
        """The case called so, with or without the ending of its file.

        Raises:
            RaterbenchError: there is none, or there are two; the likely cause is named.
        """
        for name in dict.fromkeys((cell, stem_of(Path(cell)))):
            if name in self.exact:
                return name
            found = self.by_name.get(clean_name(name), [])
            if len(found) == 1:
                return found[0]
        start = f"{self.file} lists the case {shown(cell)}, which has no {self.what}"
        number = re.fullmatch(r"0*(\d+)(?:\.0)?", cell)
        zeros = [case for case in self.cases if number and case.isdecimal() and case.lstrip("0") == number[1].lstrip("0")]
        if zeros:
            raise RaterbenchError(
                f"{start}; {zeros[0]!r} seems to be meant: spreadsheets take zeros away from the start of numbers, "
                "so format the column as text and write the name in full"
            )
        letters = [case for case in self.cases if clean_name(case).casefold() == clean_name(cell).casefold()]
        if letters:
            raise RaterbenchError(f"{start}; did you mean {letters[0]!r}? Capitals count in the names of cases")
        raise RaterbenchError(f"{start}{nearest(cell[:80], self.cases)}")


def _check_look_alikes(file: Path, column: str, named: dict[str, str]) -> None:
    for one, other in look_alikes(named.values()):
        cases = [next(case for case, name in named.items() if name == this) for this in (one, other)]
        raise RaterbenchError(
            f"{file} has the {column}s {one!r} (case {cases[0]!r}) and {other!r} (case {cases[1]!r}), which look alike: "
            f"write one {column} in one way, or give two {column}s names that differ by more than letters' case, accents, "
            "separators or leading zeros"
        )
