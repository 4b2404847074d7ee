"""What ``raterbench compare`` prints and writes: a row for each candidate, and sentences on what may be said."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table as RichTable

from ...benchmark.labels.csv_text import spreadsheet_bytes
from ...benchmark.metrics import METRICS
from ...benchmark.statistics.verdict.compare_table import TableComparison
from ...benchmark.statistics.verdict.sentences import number
from ...benchmark.statistics.verdict.verdicts import Better
from ...benchmark.store.own_files import WrittenFiles
from ...errors import RaterbenchError
from ..page.escaping import terminal_text
from ..published.measurements import ALARMS, CALIBRATION
from ..tables.wording import NO_VALUE, p_number

KIND = "comparison"
TABLE, TEXT = "comparison.csv", "comparison.txt"


def direction_of(metric: str) -> Better:
    """Which values of a metric are better: as raterbench knows it by its name in exported tables, else higher ones.

    Raises:
        RaterbenchError: neither, as of a signed error.
    """
    if metric in (*CALIBRATION.values(), ALARMS):
        return "lower"
    name = metric.partition(" (")[0]  # Parameters follow a metric that was measured with several.
    known = METRICS.get(name).better if name in METRICS.names() else "higher"
    if known not in ("higher", "lower"):
        best = "near zero" if known == "zero" else "neither high nor low"
        raise RaterbenchError(f"{name} is best {best}, so that no candidate is better by it: say which values are better")
    return "higher" if known == "higher" else "lower"


def check_comparison_place(folder: Path) -> None:
    """Whether a comparison can be written into a folder.

    Raises:
        RaterbenchError: something that raterbench did not write is in the way.
    """
    WrittenFiles(folder, KIND).check((TABLE, TEXT))


def write_comparison(found: TableComparison, folder: Path) -> Path:
    """Write ``comparison.csv`` and the sentences as ``comparison.txt``; returns the table's path.

    Raises:
        RaterbenchError: something that raterbench did not write is in the way, or a file cannot be written.
    """
    text = "".join(f"{sentence}\n" for sentence in found.sentences).encode(errors="backslashreplace")
    WrittenFiles(folder, KIND).write({TABLE: spreadsheet_bytes(found.table), TEXT: text})
    return folder / TABLE


def print_comparison(found: TableComparison, written: Path | None, console: Console) -> None:
    """Print the table, the sentences, and what was written."""
    table = RichTable()
    table.add_column("Candidate", overflow="fold")
    for head in ("Mean", f"Difference to {found.baseline}", "p (Holm)" if found.table["p_holm"].notna().any() else "p"):
        table.add_column(terminal_text(head), justify="right")
    table.add_column("Verdict")
    for _, row in found.table.iterrows():
        p = row["p"] if pd.isna(row["p_holm"]) else row["p_holm"]
        interval = "" if pd.isna(row["low"]) else f" ({number(row['low'], sign=True)} to {number(row['high'], sign=True)})"
        size = NO_VALUE if pd.isna(row["difference"]) else f"{number(row['difference'], sign=True)}{interval}"
        cells = (row["candidate"], number(row["mean"]), size, NO_VALUE if pd.isna(p) else p_number(p), row["verdict"])
        table.add_row(*(terminal_text(str(cell)) for cell in cells))
    console.print(table)
    for sentence in found.sentences:
        console.print(terminal_text(sentence), soft_wrap=True)
    if written:
        console.print(terminal_text(f"written: {written}"), soft_wrap=True)
