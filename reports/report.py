"""Write everything that people read about an experiment, from its stored units alone."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd

from ..benchmark.results import read_results
from ..benchmark.statistics.metric_table import Mode
from .analysis import Analysis
from .details import all_tables
from .figures import all_figures, write_figures
from .page import write_page
from .published import published_tables
from .terminal import main_table, main_table_text, published_parts

__all__ = ["main_table", "main_table_text", "published_parts", "write_report"]


def write_report(folder: str | Path, *, statistics: Mode = "per-subject") -> Path:
    """Write the long tables, every table and figure, and ``report.html`` into an experiment's folder; returns the page.

    ``statistics`` is ``per-subject``, or ``as-published`` for the papers' own way of testing, which is anti-conservative.
    The same units give the same files, byte for byte.

    Raises:
        RaterbenchError: the folder holds no experiment, no finished unit, or no row of the primary metric.
    """
    results = read_results(folder)
    analysis = Analysis(results, statistics)
    files = [
        write_long_table(results.rows, results.folder / "results.csv.gz"),
        write_long_table(results.calibration, results.folder / "calibration.csv.gz"),
    ]
    tables = [*all_tables(analysis), *published_tables(results)]
    _clear(results.folder / "tables", ("md", "csv", "tex"))
    for table in tables:
        files += table.write(results.folder / "tables")
    plots = all_figures(analysis)
    _clear(results.folder / "figures", ("png", "pdf"))
    files += write_figures(plots, results.folder / "figures")
    return write_page(analysis, tables, plots, files)


def write_long_table(table: pd.DataFrame, path: Path) -> Path:
    """A table as gzipped CSV for ``pandas.read_csv``; no date inside, so that equal tables are equal files."""
    text = table.to_csv(index=False, lineterminator="\n").encode()
    path.write_bytes(gzip.compress(text, compresslevel=6, mtime=0))
    return path


def _clear(folder: Path, endings: tuple[str, ...]) -> None:
    """Remove what an earlier report left, so that no stale table stands beside new ones."""
    for ending in endings:
        for file in folder.glob(f"*.{ending}"):
            file.unlink()
