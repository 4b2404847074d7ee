"""Write the results of an experiment for other programs: tables, a data dictionary, and forms that other tools read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.console import Console

from ...benchmark.labels.csv_text import csv_bytes
from ...benchmark.statistics.subjects import case_values
from ...benchmark.store.own_files import WrittenFiles
from ...benchmark.store.results import read_results
from ..analysis import Analysis
from ..page.escaping import terminal_text
from ..page.report import long_table
from ..published.measurements import subject_table, subject_text
from .dictionary import (
    DICTIONARY,
    PACKAGE,
    diagnoses_description,
    dictionary_text,
    form_description,
    long_description,
    metrics_description,
    metrics_table,
    package_text,
    subjects_description,
)
from .per_case import bencheval_table, cases_table, challenger_table, file_names, wide_table

KIND = "export"
FOLDER = "export"
"""Where an export goes by default: this folder, in that of the results."""


@dataclass(frozen=True, eq=False)
class Export:
    """A written export: its ``folder``, its ``files`` by name, and the ``analysis`` whose results they hold."""

    folder: Path
    files: tuple[str, ...]
    analysis: Analysis


def export_results(folder: str | Path, out: str | Path | None = None) -> Export:
    """Write the long table, its data dictionary and the values of each metric for other programs.

    The files go into ``out``, by default ``export`` in the folder of the results. The same results give the same files, byte
    for byte. Files of an earlier export are replaced or removed, unless somebody changed them.

    Raises:
        RaterbenchError: the folder holds no experiment or no finished unit, or a file that raterbench did not write is in the
            way.
    """
    results = read_results(folder)
    analysis = Analysis(results)
    target = WrittenFiles(results.folder / FOLDER if out is None else Path(out), KIND)
    target.check([PACKAGE, DICTIONARY, "results.csv.gz", "subjects.csv.gz", "metrics.csv"])
    files = file_names(analysis.metrics)
    metrics = metrics_table(analysis, files)
    contents = {"results.csv.gz": long_table(results.long_table), "metrics.csv": csv_bytes(metrics)}
    contents["subjects.csv.gz"] = subject_text(subject_table(results))
    described = [long_description(results.long_table), subjects_description(), metrics_description()]
    if len(results.diagnoses):
        contents["diagnoses.csv.gz"] = long_table(results.diagnoses)
        described.append(diagnoses_description())
    for metric, file in files.items():
        for form, table in per_case_tables(analysis, metric).items():
            description = form_description(form, file, analysis.label(metric), table)
            contents[description.file] = csv_bytes(table)
            described.append(description)
    contents[PACKAGE] = package_text(analysis, described, contents).encode()
    contents[DICTIONARY] = dictionary_text(analysis, described, metrics).encode()
    target.write(contents, only=True)
    return Export(target.folder, tuple(contents), analysis)


def per_case_tables(analysis: Analysis, metric: str) -> dict[str, pd.DataFrame]:
    """The values of one metric against its reference, by the form; a form that cannot hold the metric is left out."""
    results = analysis.results
    cases = case_values(results.rows, metric, analysis.reference_of(metric))
    found = {
        "cases": cases_table(cases),
        "challenger": challenger_table(cases, results.experiment.dataset),
        "wide": wide_table(cases),
        "bencheval": bencheval_table(cases, results.metric(metric)),
    }
    return {form: table for form, table in found.items() if table is not None}


def print_export(export: Export, console: Console) -> None:
    """Print what a reader of the results must know, and what was written."""
    for notice in export.analysis.notices:
        console.print(terminal_text(notice), style="bold red", soft_wrap=True)
    console.print(
        terminal_text(f"written: {len(export.files)} files in {export.folder}; read {DICTIONARY} first"), soft_wrap=True
    )
