"""A table as people read it, and the three forms it is written in: Markdown, LaTeX, and plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from ...benchmark.labels.csv_text import spreadsheet_bytes
from ...names import visible
from ..page.escaping import LACKING, latex_text, markdown_text

LONGEST = 40
"""Rows up to which a LaTeX table stands on one page."""
NAMED = 4
"""Missing numbers of one reason that a caption names; of more it says how many."""
CONFIRMED, EXPLORED = "*", "°"
"""Marks of a difference: of the family that was declared beforehand, and of everything else."""


@dataclass(frozen=True)
class Cell:
    """What stands in one place: its words, whether it is the best, its mark, and the number it is sorted by.

    ``note`` says why a number is missing that was to be expected.
    """

    text: str
    bold: bool = False
    mark: str = ""
    sort: float | None = None
    note: str = ""

    @property
    def shown(self) -> str:
        """The words with the mark."""
        return f"{self.text} {self.mark}".rstrip()


@dataclass(frozen=True, eq=False)
class Table:
    """``head`` and ``rows`` are what is read, ``plain`` the same as tidy numbers; the first cell of a row is its name.

    ``rules`` are the rows before which a rule stands, ``words`` the columns that hold words and no numbers (the first does).
    ``name`` is the file's name. ``said`` is the caption, one paragraph or several.
    """

    name: str
    title: str
    said: str | Sequence[str]
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    plain: pd.DataFrame
    rules: frozenset[int] = field(default=frozenset())
    words: frozenset[int] = field(default=frozenset())

    @property
    def caption(self) -> str:
        """The caption, a line a paragraph."""
        return "\n".join([self.said] if isinstance(self.said, str) else self.said)

    @property
    def paragraphs(self) -> list[str]:
        """The caption, and a last paragraph that says for each missing number why it is missing; each is one line."""
        places: dict[str, list[str]] = {}
        for row in self.rows:
            for head, cell in zip(self.head, row, strict=True):
                if cell.note:
                    place = f"{head.rstrip(' ↑↓')} of {row[0].text}"
                    places.setdefault(cell.note, [])
                    places[cell.note] += [place] if place not in places[cell.note] else []
        notes = []
        for note, found in places.items():
            more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
            notes.append(f"{', '.join(found[:NAMED])}{more}: {note}.")
        undefined = [f"Undefined (–). {' '.join(notes)}"] if notes else []
        return [visible(text) for text in [*([self.said] if isinstance(self.said, str) else self.said), *undefined]]

    def markdown(self) -> str:
        """GitHub's Markdown: best values in bold; a rule becomes an empty row."""
        lines = [
            _line([markdown_text(head) for head in self.head]),
            _line(["---" if self._left(n) else "---:" for n in range(len(self.head))]),
        ]
        for number, row in enumerate(self.rows):
            if number in self.rules:
                lines.append(_line([" "] * len(self.head)))
            lines.append(_line([_markdown(c) for c in row]))
        paragraphs = "\n\n".join(map(markdown_text, self.paragraphs))
        return f"## {markdown_text(self.title)}\n\n" + "\n".join(lines) + f"\n\n{paragraphs}\n"

    def latex(self) -> str:
        """A floating table for papers, or one that runs over pages if it is long; the first line names the packages."""
        body = []
        for number, row in enumerate(self.rows):
            if number in self.rules:
                body.append(r"\midrule")
            body.append(" & ".join(_latex(c) for c in row) + r" \\")
        columns = "".join("l" if self._left(n) else "r" for n in range(len(self.head)))
        title = self.title if self.title.endswith(("?", "!", ".")) else f"{self.title}."
        caption = latex_text(" ".join([title, *self.paragraphs]))
        head = " & ".join(latex_text(h) for h in self.head) + r" \\"
        packages, *lines = (_long if len(self.rows) > LONGEST else _floating)(columns, caption, self.name, head, body)
        lacking = [LACKING] if any(r"\raterbenchletter" in line for line in lines) else []
        return "\n".join([packages, *lacking, *lines]) + "\n"

    def _left(self, column: int) -> bool:
        return column == 0 or column in self.words

    def csv(self) -> str:
        """Plain numbers, one row a value, for spreadsheets."""
        return spreadsheet_bytes(self.plain).decode()

    @property
    def files(self) -> dict[str, bytes]:
        """The contents of its three forms by the files' names, relative to the report."""
        texts = {"md": self.markdown(), "csv": self.csv(), "tex": self.latex()}
        return {f"tables/{self.name}.{ending}": text.encode() for ending, text in texts.items()}


def _floating(columns: str, caption: str, name: str, head: str, body: Sequence[str]) -> list[str]:
    return [
        r"% needs \usepackage{booktabs} and \usepackage{graphicx}",
        r"\begin{table*}[htbp]",
        r"\centering",
        rf"\caption{{{caption}}}",
        rf"\label{{tab:{name}}}",
        r"\vspace{4pt}",
        r"\footnotesize",
        r"\setlength{\tabcolsep}{4pt}",
        # Shrinks a table that is wider than the page and leaves the others alone.
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        head,
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}}",
        r"\end{table*}",
    ]


def _long(columns: str, caption: str, name: str, head: str, body: Sequence[str]) -> list[str]:
    return [
        r"% needs \usepackage{booktabs} and \usepackage{longtable}",
        r"{\scriptsize\setlength{\tabcolsep}{3pt}",
        rf"\begin{{longtable}}{{{columns}}}",
        rf"\caption{{{caption}}}\label{{tab:{name}}}\\",
        r"\toprule",
        head,
        r"\midrule",
        r"\endhead",
        r"\bottomrule",
        r"\endfoot",
        *body,
        r"\end{longtable}}",
    ]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _markdown(cell: Cell) -> str:
    text = markdown_text(cell.text)
    if cell.bold:
        text = f"**{text}**"
    return f"{text} {markdown_text(cell.mark)}".rstrip()


def _latex(cell: Cell) -> str:
    text = latex_text(cell.text)
    if cell.bold:
        # \textbf does not reach into mathematics.
        text = rf"{{\bfseries\boldmath {text}}}"
    return text + latex_text(cell.mark)
