"""The table of published and measured values, as people read it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...benchmark.experiment.published import PublishedColumn
from ...benchmark.store.results import Results
from ..tables.table import Cell, Table
from ..tables.wording import NO_VALUE, count_of, p_number, write_number
from .compared import FAR, Compared, ComparedTable, compared_tables
from .measurements import NETWORK

ALPHA = 0.05
"""What papers call significant: p below this."""
MARK = "*"
"""Behind a published difference that the paper calls significant."""


def published_tables(results: Results) -> list[Table]:
    """A table for each data set of the experiment's published table, its own first; none if it declares none."""
    return [written_table(found, number) for number, found in enumerate(compared_tables(results))]


def written_table(found: ComparedTable, number: int = 0) -> Table:
    """One data set's cells as a table; ``number`` tells the tables of one report apart."""
    cells = found.cells
    columns = [cell.column.key for cell in cells]
    rules = frozenset(i for i in range(1, len(cells)) if columns[i] != columns[i - 1])
    head = _head(found)
    words = frozenset({1} | ({len(head) - 1} if head[-1] == WHY else set()))
    data = cells[0].column.head.partition(",")[0]
    name = "published" if number == 0 else f"published-{number + 1}"
    gaps = found.source.gaps if found.source is not None else []
    return Table(
        name, f"Published beside measured: {data}", [*_caption(found), *gaps], head, [_row(found, cell) for cell in cells],
        _plain(cells), rules, words,
    )  # fmt: skip


WHY = "Why they differ"


def _head(found: ComparedTable) -> list[str]:
    over = "Repeats" if found.printed.over == "repeats" else "Trainings"
    head = ["Row of the paper", "Column", "Published", "Measured", f"{over} × subjects"]
    if found.printed.baseline:
        head += ["Published difference", "Measured difference", "p over trainings", "p, model t"]
    return head if found.stand_in else [*head, "Difference", WHY]


def _row(found: ComparedTable, cell: Compared) -> list[Cell]:
    decimals, measured, none = cell.column.decimals, cell.measured, Cell(NO_VALUE)
    row = [
        Cell(cell.row.name),
        Cell(_short(cell.column)),
        Cell(_value(cell.published, cell.published_std, decimals), sort=cell.published),
        Cell(_value(measured.mean, measured.std, decimals), sort=measured.mean) if measured else none,
    ]
    n = "" if measured is None else f"{measured.n} × {measured.subjects}" if measured.subjects else f"{measured.n}"
    row.append(Cell(n, sort=float(measured.n)) if measured else none)
    if found.printed.baseline:
        against, apart = cell.against, cell.published_difference
        row += [
            Cell(write_number(apart, decimals, sign=True), mark=MARK if cell.marked else "", sort=apart),
            Cell(write_number(against.difference, decimals, sign=True), sort=against.difference) if against else none,
            Cell(p_number(against.p_trainings), bold=against.p_trainings < ALPHA, sort=against.p_trainings)
            if against
            else none,
            Cell(p_number(against.p), bold=against.p < ALPHA, sort=against.p) if against else none,
        ]
    if not found.stand_in:
        row += [
            Cell(write_number(cell.difference, decimals, sign=True), bold=cell.differs, sort=cell.difference),
            Cell(cell.why),
        ]
    return row


def _p(p: float) -> Cell:
    return Cell(p_number(p), bold=p < ALPHA, sort=p)


def _short(column: PublishedColumn) -> str:
    """A column's head without the data set, which the title names."""
    return column.head.partition(", ")[2]


def _value(mean: float, std: float, decimals: int) -> str:
    text = write_number(mean, decimals)
    return f"{text} ± {write_number(std, decimals)}" if np.isfinite(std) else text


def _caption(found: ComparedTable) -> Sequence[str]:
    """Where both values come from, what counts as a difference, and why values differ."""
    printed, cells = found.printed, found.cells
    lines = [f"The published values are from {printed.citation}, {printed.title}; their ± is the {printed.spread}."]
    measured = [cell for cell in cells if cell.measured]
    names = dict.fromkeys(
        f"{c.row.name} is {c.row.candidate}" for c in cells if not c.row.name.startswith(c.row.candidate) and not c.row.mean_of
    )
    if not measured:
        lines += [text for text in dict.fromkeys(c.column.data for c in cells) if text]
        lines[1:] = [f"{text}, then run it beside this experiment." for text in lines[1:]]
    else:
        lines.append(_measured_words(found))
        if found.stand_in:
            lines.append(
                f"The images and raters are those of {found.stand_in}, not the paper's ({cells[0].column.dataset}): compare "
                "signs and orders of differences, not values."
            )
        else:
            lines.append(_difference_words(cells))
        if printed.baseline:
            lines.append(_test_words(found))
        reasons = dict.fromkeys(f"{c.note.text} – {c.note.detail}" for c in cells if c.differs and c.note.detail)
        if reasons:
            lines.append(f"Why they differ: {'; '.join(reasons)}.")
        policies = found.source.empty_policies if found.source is not None else {}
        known = dict.fromkeys(policies.get(cell.column.metric, "") for cell in measured)
        if texts := [text for text in known if text]:
            lines.append(f"As measured here: {' '.join(texts)}")
    if names:
        lines.append(f"The paper calls candidates by other names: {'; '.join(names)}.")
    return lines


def _difference_words(cells: Sequence[Compared]) -> str:
    tolerances = dict.fromkeys(f"{c.column.tolerance:g} in {_short(c.column)}" for c in cells)
    far = f"a difference in bold is beyond {FAR:g} standard deviations of both together"
    return (
        f"A difference is measured minus published; {far}, or, where one is unknown, beyond {' and '.join(tolerances)}. Only "
        "such a difference gets a reason: what is known of the paper. It is not tested, because a paper prints no values of "
        "single images."
    )


def _test_words(found: ComparedTable) -> str:
    """What the tests against the baseline are, and how many of the paper's marks they find again."""
    marked = [cell for cell in found.cells if cell.marked and cell.against is not None]
    unmarked = [cell for cell in found.cells if not cell.marked and cell.against is not None]
    again = [c for c in marked if c.against is not None and c.against.p_trainings < ALPHA]
    honest = [c for c in marked if c.against is not None and c.against.p < ALPHA]
    new = [c for c in unmarked if c.against is not None and c.against.p < ALPHA]
    words = (
        f"Published and measured difference are those to {found.printed.baseline}; {MARK} marks what the paper calls "
        "significant (Wilcoxon, p < .05). The two p are of the measured difference: over trained models, as the paper tests, "
        "which takes them as independent; and by model t over subjects and trained models, after Holm over the rows of a "
        "column. Below .05 they are bold."
    )
    if marked:
        words += (
            f" Of {count_of(len(marked), 'marked difference')} {len(again)} {'is' if len(again) == 1 else 'are'} below .05 "
            f"here over trained models, and {len(honest)} by model t; so {'is' if len(new) == 1 else 'are'} {len(new)} of "
            f"{len(unmarked)} unmarked by model t."
        )
    return words


def _measured_words(found: ComparedTable) -> str:
    """What the measured values are, and which of them need no network."""
    cells = [cell for cell in found.cells if cell.measured]
    sources = ", ".join(dict.fromkeys(cell.experiment for cell in cells if cell.experiment))
    n = max(cell.measured.n for cell in cells if cell.measured)
    most = max(cell.measured.subjects for cell in cells if cell.measured)
    subjects, by_repeat = count_of(most, "test subject"), found.printed.over == "repeats"
    first, *others = dict.fromkeys(cell.column.reference for cell in cells)
    against = "against the reference in the column's head" if others else f"against the {first}"
    if first.startswith(NETWORK) and not others:
        against = f"by the diagnosis network {first.removeprefix(NETWORK)}"
    over = f"{count_of(n, 'repeat')} of training" if by_repeat else count_of(n, "trained model")
    words = f"The measured values are those of {sources} {against}: mean ± standard deviation over {over}"
    if not most:
        words += ", each the mean over its folds." if by_repeat else "."
    else:
        words += f" of the mean over all {subjects}." if by_repeat else f" of the mean over its subjects, {subjects} in all."
    stand_ins = [cell for cell in cells if cell.measured and cell.measured.kind == "fusion"]
    fused = dict.fromkeys(f"{_short(cell.column)} of {cell.row.name}" for cell in stand_ins)
    if fused:
        words += f" Without a network, from the ratings of the test images themselves: {' and '.join(fused)}."
    return words


def _plain(cells: Sequence[Compared]) -> pd.DataFrame:
    rows = []
    for cell in cells:
        found, against = cell.measured, cell.against
        row = {
            "row": cell.row.name, "candidate": cell.row.candidate, "dataset": cell.column.dataset,
            "metric": cell.column.metric, "class": cell.column.class_name, "reference": cell.column.reference,
            "column": cell.column.head, "published": cell.published, "published_std": cell.published_std,
            "measured": found.mean if found else np.nan, "measured_std": found.std if found else np.nan,
            "n": found.n if found else 0, "subjects": found.subjects if found else 0,
            "difference": cell.difference, "differs": cell.differs,
            "published_difference": cell.published_difference, "marked": cell.marked,
            "measured_difference": against.difference if against else np.nan,
            "p_trainings": against.p_trainings if against else np.nan, "p_model_t": against.p if against else np.nan,
            "experiment": cell.experiment, "stands_in": cell.stands_in, "why": cell.why,
        }  # fmt: skip
        rows.append(row)
    return pd.DataFrame(rows)
