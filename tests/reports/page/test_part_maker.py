"""A part that cannot be made is named with its reason, and takes nothing else down."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raterbench.__main__ import main
from raterbench.benchmark.store.results import Results, read_results
from raterbench.errors import RaterbenchError
from raterbench.reports.analysis import Analysis
from raterbench.reports.answer.answer import answer
from raterbench.reports.figures import figures
from raterbench.reports.figures.entropy import entropy
from raterbench.reports.figures.figures import draw_figures, figure_makers, made
from raterbench.reports.figures.files import drawing
from raterbench.reports.figures.style import house_style
from raterbench.reports.page import report
from raterbench.reports.page.part_maker import PartMaker
from raterbench.reports.page.report import make_report, write_report
from raterbench.reports.tables import details
from raterbench.reports.tables.tables import comparison_table

from ..conftest import SMALL

pytestmark = pytest.mark.usefixtures("figures_unsaved")


def broken(_: Analysis) -> None:
    raise ValueError("Axis limits cannot be NaN or Inf")


def test_a_broken_part_is_named_and_the_others_are_there(
    make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make(**SMALL)
    monkeypatch.setattr(figures, "effects", broken)
    monkeypatch.setattr(details, "by_reference", broken)
    said = "The figure ‘effects’ could not be made: ValueError: Axis limits cannot be NaN or Inf"
    assert main(["report", str(folder)]) == 1
    assert said in capsys.readouterr().out
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.count(said) == 2, "where it belongs, and in what to beware of"
    assert "The table ‘by-reference’ could not be made" in page and 'id="table-comparison"' in page
    assert not (folder / "figures" / "effects.png").exists() and (folder / "figures" / "entropy.png").exists()
    with pytest.raises(ValueError, match="Axis limits"):
        write_report(folder, strict=True)
    with pytest.raises(ValueError, match="Axis limits"):
        made(figure_makers(Analysis(read_results(folder)))["effects"])


def test_a_figure_that_cannot_be_laid_out_leaves_no_file(small: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(figure: object) -> Any:
        raise ZeroDivisionError("float division by zero")

    monkeypatch.setattr(drawing, "forms_of", breaks)
    part_maker = PartMaker(strict=False)
    with house_style():
        plot = entropy(Analysis(small))
    assert plot is not None
    assert draw_figures([plot], part_maker) == []
    assert [str(b) for b in part_maker.broken] == [
        "The figure ‘entropy’ could not be made: ZeroDivisionError: float division by zero"
    ]


def test_a_metric_that_breaks_leaves_the_others(small: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    compare = Analysis.compare

    def breaks(self: Analysis, metrics: list[str], reference: str) -> Any:
        if "hd95" in metrics:
            raise OverflowError("too large")
        return compare(self, metrics, reference)

    monkeypatch.setattr(Analysis, "compare", breaks)
    analysis = Analysis(small, part_maker=PartMaker(strict=False))
    assert "hd95" not in set(analysis.table["metric"]) and "brier" in set(analysis.table["metric"])
    assert [cell.text for row in comparison_table(analysis).rows for cell in row if "HD95" in cell.text] == []
    assert "The metric ‘hd95’ could not be made: OverflowError: too large." in answer(analysis).warnings


def test_a_fault_in_code_is_not_hidden() -> None:
    part_maker = PartMaker(strict=False)
    with pytest.raises(KeyError):
        part_maker.make("figure", "f", lambda: {}["no such name"])
    part_maker.make("table", "t", lambda: (_ for _ in ()).throw(RaterbenchError("mend this.")))
    assert str(part_maker.broken[0]) == "The table ‘t’ could not be made: mend this"


def test_without_the_primary_metric_there_is_no_report(small: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = small.long_table[small.long_table["metric"] != "dice"]
    monkeypatch.setattr(report, "read_results", lambda folder: dataclasses.replace(small, long_table=rows))
    with pytest.raises(RaterbenchError, match="the primary metric 'dice' is not among the results"):
        make_report(small.folder)
