"""What ``raterbench perf`` prints, and its table on a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table as RichTable

from ...benchmark.perf.table import HEAD, Row
from ...errors import RaterbenchError
from ...whole_files import replacing
from ..page.escaping import markdown_text, terminal_text

BEGIN, END = "<!-- perf:begin -->", "<!-- perf:end -->"
"""Between these lines of a page stands the table, which the next measurement replaces."""


def speed_table(rows: Sequence[Row]) -> RichTable:
    """The rows as a table for the terminal."""
    table = RichTable()
    for head in HEAD:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(terminal_text(cell, "bold" if row.met == "no" else "") for cell in row.cells))
    return table


def speed_markdown(machine: Sequence[str], rows: Sequence[Row]) -> str:
    """What was measured with, the table, and the notes below it, as Markdown."""
    lines = [*(f"* {markdown_text(fact)}" for fact in machine), ""]
    lines += [f"| {' | '.join(HEAD)} |", f"|{'---|' * len(HEAD)}"]
    notes = list(dict.fromkeys(row.note for row in rows if row.note))
    for row in rows:
        mark = f" ({notes.index(row.note) + 1})" if row.note else ""
        cells = [markdown_text(cell) for cell in row.cells]
        lines.append(f"| {' | '.join([cells[0] + mark, *cells[1:]])} |")
    lines += ["", *(f"{number}. {markdown_text(note)}." for number, note in enumerate(notes, start=1))]
    return "\n".join(lines).rstrip() + "\n"


def check_page(path: Path) -> None:
    """Whether the table can be written into a page, or as a new one.

    Raises:
        RaterbenchError: a file is there without a place for the table.
    """
    _parts(path)


def write_page(path: Path, markdown: str) -> Path:
    """Write the table between the two lines of a page that are for it, or as a new page.

    Raises:
        RaterbenchError: the page has no place for the table, or cannot be written.
    """
    before, after = _parts(path)
    with replacing(path) as file:
        file.write_text(f"{before}{BEGIN}\n{markdown}{END}{after}", encoding="utf-8")
    return path


def _parts(path: Path) -> tuple[str, str]:
    """What stands before and after the table."""
    if not path.exists():
        return "", "\n"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RaterbenchError(f"{path} cannot be read as a page: {error}; give another file") from error
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise RaterbenchError(
            f"{path} has no lines {BEGIN} and {END}, between which the table goes: add them, or give a new file"
        )
    return before, after
