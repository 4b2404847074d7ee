"""``raterbench published``: a paper's table beside measured values, from one table of text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from ...benchmark.experiment.published import published_names, read_published
from ...benchmark.store.own_files import WrittenFiles
from ...errors import RaterbenchError
from ..page.escaping import terminal_text
from ..tables.table import Table
from ..tables.terminal import published_part
from .compared import compared_table
from .measurements import Measurements, read_measurements
from .tables import written_table

KIND = "published"


@dataclass(frozen=True, eq=False)
class PublishedBeside:
    """A paper's table beside measured values, and the files it was written to."""

    table: Table
    files: tuple[Path, ...]


def published_beside(file: str | Path, name: str | None = None, out: str | Path | None = None) -> PublishedBeside:
    """A paper's table beside the values of each subject in a file, as ``raterbench export`` writes it (``subjects.csv.gz``).

    ``name`` is that of a published table, by default the one that the file's experiment measures. With ``out`` it is written
    into that folder as Markdown, LaTeX and CSV. The same file gives the same table as the experiment's report.

    Raises:
        RaterbenchError: the file cannot be read; no published table is measured by its experiment or on its data set; or
            something that raterbench did not write is in the way.
    """
    measured = read_measurements(file)
    printed = read_published(name or _table_of(measured, str(file)))
    datasets = [c.dataset for c in printed.columns if measured.dataset in {c.dataset, c.stand_in}]
    if not datasets:
        known = ", ".join(dict.fromkeys(n for c in printed.columns for n in (c.dataset, c.stand_in) if n))
        raise RaterbenchError(f"{file} has values on {measured.dataset}, but {printed.name} is measured on {known}")
    table = written_table(compared_table(printed, datasets[0], measured))
    written: list[Path] = []
    if out is not None:
        contents = {Path(path).name: content for path, content in table.files.items()}
        target = WrittenFiles(Path(out), KIND)
        target.check(list(contents))
        target.write(contents)
        written = [target.folder / path for path in contents]
    return PublishedBeside(table, tuple(written))


def _table_of(measured: Measurements, file: str) -> str:
    for name in published_names():
        if any(measured.experiment in column.experiments for column in read_published(name).columns):
            return name
    raise RaterbenchError(
        f"{file} is of the experiment {measured.experiment}, which no published table names: give one of "
        f"{', '.join(published_names())}"
    )


def print_published(found: PublishedBeside, console: Console) -> None:
    """Print the table, its caption, and what was written."""
    console.print(published_part(found.table))
    for paragraph in found.table.paragraphs:
        console.print(terminal_text(paragraph), soft_wrap=True)
    for path in found.files:
        console.print(terminal_text(f"written: {path}"), soft_wrap=True)
