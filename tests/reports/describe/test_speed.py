"""The table of ``raterbench perf`` on the terminal and on a page."""

import pytest
from rich.console import Console

from raterbench.__main__ import main
from raterbench.benchmark import perf
from raterbench.benchmark.perf.table import HEAD, Row, Target
from raterbench.datasets import RaterbenchError
from raterbench.reports.describe.speed import BEGIN, END, check_page, speed_markdown, speed_table, write_page

ROWS = [
    Row("fit", "bare loop", "1.07 (1.05 to 1.10, 5 pairs)", 1.07, Target("at most", 1.08), "fit does more"),
    Row("smoke [x] | two", "one", "1.50", 1.5, Target("at least", 1.7), "start-up apart"),
    Row("fit, GPU", "bare loop", "not tried: no GPU here", target=Target("at most", 1.1), note="fit does more"),
]


def test_the_terminal_shows_every_cell(capsys):
    Console(width=160).print(speed_table(ROWS))
    shown = capsys.readouterr().out
    assert all(cell in shown for cell in (*HEAD, *(cell for row in ROWS for cell in row.cells)))


def test_markdown_has_facts_rows_and_each_note_once():
    lines = speed_markdown(["2026-11-27", "2 cores"], ROWS).splitlines()
    assert lines[:2] == ["* 2026-11-27", "* 2 cores"]
    table = [line for line in lines if line.startswith("|")]
    assert table[0] == "| Work | Against | Measured | Target | Met |" and table[1] == "|---|---|---|---|---|"
    assert table[2] == "| fit (1) | bare loop | 1.07 (1.05 to 1.10, 5 pairs) | at most 1.08 | yes |"
    assert table[3] == r"| smoke \[x\] \| two (2) | one | 1.50 | at least 1.7 | no |"
    assert table[4] == "| fit, GPU (1) | bare loop | not tried: no GPU here | at most 1.1 |  |"
    assert lines[-2:] == ["1. fit does more.", "2. start-up apart."]


def test_a_page_keeps_what_stands_around_the_table(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"# Speed\n\n{BEGIN}\nold\n{END}\n\nafter\n", encoding="utf-8")
    for markdown in ("first\n", "second\n"):
        write_page(page, markdown)
        assert page.read_text(encoding="utf-8") == f"# Speed\n\n{BEGIN}\n{markdown}{END}\n\nafter\n"
    new = write_page(tmp_path / "new.md", "rows\n")
    assert new.read_text(encoding="utf-8") == f"{BEGIN}\nrows\n{END}\n"


@pytest.mark.parametrize("text", ["no place", f"{END}\n{BEGIN}\n", f"{BEGIN}\n"])
def test_a_file_without_a_place_is_left_alone(tmp_path, text):
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    with pytest.raises(RaterbenchError, match="add them, or give a new file"):
        check_page(page)
    with pytest.raises(RaterbenchError, match="between which the table goes"):
        write_page(page, "rows\n")
    assert page.read_text(encoding="utf-8") == text


def test_the_command_prints_rows_as_they_are_done_then_the_table_and_writes_it(tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(perf, "measure", lambda report, names, repeats: asked.append((names, repeats)) or iter(ROWS))
    page = tmp_path / "page.md"
    assert main(["perf", "--repeats", "2", "-o", str(page)]) == 0
    assert main(["perf", "--rows", "jobs", "gpu"]) == 0
    assert asked == [([], 2), (["jobs", "gpu"], 5)]
    shown = capsys.readouterr().out
    assert shown.index("fit | bare loop: 1.07 (1.05 to 1.10, 5 pairs) (at most 1.08, yes)") < shown.index("Measured")
    assert "| fit (1) | bare loop |" in page.read_text(encoding="utf-8")


def test_nothing_is_measured_for_a_page_that_cannot_take_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(perf, "measure", lambda *_: pytest.fail("measured"))
    page = tmp_path / "page.md"
    page.write_text("text", encoding="utf-8")
    assert main(["perf", "-o", str(page)]) == 2
    assert "has no lines" in capsys.readouterr().err


def test_an_unknown_row_names_the_nearest(capsys):
    with pytest.raises(SystemExit):
        main(["perf", "--rows", "fusion"])
    assert "did you mean 'fusions'?" in capsys.readouterr().err
