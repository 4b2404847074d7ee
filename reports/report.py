"""Write everything that people read about an experiment, from its stored units alone."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from ..benchmark.csv_text import csv_bytes
from ..benchmark.results import read_results
from ..benchmark.statistics.metric_table import Mode
from .analysis import Analysis
from .details import all_tables
from .figures import all_figures, write_figures
from .page import write_page
from .part_maker import BrokenPart, PartMaker
from .published import published_tables
from .terminal import main_table, main_table_text, published_parts, terminal_table

__all__ = ["main_table", "main_table_text", "make_report", "published_parts", "terminal_table", "write_report"]


@dataclass(frozen=True, eq=False)
class Report:
    """A written report: its ``page``, and the ``analysis`` that it was made from."""

    page: Path
    analysis: Analysis

    @property
    def broken(self) -> Sequence[BrokenPart]:
        """The parts that could not be made; the page names them, too."""
        return self.analysis.part_maker.broken


def write_report(folder: str | Path, *, statistics: Mode = "per-subject", strict: bool = False) -> Path:
    """Write the long tables, every table and figure, and ``report.html`` into an experiment's folder; returns the page.

    ``statistics`` is ``per-subject``, or ``as-published`` for the papers' own way of testing, which is anti-conservative.
    A part that breaks on numbers that nobody thought of is named on the page with its reason, and the others are written all
    the same; ``strict`` raises instead. The same units give the same files, byte for byte.

    Raises:
        RaterbenchError: the folder holds no experiment, no finished unit, or no row of the primary metric.
    """
    return make_report(folder, statistics=statistics, strict=strict).page


def make_report(folder: str | Path, *, statistics: Mode = "per-subject", strict: bool = False) -> Report:
    """Like :func:`write_report`; returns what is needed to show the report elsewhere and to say what broke."""
    results = read_results(folder)
    part_maker = PartMaker(strict)
    analysis = Analysis(results, statistics, part_maker)
    _ = analysis.comparison  # Without the primary metric there is nothing to report, whatever else can be made.
    files = [
        write_long_table(results.rows, results.folder / "results.csv.gz"),
        write_long_table(results.calibration, results.folder / "calibration.csv.gz"),
    ]
    tables = all_tables(analysis) + (part_maker.make("table", "published", partial(published_tables, results)) or [])
    _clear(results.folder / "tables", ("md", "csv", "tex"))
    for table in tables:
        files += table.write(results.folder / "tables")
    plots = all_figures(analysis)
    _clear(results.folder / "figures", ("png", "pdf"))
    files += write_figures(plots, results.folder / "figures", part_maker)
    written = [plot for plot in plots if (results.folder / "figures" / f"{plot.name}.png") in files]
    return Report(write_page(analysis, tables, written, files), analysis)


def write_long_table(table: pd.DataFrame, path: Path) -> Path:
    """A table as gzipped CSV for ``pandas.read_csv``; no date inside, so that equal tables are equal files."""
    path.write_bytes(gzip.compress(csv_bytes(table), compresslevel=6, mtime=0))
    return path


def _clear(folder: Path, endings: tuple[str, ...]) -> None:
    """Remove what an earlier report left, so that no stale table stands beside new ones."""
    for ending in endings:
        for file in folder.glob(f"*.{ending}"):
            file.unlink()
