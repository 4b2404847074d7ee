"""The main table in the terminal, and the published values beside the measured ones."""

from __future__ import annotations

from io import StringIO

import numpy as np
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from ...benchmark.statistics.metric_table import Protocol
from ...benchmark.store.results import Results
from ..analysis import Analysis
from ..page.escaping import terminal_text
from ..published.tables import WHY, published_tables
from . import captions
from .diagnosis import diagnosis_words
from .origins import mixed_words
from .rater_wording import alarmed
from .table import Cell, Table
from .tables import metric_cells, row_keys
from .wording import NO_VALUE, count_of, name_of, p_number, words_of, write_number

WIDTH = 100
SHOWN = ("brier", "confusion rmse", "hd95")
BESIDE = 2
"""Metrics beside the primary one: as many of those shown as the width has room for."""
SHORT_HEADS = {
    "Repeats × subjects": "n",
    "Trainings × subjects": "n",
    "Published difference": "Δ publ.",
    "Measured difference": "Δ meas.",
    "p over trainings": "p paper",
    "p, model t": "p Holm",
}


def main_table(results: Results, protocol: Protocol = "model-t") -> RichTable:
    """Candidates, then what needs no network, with the primary metric, two more, calibration and p; a rich table."""
    return terminal_table(Analysis(results, protocol))


def terminal_table(analysis: Analysis) -> RichTable:
    """The main table of an analysis."""
    metrics = [analysis.metric, *[m for m in SHOWN if m in analysis.metrics and m != analysis.metric][:BESIDE]]
    title = f"{analysis.results.experiment.name}: {analysis.label(analysis.metric)} against {words_of(analysis.reference)}"
    table = titled_table(title, _caption(analysis))
    table.add_column("Candidate", max_width=30, overflow="fold")
    for metric in metrics:
        table.add_column(terminal_text(analysis.head(metric)), justify="right", no_wrap=True)
    table.add_column("ECE % ↓", justify="right", no_wrap=True)
    table.add_column("p", justify="right", no_wrap=True)
    cells = {m: metric_cells(analysis, m) for m in metrics}
    last = "method"
    for kind, name in row_keys(analysis):
        if kind != last:
            table.add_section()
        last = kind
        found = [cells[m].get((kind, name), Cell(NO_VALUE)) for m in metrics]
        ece = analysis.calibration.ece_of(name, "closed") if kind == "method" else np.nan
        table.add_row(
            terminal_text(name_of(name, kind).replace("Fused labels", "Fused")),
            *(_styled(c.shown, c.bold) for c in found),
            _styled(write_number(100 * ece, 2), name in analysis.calibration.lowest("closed")),
            _p(analysis, kind, name),
        )
    return table


def published_parts(results: Results) -> list[RichTable | Text]:
    """Published values beside measured ones, a rich table for each data set, or a line where it was not measured."""
    return [published_part(table) for table in published_tables(results)]


def titled_table(title: str, caption: str) -> RichTable:
    """An empty table under its title and over its caption."""
    parts = terminal_text(title, "table.title"), terminal_text(caption, "table.caption")
    return RichTable(title=parts[0], caption=parts[1], title_justify="left", caption_justify="left")


def published_part(table: Table) -> RichTable | Text:
    """One table of published values; a line of text where nothing was measured."""
    title = table.title
    if not table.plain["n"].any():
        return terminal_text(f"{title}: {table.plain['why'].iloc[0]}")
    count = next(head for head in table.head if head.endswith("× subjects"))
    caption = f"n: {count.lower()}. Bold: a difference beyond twice the spread of both, or p < .05; the report explains."
    if "p, model t" in table.head:
        caption += " Δ: difference to the baseline. p paper: over trained models, as papers test. p Holm: model t, after Holm."
    shown = titled_table(title, caption)
    # What is compared heads its rows instead of standing in each of them, so that the reasons have room.
    heads = [SHORT_HEADS.get(head, head) for head in table.head if head != table.head[1]]
    for place, head in enumerate(heads):
        words = place == 0 or table.head[place + 1] == WHY
        shown.add_column(
            terminal_text(head), justify="left" if words else "right", no_wrap=not words, min_width=16 if words else None
        )
    for number, (name, column, *values) in enumerate(table.rows):
        if number == 0 or number in table.rules:
            shown.add_section()
            shown.add_row(_styled(column.text, bold=True))
        shown.add_row(terminal_text(name.text), *(_styled(cell.shown, cell.bold) for cell in values))
    return shown


def main_table_text(results: Results, protocol: Protocol = "model-t", width: int = WIDTH) -> str:
    """The same as plain text of at most ``width`` columns."""
    stream = StringIO()
    Console(file=stream, width=width, force_terminal=False).print(main_table(results, protocol))
    return stream.getvalue()


def _styled(text: str, bold: bool) -> Text:
    return terminal_text(text, "bold" if bold else "")


def _p(analysis: Analysis, kind: str, name: str) -> str:
    if kind != "method":
        return NO_VALUE
    p = float(analysis.rows_for(analysis.metric)["p_holm" if analysis.protocol == "model-t" else "p"].to_dict()[name])
    if name == analysis.baseline:
        return "baseline"
    return p_number(p) if np.isfinite(p) else NO_VALUE


def _caption(analysis: Analysis) -> str:
    found = analysis.comparison
    counts = [(found.n_subjects, "subject"), (found.n_cases, "case"), (found.n_repeats, "repeat")]
    n = ", ".join(count_of(count, word) for count, word in counts)
    corrected = analysis.protocol == "model-t"
    test = "model t, Holm" if corrected else "Wilcoxon over trained models, uncorrected"
    bold = "cannot be told from the best" if corrected else "best mean"
    more = [captions.never_calibrated(analysis), captions.unfinished(analysis), diagnosis_words(analysis)]
    said = " ".join(
        [f"Mean ± standard deviation, {n}; bold: {bold}; p: {test}; ECE with confidence 1 counted.", *filter(None, more)]
    )
    lost = len(analysis.results.completeness.having("missing", "damaged"))
    if lost:
        said += f" INCOMPLETE: without {lost} of {len(analysis.results.completeness.units)} units."
    if mixed_words(analysis.results.units):
        said += " MIXED: computed by different code or libraries; the report says which."
    # A reader of the terminal alone must not miss an alarm.
    warned = alarmed(analysis)
    if names := [c for c in analysis.candidates if c in warned]:
        said += f" Alarms were raised by {', '.join(names)}; the report says which."
    return said
