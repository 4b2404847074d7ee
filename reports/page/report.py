"""Write everything that people read about an experiment, from its stored units alone."""

from __future__ import annotations

import gc
import gzip
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from ...benchmark.labels.csv_text import csv_bytes
from ...benchmark.statistics.metric_table import Protocol
from ...benchmark.store.own_files import WrittenFiles
from ...benchmark.store.results import read_results
from ..analysis import Analysis
from ..background import Background
from ..figures.files.drawn_figure import without_lost
from ..figures.files.kept import WORDS, kept_figures, origin_of_figures, words_file
from ..published.tables import published_tables
from ..tables.details import APART, all_tables, table_makers
from ..tables.terminal import main_table, main_table_text, published_parts, terminal_table
from ..tables.unfinished import unfinished_units
from .citations import citations
from .page import SECTIONS, page_text
from .part_maker import BrokenPart, PartMaker
from .parts import check_places, files_of

__all__ = ["main_table", "main_table_text", "make_report", "published_parts", "terminal_table", "write_report"]

KIND = "report"
PAGE, BIBTEX = "report.html", "citations.bib"
LONG_TABLES = {"results.csv.gz": "long_table", "calibration.csv.gz": "calibration"}
"""Files that hold tables of the results as they are."""


@dataclass(frozen=True, eq=False)
class Report:
    """A written report: its ``page``, and the ``analysis`` that it was made from."""

    page: Path
    analysis: Analysis

    @property
    def broken(self) -> Sequence[BrokenPart]:
        """The parts that could not be made; the page names them, too."""
        return self.analysis.part_maker.broken

    @property
    def is_sound(self) -> bool:
        """Whether all planned units are there and done, no foreign file lies among them, and every part could be made."""
        return self.analysis.results.completeness.is_sound and not self.broken


def write_report(folder: str | Path, *, protocol: Protocol = "model-t", strict: bool = False) -> Path:
    """Write the long tables, every table and figure, ``citations.bib`` and ``report.html``; returns the page.

    All goes into the experiment's ``folder``. ``protocol`` is ``model-t``, or ``as-published`` for the papers' own way of
    testing, which is anti-conservative. A part that cannot be made from unforeseen numbers is named on the page with its
    reason, and the others are written; ``strict`` raises instead. The same units give the same files, byte for byte. All
    files are written together; those of an earlier report are replaced or removed, unless somebody changed them.

    Raises:
        RaterbenchError: the folder holds no experiment, no finished unit, or no row of the primary metric; or a file that
            raterbench did not write is in the way.
    """
    return make_report(folder, protocol=protocol, strict=strict).page


def make_report(folder: str | Path, *, protocol: Protocol = "model-t", strict: bool = False, processes: int = 1) -> Report:
    """Like :func:`write_report`; returns what is needed to show the report elsewhere and to say what broke.

    Figures are drawn in as many ``processes`` while the tables are made; the files are the same for any number. Figures and
    long tables that lie in the folder already are used again if everything that they depend on is as it was.
    """
    with without_cycle_search():
        return _make_report(folder, protocol, strict, processes)


def _make_report(folder: str | Path, protocol: Protocol, strict: bool, processes: int) -> Report:
    results = read_results(folder)
    check_report_places(results.folder)
    part_maker = PartMaker(strict)
    analysis = Analysis(results, protocol, part_maker)
    _ = analysis.comparison  # Without the primary metric there is nothing to report, whatever else can be made.
    _ = analysis.table  # Before processes are forked, which would each make it again.
    made_from, written = origin_of_figures(results.folder, protocol), WrittenFiles(results.folder, KIND)
    kept = kept_figures(written, made_from)
    figure_calls = _figure_calls(analysis) if kept is None else {}
    # What figures were made from is what the long tables are made from, too.
    kept_tables = {} if kept is None else written.unchanged(LONG_TABLES)
    long_calls = {
        name: partial(long_table, getattr(results, table)) for name, table in LONG_TABLES.items() if name not in kept_tables
    }
    table_calls = {name: partial(maker, analysis) for name, maker in table_makers().items() if name in APART}
    with Background({**long_calls, **table_calls, **figure_calls}, processes) as background:
        tables = all_tables(analysis, {name: partial(background.result, name) for name in table_calls})
        tables += part_maker.make("table", "published", partial(published_tables, results)) or []
        tables += [table] if (table := part_maker.make("table", "unfinished", partial(unfinished_units, analysis))) else []
        drawn = (figure for name in figure_calls for figure in background.result(name))
        figures = without_lost(drawn if kept is None else kept, part_maker)
        files = {name: background.result(name) if name in long_calls else kept_tables[name] for name in LONG_TABLES}
    files |= files_of(tables, figures)
    files[BIBTEX] = citations(analysis).bibtex.encode()
    if not any(part.kind == "figure" for part in part_maker.broken):
        files |= words_file(figures, made_from)
    page = page_text(analysis, tables, figures, list(files))
    written.write({**files, PAGE: page.encode()}, only=True)
    return Report(results.folder / PAGE, analysis)


def _figure_calls(analysis: Analysis) -> dict[str, Callable[[], object]]:
    """What makes and draws the figures, in their order: each call gives some of them."""
    from ..figures.figures import draw, figure_makers  # Here, because matplotlib takes a second to load.

    return {name: partial(draw, name, maker) for name, maker in figure_makers(analysis).items()}


@contextmanager
def without_cycle_search() -> Iterator[None]:
    """Without Python's search for unused objects in cycles, which takes a fifth of a report's time and finds little."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def check_report_places(folder: Path) -> None:
    """Whether a report can be written into a folder, for those who are about to compute for hours.

    Raises:
        RaterbenchError: something that raterbench did not write is in the way.
    """
    check_places(WrittenFiles(folder, KIND), (PAGE, BIBTEX, WORDS, *LONG_TABLES), SECTIONS)


def long_table(table: pd.DataFrame) -> bytes:
    """A table as gzipped CSV for ``pandas.read_csv``; no date inside, so that equal tables are equal files."""
    return gzip.compress(csv_bytes(table), compresslevel=4, mtime=0)
