"""What the rows and columns of somebody's table are: candidates, subjects, repeats and folds, long or wide."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from ....datasets.layout.delimited import NO_VALUE, delimited_rows
from ....errors import RaterbenchError, nearest, shown
from ....paths import LARGEST_TABLE, read_text
from .shared_cells import MODEL

MISSING = {*NO_VALUE, "", "na", "n/a", "none", "null", "-", "–", "."}
"""What stands in a cell of values without one, in small letters."""
DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+(?:[eE][-+]?\d+)?")
THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(?:,\d{3})+")
KEY_WORDS = {"subject", "patient", "case", "image", "slice", "repeat", "run", "seed", "fold", "split", "id", "index", "epoch"}
"""Names of columns, in small letters, that hold numbers and are no candidates."""
ROLES = ("subject", "repeat", "fold", "case")
KINDS_OF_VALUES = {"metric", "measure", "reference", "kind"}
"""Names of columns, in small letters, of which rows with different values must not be averaged."""
MOST_NAMED, LONGEST_LIST = 6, 200
"""Up to so many values, or characters of them, are named in a message."""


class Columns(NamedTuple):
    """The names of a table's columns; None for what it does not have."""

    candidate: str | None = None
    value: str | None = None
    subject: str | None = None
    repeat: str | None = None
    fold: str | None = None
    case: str | None = None

    @property
    def roles(self) -> dict[str, str]:
        """The columns that say what a row belongs to."""
        return {role: column for role in ROLES if (column := getattr(self, role)) is not None}


@dataclass(frozen=True)
class Layout:
    """What a table's rows are: its columns by role (None: not there), and how many values are missing or were averaged."""

    subject: str | None
    repeat: str | None
    fold: str | None
    n_missing: int
    n_averaged: int

    @property
    def unit(self) -> Literal["subject", "trained model"]:
        """What a mean is over."""
        return "subject" if self.subject else "trained model"

    @property
    def knows_no_models(self) -> bool:
        """Which subjects share a trained model is not known."""
        return self.subject is not None and self.repeat is None and self.fold is None


def read_table(file: Path) -> pd.DataFrame:
    """The cells of a table of text, as they are written; the index is the line where a row starts, an empty cell is None.

    The file may be compressed by gzip. Columns without a name, such as a counter that a program wrote, are left out.

    Raises:
        RaterbenchError: there is no such file, it is no table, or a row has another number of cells than the header.
    """
    text = read_text(file, otherwise="cp1252", compressed=True, largest=LARGEST_TABLE)
    if text is None:
        raise RaterbenchError(f"{file} is not there: check the path")
    rows = delimited_rows(file, text)
    if len(rows) < 2:
        raise RaterbenchError(f"{file} is no table: it needs a line with the names of the columns, and rows below")
    header = rows[0][1]
    for line, cells in rows[1:]:
        if len(cells) < len(header) or any(cells[len(header) :]):
            raise RaterbenchError(
                f"{file}, line {line}: the row has {len(cells)} cells, but there are {len(header)} columns: put a cell that "
                "holds a separator into quotation marks"
            )
    body = [[cell or None for cell in cells[: len(header)]] for _, cells in rows[1:]]
    table = pd.DataFrame(body, columns=header, index=pd.Index([line for line, _ in rows[1:]], name="line"), dtype=object)
    return table.loc[:, [bool(column) for column in header]]


def chosen_rows(table: pd.DataFrame, where: Mapping[str, str], name: str) -> pd.DataFrame:
    """The rows whose cells are those in ``where``, by column; an empty cell is an empty text.

    Raises:
        RaterbenchError: a column is not there, or has no such cell; the nearest one is given.
    """
    for number, (column, cell) in enumerate(where.items()):
        cells = _column(table, column, name).map(lambda found: "" if pd.isna(found) else str(found))
        kept = cells == cell
        if not kept.any():
            among = " among the rows chosen before" if number else ""
            near = nearest(cell, set(cells))
            known = near if len(near) <= LONGEST_LIST else f"; it has {cells.nunique()} others"
            raise RaterbenchError(f"{name} has no {shown(cell)} in column {shown(column)}{among}{known}")
        table = table[kept.to_numpy()]
    return table


def check_one_kind(table: pd.DataFrame, columns: Columns, name: str) -> None:
    """Whether all rows are values of one kind, so that none are averaged that have nothing to do with each other.

    Raises:
        RaterbenchError: a column that no role is given to, called ``metric`` or so, has several values.
    """
    for column in map(str, table.columns):
        given = {columns.candidate, columns.value, *columns.roles.values()}
        if column.strip().lower() not in KINDS_OF_VALUES or column in given:
            continue
        found = [str(cell) for cell in pd.unique(_column(table, column, name).dropna())]
        of_words = bool(pd.to_numeric(pd.Series(found), errors="coerce").isna().any())
        if len(found) > 1 and of_words:  # A column of numbers may be a candidate of this name, in a wide table.
            more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
            raise RaterbenchError(
                f"{name} has several values in column {shown(column)}, which must not be averaged: choose the rows of one of "
                f"them ({', '.join(found[:MOST_NAMED])}{more})"
            )


def arrange_long(table: pd.DataFrame, columns: Columns, name: str) -> tuple[pd.DataFrame, Layout]:
    """``candidate repeat fold subject case value`` from a table with one row a value, and its layout.

    Raises:
        RaterbenchError: a column is not there or not named, has empty cells, or holds what is no number.
    """
    for role in ("candidate", "value"):
        if getattr(columns, role) is None:
            raise RaterbenchError(
                f"which column of {name} holds the {role}s? Name it, or say that the table is wide, with a column for each "
                f"candidate; its columns: {', '.join(map(str, table.columns))}"
            )
    named = {"candidate": columns.candidate, "value": columns.value, **columns.roles}
    long = pd.DataFrame({role: _column(table, str(column), name) for role, column in named.items()})
    if not {"subject", "repeat", "fold"} & set(long):
        raise RaterbenchError(
            f"which rows of {name} belong together? Name the column of subjects; or, of a table of trained models without "
            "subjects, the column of repeats, of folds, or both"
        )
    return _filled(long.assign(value=_numbers(long["value"], str(columns.value), name)), columns, name)


def arrange_wide(table: pd.DataFrame, columns: Columns, name: str) -> tuple[pd.DataFrame, Layout]:
    """The same from a table in which every other column of numbers is a candidate; columns of words are passed over.

    Without subjects, repeats and folds each row is one training of all candidates.
    """
    keys = pd.DataFrame({role: _column(table, column, name) for role, column in columns.roles.items()}, index=table.index)
    if not {"subject", "repeat", "fold"} & set(keys):
        keys = keys.assign(repeat=np.arange(1, len(table) + 1))
    parts = []
    for column in dict.fromkeys(map(str, table.columns)):
        if column in columns.roles.values():
            continue
        if column.strip().lower() in KEY_WORDS:
            raise RaterbenchError(
                f"the column {shown(column)} of {name} looks like no candidate: name it as the column of subjects, repeats, "
                "folds or cases, or take it out of the table"
            )
        cells = _column(table, column, name)
        known = _plain(cells).dropna()
        # A column of notes with a number here and there is no candidate; a candidate with a word in it is a mistake.
        if len(known) and pd.to_numeric(known, errors="coerce").notna().mean() > 0.5:
            parts.append(keys.assign(candidate=column, value=_numbers(cells, column, name)))
    if not parts:
        have = ", ".join(map(str, table.columns))
        raise RaterbenchError(f"no column of {name} holds the numbers of a candidate; its columns: {have}")
    return _filled(pd.concat(parts), columns, name)


def _column(table: pd.DataFrame, column: str, name: str) -> pd.Series:
    known = [str(each) for each in table.columns]
    if column not in known:
        raise RaterbenchError(f"{name} has no column {shown(column)}{nearest(column, known)}")
    if known.count(column) > 1:
        raise RaterbenchError(f"{name} has the column {shown(column)} twice: rename one of them")
    return table.iloc[:, known.index(column)]


def _plain(values: pd.Series) -> pd.Series:
    """Texts of numbers with decimal points, where all the column's commas are decimal ones; what is missing is None."""
    if pd.api.types.is_numeric_dtype(values):
        return values
    texts = values.map(lambda cell: None if cell is None or str(cell).strip().lower() in MISSING else str(cell).strip())
    with_comma = [text for text in texts.dropna() if "," in text]
    decimal = with_comma and all(map(DECIMAL_COMMA.fullmatch, with_comma)) and not all(map(THOUSANDS.fullmatch, with_comma))
    return texts.str.replace(",", ".", regex=False) if decimal else texts


def _numbers(values: pd.Series, column: str, name: str) -> pd.Series:
    """The values as float; what is missing is NaN.

    Raises:
        RaterbenchError: one is no number; its row is named.
    """
    plain = _plain(values)
    numbers = pd.to_numeric(plain, errors="coerce").astype(float)
    wrong = (plain.notna() & numbers.isna()).to_numpy()
    if wrong.any():
        where = f"{values.index.name or 'row'} {values.index[wrong][0]}"
        raise RaterbenchError(f"{name}, {where}: {shown(values[wrong].iloc[0])} in column {shown(column)} is no number")
    return numbers


def _filled(long: pd.DataFrame, columns: Columns, name: str) -> tuple[pd.DataFrame, Layout]:
    """What the table does not name is filled in: one repeat, one fold, a training that is its own subject, and so on."""
    named = {"candidate": columns.candidate, **columns.roles}
    for role, column in named.items():
        if (empty := long[role].isna().to_numpy()).any():
            where = f"{long.index.name or 'row'} {long.index[empty][0]}"
            raise RaterbenchError(f"{name}, {where}: the column {shown(column)} is empty, but every row needs its {role}")
    texts = [role for role in named if not pd.api.types.is_numeric_dtype(long[role])]
    cases = long.astype(dict.fromkeys(texts, str)).reset_index(drop=True)
    cases = cases.assign(**{role: 0 for role in ("repeat", "fold", "case") if role not in cases}).astype({"candidate": str})
    if "subject" not in cases:
        cases["subject"] = cases.groupby(MODEL, sort=True).ngroup()
    elif not {"repeat", "fold"} & set(long):
        cases["fold"] = cases["subject"]  # Who shares a trained model is not known: each subject stands for itself.
    keys = ["candidate", *MODEL, "subject", "case"]
    missing, averaged = int((~np.isfinite(cases["value"])).sum()), int(cases.duplicated(keys).sum())
    return cases[[*keys, "value"]], Layout(columns.subject, columns.repeat, columns.fold, missing, averaged)
