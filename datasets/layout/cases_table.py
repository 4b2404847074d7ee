"""``cases.csv``: a case's subject, centre and diagnosis, read from the table as people save it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ...errors import RaterbenchError, nearest, shown
from ...names import clean_name, look_alikes
from ...paths import read_text
from ..images import stem_of
from .delimited import NO_VALUE, Row, delimited_rows

COLUMNS = ("case", "subject", "centre", "diagnosis")


class CaseRow(NamedTuple):
    """What is known of a case; ``diagnosis`` is the name or whole number that is written, empty where it is not known."""

    subject: str
    centre: str = "unknown"
    diagnosis: str = ""
    line: int = 0


def read_cases(file: Path, cases: Iterable[str], what: str = "image") -> dict[str, CaseRow]:
    """The row of every case in ``cases.csv``; empty without the file.

    Cells may be separated by commas, semicolons, tabs or bars, and the file encoded in UTF-8, UTF-16 or Windows-1252.
    Empty rows and columns are passed over, and capitals and blanks in the names of columns. A case may be written with the
    ending of its file. Names are cleaned of what nobody sees. Only a diagnosis may be left empty.

    Raises:
        RaterbenchError: it is no such table, does not list exactly the cases, each of which has a ``what``, or has two
            subjects, centres or diagnoses whose names look alike, so that one person could be in both training and test.
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
    table: dict[str, CaseRow] = {}
    listed: Counter[str] = Counter()
    for line, cells in rows:
        values = dict(zip(columns, cells, strict=True))
        where = f"{file}, line {line}"
        if any(value == "" for column, value in values.items() if column != "diagnosis"):
            raise RaterbenchError(
                f"{where}: the row of case {shown(values['case'])} has an empty cell: fill it, or delete the row"
            )
        case = resolve(values["case"])
        named = {column: clean_name(values[column]) for column in columns if column != "case"}
        for column, value in named.items():
            if (not value and column != "diagnosis") or value.lower() in NO_VALUE or not value.isprintable():
                mend = "leave the cell empty where it is not known" if column == "diagnosis" else "write its name"
                raise RaterbenchError(f"{where}: {shown(values[column])} is no {column}: {mend}")
        if "diagnosis" in named:  # programs that know no missing whole numbers write 1.0 for 1
            named["diagnosis"] = re.sub(r"^(-?\d+)\.0+$", r"\1", named["diagnosis"])
        table[case] = CaseRow(named.get("subject", case), named.get("centre", "unknown"), named.get("diagnosis", ""), line)
        listed[case] += 1
    for case, count in listed.items():
        if count > 1:
            raise RaterbenchError(f"{file} lists the case {case!r} {count} times: keep one of its rows")
    if unlisted := sorted(set(known) - set(table)):
        others = f", nor for {len(unlisted) - 1} others" if len(unlisted) > 1 else ""
        raise RaterbenchError(f"{file} has no row for the {what} {unlisted[0]!r}{others}: list every case")
    for column in columns:
        if column != "case":
            named = {case: str(row._asdict()[column]) for case, row in table.items()}
            _check_look_alikes(file, column, {case: name for case, name in named.items() if name})
    return table


def name_diagnoses(
    file: Path, rows: Mapping[str, CaseRow], declared: Sequence[str] = ()
) -> tuple[tuple[str, ...], dict[str, str]]:
    """The names of the diagnoses, and that of each case, empty where it is not known.

    Without ``declared`` names they are those in the table, in sorted order, whole numbers by size. A whole number stands for
    the declared name at this place, counted from 0, unless it is a name itself.

    Raises:
        RaterbenchError: a diagnosis is none of the declared, no case has one of them, or some are names and others whole
            numbers.
    """
    written = {case: row.diagnosis for case, row in rows.items()}
    found = {value for value in written.values() if value}
    numbers = {value for value in found if re.fullmatch(r"-?\d{1,18}", value)}
    if declared and not found:
        raise RaterbenchError(f"dataset.toml names diagnoses, but no case has one: add the column 'diagnosis' to {file}")
    names = tuple(declared) or tuple(sorted(numbers, key=int) + sorted(found - numbers))
    for case, value in written.items():
        where = f"{file}, line {rows[case].line}: the diagnosis {shown(value)} of case {case!r}"
        if declared and value and value not in names:
            if value not in numbers or not 0 <= int(value) < len(names):
                known = ", ".join(f"{name!r}" for name in names)
                raise RaterbenchError(f"{where} is none of {known}{nearest(value[:80], names)}")
            written[case] = names[int(value)]
        elif not declared and value and 0 < len(numbers) < len(found) and value in numbers:
            raise RaterbenchError(
                f"{where} is a whole number, and others are names, such as {min(found - numbers)!r}: write names or numbers "
                "alone, or name the diagnoses in dataset.toml"
            )
    return names, written


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
    several = "diagnoses" if column == "diagnosis" else f"{column}s"
    for one, other in look_alikes(named.values()):
        cases = [next(case for case, name in named.items() if name == this) for this in (one, other)]
        raise RaterbenchError(
            f"{file} has the {several} {one!r} (case {cases[0]!r}) and {other!r} (case {cases[1]!r}), which look alike: "
            f"write one {column} in one way, or give two {several} names that differ by more than letters' case, accents, "
            "separators or leading zeros"
        )
