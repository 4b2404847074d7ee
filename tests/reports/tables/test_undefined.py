"""Reports of numbers that nobody hopes for: zeros, nothing, infinity, the largest and the smallest."""

from __future__ import annotations

import dataclasses
import re
import warnings
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from raterbench.benchmark.store.results import Results, read_results
from raterbench.reports.analysis import Analysis
from raterbench.reports.answer.answer import answer
from raterbench.reports.figures.effects import effects
from raterbench.reports.figures.entropy import entropy
from raterbench.reports.figures.figures import draw_figures
from raterbench.reports.figures.style import house_style
from raterbench.reports.page.report import write_report
from raterbench.reports.tables.details import all_tables
from raterbench.reports.tables.tables import comparison_table
from raterbench.reports.tables.terminal import terminal_table
from raterbench.reports.tables.wording import decimals_for, write_number

from ..conftest import SMALL, Study, write_study

pytestmark = pytest.mark.usefixtures("figures_unsaved")


@pytest.fixture(scope="module")
def uncalibrated(tmp_path_factory: pytest.TempPathFactory) -> Results:
    study = Study(**{**SMALL, "calibration": False})
    return read_results(write_study(tmp_path_factory.mktemp("uncalibrated") / "study", study))


def changed(results: Results, value: Any, **where: str) -> Results:
    """The same results with another value in the rows of methods where these columns have these words."""
    rows = results.long_table.copy()
    chosen = (rows["kind"] == "method") & np.logical_and.reduce([rows[c].eq(v) for c, v in where.items()] or [True])
    rows.loc[chosen, "value"] = value(rows.loc[chosen, "value"]) if callable(value) else value
    return dataclasses.replace(results, long_table=rows)


UNHOPED: dict[str, tuple[Any, dict[str, str]]] = {
    "all zero": (0.0, {}),
    "all the same": (0.7, {}),
    "all missing": (np.nan, {}),
    "one candidate missing": (np.nan, {"candidate": "B"}),
    "the baseline missing": (np.nan, {"candidate": "A"}),
    "the primary metric missing": (np.nan, {"metric": "dice"}),
    "another metric infinite": (np.inf, {"metric": "hd95"}),
    "huge": (lambda v: v * 1e300, {"metric": "hd95"}),
    "huge primary": (lambda v: v * 1e299, {"metric": "dice"}),
    "the largest number": (1.7e308, {"metric": "brier"}),
    "tiny": (lambda v: v * 1e-310, {"metric": "brier"}),
    "tiny primary": (lambda v: v * 1e-310, {"metric": "dice"}),
}


@pytest.mark.parametrize("name", UNHOPED)
def test_every_table_and_figure_is_made(uncalibrated: Results, name: str) -> None:
    value, where = UNHOPED[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        analysis = Analysis(changed(uncalibrated, value, **where))
        # One analysis for the page and for the terminal, as in a run.
        tables, terminal = all_tables(analysis), StringIO()
        Console(file=terminal, width=100, force_terminal=False).print(terminal_table(analysis))
        found = answer(analysis)
        with house_style():
            plots = [plot for maker in (effects, entropy) if (plot := maker(analysis)) is not None]
        assert draw_figures(plots) or name == "all missing"
    written = (
        "".join(t.markdown() + t.latex() for t in tables) + terminal.getvalue() + found.headline + "".join(found.sentences)
    )
    assert not re.search(r"\bnan\b|\binf\b", written, re.IGNORECASE)
    assert max(map(len, re.findall(r"\d+", written))) < 30


def test_equal_candidates_do_not_differ(small: Results) -> None:
    row = Analysis(changed(small, 0.0)).rows_for("dice").loc["B"]
    assert (row["difference"], row["p"], row["p_holm"], row["significant"]) == (0, 1, 1, False)


def test_a_missing_number_says_why_in_every_form(small: Results) -> None:
    table = comparison_table(Analysis(changed(small, np.nan, candidate="B", metric="hd95")))
    assert "HD95 (mm) of B: none of the 6 values of B is defined." in table.paragraphs[-1]
    assert "none of the 6 values of B is defined" in table.markdown() and "none of the 6 values" in table.latex()
    cell = next(row for row in table.rows if row[0].text == "B")[table.head.index("HD95 (mm) ↓")]
    assert (cell.text, cell.note) == ("–", "none of the 6 values of B is defined")
    assert "Undefined (–)" not in comparison_table(Analysis(small)).paragraphs[-1]


def test_the_page_shows_the_reason(make: Callable[..., Path]) -> None:
    folder = make(**{**SMALL, "empty": True})
    page = write_report(folder, strict=True).read_text(encoding="utf-8")
    assert 'title="none of the 6 values of B is defined"' in page
    assert "Undefined (–). HD95 (mm) of A: none of the 6 values of A is defined." in page
    written = pd.read_csv(folder / "tables" / "comparison.csv").set_index(["metric", "candidate"])
    assert written.loc[("hd95", "B"), "why_no_mean"] == "none of the 6 values of B is defined"


@pytest.mark.parametrize(("typical", "value", "text"), [
    (0.5, 0.1234, "0.123"), (1e-7, 1.5e-7, "1.50e−07"), (1e12, -2e12, "−2.00e+12"), (1e-7, 0.0, "0.00e+00"),
    (0.5, 0.0, "0.000"),
])  # fmt: skip
def test_numbers_of_any_size_can_be_read(typical: float, value: float, text: str) -> None:
    assert write_number(value, decimals_for(typical)) == text
