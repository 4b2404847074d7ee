"""Names are data: what people call candidates, raters, cases and classes is shown as given, and obeyed by nothing."""

from __future__ import annotations

import io
import shutil
import subprocess
import warnings
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from rich.console import Console

from raterbench.__main__ import main
from raterbench.benchmark.labels.csv_text import csv_bytes, spreadsheet_bytes
from raterbench.benchmark.runner.progress import _say
from raterbench.benchmark.store.results import read_results
from raterbench.names import visible
from raterbench.reports.analysis import Analysis
from raterbench.reports.figures import style
from raterbench.reports.figures.figures import figure_makers, made
from raterbench.reports.page.escaping import figure_text, latex_text, markdown_text, terminal_text
from raterbench.reports.page.page import page_text
from raterbench.reports.page.report import long_table
from raterbench.reports.published.tables import published_tables
from raterbench.reports.several.several import Several
from raterbench.reports.several.study import Study as SharedStudy
from raterbench.reports.several.tables import several_tables
from raterbench.reports.tables.details import all_tables
from raterbench.reports.tables.table import Cell, Table
from raterbench.reports.tables.terminal import terminal_table

from ..conftest import Study, write_study
from ..published.test_published import study as published_study

NAMES = (
    "[lr=0.01]", "[/b]", "[red]x[/red]", ":bug:", "$x$", r"$\frac{1}$", "a&b_%$#{}^~\\", "=cmd|' /C calc'!A0", "-1+1",
    "@SUM(1)", "<script>alert(1)</script>", "' onmouseover='a", "../../x", "new\nline", "tab\tcr\r.", "\x1b[2J\x07",
    "\u202eRTL", "😀 中文", "עברית", "Кириллица", "Größe Łódź ǟ x\u0301 α", "nan", "NA", r"\input{/etc/passwd}", "_hidden",
    "rater", "n" * 300, "`--` --- &lt; ~~x~~ **y**",
)  # fmt: skip
CANDIDATES = ("[/b]", "=cmd|'!A0", "<i>\u202e\x1b\n中 $", "NA")
RATERS = ("_hidden", "=1+1", "<b>")
READ = {"keep_default_na": False, "na_values": {"value": [""], "mean": [""]}}
"""How pandas reads a name such as NA as it is."""


class Hostile(Study):
    @property
    def references(self) -> list[str]:
        return ["truth", "soft average"]

    @property
    def cases(self) -> list[tuple[str, str, str]]:
        return [(f"{NAMES[-1 - s]} {s}", f"s{s:02d}", f"=centre {s % 2}") for s in range(self.subjects)]


@pytest.fixture(scope="module")
def analysis(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    study = Hostile(
        candidates=CANDIDATES, raters=RATERS, overlap=("dice", "recall"), classes=("_<i>$q$</i>|",), subjects=4, slices=1,
        folds=2, identified=CANDIDATES[:1], believed=CANDIDATES[:1],
    )  # fmt: skip
    return Analysis(read_results(write_study(tmp_path_factory.mktemp("names"), study)))


@pytest.fixture(scope="module")
def folder(analysis: Analysis) -> Path:
    """All tables and the page; figures are drawn by a test of their own."""
    folder = analysis.results.folder
    tables = all_tables(analysis)
    files = {name: content for table in tables for name, content in table.files.items()}
    files["results.csv.gz"] = long_table(analysis.results.long_table)
    files["report.html"] = page_text(analysis, tables, [], list(files)).encode()
    (folder / "tables").mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_shows_names_and_obeys_none(folder: Path) -> None:
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    assert page.tags.count("script") == 4, "those of the tables and of the cases, and what each reads"
    assert not {"b", "i"} & set(page.tags)
    assert {visible(name) for name in CANDIDATES} <= set(page.words)
    assert {f"Rater {name}" for name in RATERS} <= set(page.words)


def test_a_browser_shows_names_and_obeys_none(folder: Path, chromium: Any) -> None:
    tab, errors = chromium.new_page(), []
    tab.on("console", lambda message: errors.append(message.text))
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.on("dialog", lambda dialog: errors.append(dialog.message))
    tab.goto((folder / "report.html").as_uri())
    shown = tab.locator("#table-comparison tbody th").all_text_contents()
    assert {visible(name) for name in CANDIDATES} <= set(shown) and errors == []
    layers = tab.locator(".layers th[scope=row]").all_text_contents()
    assert {visible(name) for name in (*CANDIDATES, *RATERS)} <= set(layers)
    tab.close()


def test_the_terminal_shows_names_and_obeys_none(analysis: Analysis) -> None:
    stream = io.StringIO()
    Console(file=stream, width=100, force_terminal=False).print(terminal_table(analysis))
    text = stream.getvalue()
    assert all(visible(name) in text for name in CANDIDATES)
    assert not set("\x1b\r\t\u202e") & set(text)


@pytest.mark.parametrize("name", NAMES)
def test_a_line_of_the_terminal_is_one_line(name: str) -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=False, width=80)
    _say(console, name)
    console.print(terminal_text(name), soft_wrap=True)
    assert stream.getvalue() == 2 * f"{visible(name)}\n"
    assert visible(name).isprintable() and (visible(name) == name or not name.isprintable())


def test_an_error_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "\x1b[2J\r\u202e.toml"]) == 2
    assert main(["report", "\x1b[2J\n\u202e"]) == 2
    shown = capsys.readouterr().err
    assert not set("\x1b\r\u202e") & set(shown) and len(shown.splitlines()) == 2


def test_rows_of_markdown_have_as_many_cells(folder: Path) -> None:
    text = (folder / "tables" / "comparison.md").read_text(encoding="utf-8")
    rows = [line for line in text.split("\n") if line.startswith("|")]
    cells = [row.replace(r"\\", "").replace(r"\|", "").count("|") for row in rows]
    assert len(set(cells)) == 1 and len(rows) > len(CANDIDATES)
    assert all(f"| {markdown_text(name)} |" in text for name in CANDIDATES)
    assert markdown_text("a|b\n<i> `x` &lt; $y$ ~~z~~") == r"a\|b\\n\<i\> \`x\` \&lt; \$y\$ \~\~z\~\~"


def test_programs_read_names_as_given(folder: Path, analysis: Analysis) -> None:
    read = pd.read_csv(folder / "results.csv.gz", **READ)
    assert set(read["candidate"]) >= {*CANDIDATES, *RATERS}
    np.testing.assert_array_equal(read["value"].isna(), analysis.results.long_table["value"].isna())


def test_names_read_back_from_csv_with_every_line_break() -> None:
    table = pd.DataFrame({"name": NAMES, "value": range(len(NAMES))})
    pd.testing.assert_frame_equal(pd.read_csv(io.BytesIO(csv_bytes(table)), keep_default_na=False), table, check_dtype=False)


def test_no_cell_of_a_spreadsheet_is_a_formula(folder: Path) -> None:
    for file in (folder / "tables").glob("*.csv"):
        table = pd.read_csv(file, dtype=str, keep_default_na=False, header=None)
        words = {cell for cell in table.to_numpy().ravel() if not _is_number(cell)}
        assert not [cell for cell in words if cell.startswith(tuple("=+-@\t\r"))], file.name
    table = pd.DataFrame([["=1+1", -1.5, "x"]], columns=["rater", "+1", "rater"])
    assert spreadsheet_bytes(table) == b"rater,'+1,rater\n'=1+1,-1.5,x\n"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def test_figures_of_a_report_can_draw_all_their_words(analysis: Analysis) -> None:
    """A warning, such as that of a missing glyph or of a hidden entry of a legend, is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plots = [plot for maker in figure_makers(analysis).values() for plot in made(maker)]
        with style.house_style():
            for plot in plots:
                plot.figure.draw_without_rendering()
    assert len(plots) >= 7
    texts = [text for plot in plots for text in plot.figure.findobj(Text)]
    assert not any(text.get_parse_math() for text in texts if "$" in text.get_text())
    assert {"\u200b_hidden", "\u200b_<i>$q$</i>|", "=cmd|'!A0"} <= {text.get_text() for text in texts}


@pytest.mark.parametrize("name", NAMES)
def test_figures_draw_a_name_as_it_is(name: str) -> None:
    with style.house_style(), warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = style.new_figure(60, 40)
        axes = figure.subplots()
        axes.plot([0, 1], label=style.wrapped(name, 30))
        axes.set_title(style.wrapped(name, 30), fontweight="bold")
        legend = axes.legend()
        figure.canvas.draw()
    assert [text.get_text() for text in legend.get_texts()] == [style.wrapped(name, 30)]
    assert not axes.title.get_parse_math()


def test_figures_say_which_letter_their_font_lacks_and_shorten_in_the_middle() -> None:
    assert figure_text("中 a") == "[U+4E2D] a" and figure_text("$x$ <b>") == "$x$ <b>"
    assert style.wrapped("first " + "n" * 300 + " last", 12, 2) == "first nnnnnn\n…nnnnnn last"
    assert style.wrapped("two words", 5) == "two\nwords"


def test_latex_of_letters_that_pdflatex_sets_is_their_command() -> None:
    assert latex_text("[ours] Größe é") == r"{[}ours{]} Gr\"{o}\ss{}e \'{e}"
    assert latex_text("a--b – α Ω Α") == r"a-{}-b \textendash{} \ensuremath{\alpha} \ensuremath{\Omega} " + (
        r"\raterbenchletter{Α}{U+0391}"
    )
    assert all(r"\input" not in latex_text(name) and "\n" not in latex_text(name) for name in NAMES)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_every_table_compiles_with_pdflatex(folder: Path, analysis: Analysis, tmp_path: Path) -> None:
    """Tables of one experiment, of several, and published ones, all with hostile names, in one document."""
    rows = [[Cell(name, bold=place % 2 == 0), Cell("1")] for place, name in enumerate(NAMES)]
    letters = Table("letters", NAMES[17], "\n".join(NAMES), [NAMES[0], "[n]"], rows, pd.DataFrame(), frozenset({1, 2}))
    long = Table("long", "[x]", "[y]", ["[a]", "[b]"], rows * 2, pd.DataFrame())
    inputs = [letters.latex(), long.latex()]
    inputs += [file.read_text(encoding="utf-8") for file in sorted((folder / "tables").glob("*.tex"))]
    studies = [SharedStudy(name, analysis, "dice", "higher", CANDIDATES, CANDIDATES[0]) for name in (NAMES[6], NAMES[24])]
    inputs += [table.latex() for table in several_tables(Several(studies, {}))]
    inputs += [table.latex() for table in published_tables(read_results(published_study(tmp_path / "zhang2020-table1")))]
    assert len(inputs) >= 18
    document = r"\documentclass{article}\usepackage{booktabs,graphicx,longtable}\begin{document}\listoftables" + "\n"
    (tmp_path / "all.tex").write_text(document + "\n".join(inputs) + r"\end{document}", encoding="utf-8")
    # Twice: captions are written to a file and read again.
    for _ in range(2):
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
        assert done.returncode == 0, done.stdout[-2000:]
    assert "Missing character" not in (tmp_path / "all.log").read_text(encoding="utf-8", errors="replace")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder whose raters and cases have hostile names, those that a file can have."""
    y, x = np.mgrid[:16, :16]
    mask = (((y - 8) ** 2 + (x - 8) ** 2) < 25).astype(np.uint8)
    for case in ("<img src=x onerror=$a>", "_new\nline 中 [b]"):
        for shift, rater in enumerate(("[red]x", "@SUM(1)", "\u202eRTL\x1b[2J", "rater")):
            file = tmp_path / "data" / "ratings" / rater / f"{case}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.roll(mask, shift, axis=1)).save(file)
    (tmp_path / "data" / "dataset.toml").write_text('[classes]\n"_b$[/x]" = 0\n"=l<b>" = 1\n')
    return tmp_path / "data"


def _draw_only(figure: Figure, place: Any, **_: Any) -> None:
    """Saving a figure takes ten times as long as drawing it."""
    figure.draw_without_rendering()
    if isinstance(place, str | Path):
        Path(place).write_bytes(b"")


def test_fuse_and_describe_take_any_name(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Figure, "savefig", _draw_only)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert main(["fuse", "staple", str(data), "-o", "out", "--figure", "figures", "--jobs", "1"]) == 0
        assert main(["describe", str(data), "-o", "about", "--jobs", "1"]) == 0
    shown = capsys.readouterr().out
    assert all(visible(name) in shown for name in ("[red]x", "@SUM(1)", "\u202eRTL\x1b[2J"))
    assert not set("\x1b\u202e") & set(shown)
    raters = pd.read_csv(tmp_path / "out" / "raters.csv")
    assert set(raters["rater"]) == {"[red]x", "'@SUM(1)", "\u202eRTL\x1b[2J", "rater"}
    assert set(pd.read_csv(tmp_path / "about" / "pair-matrix.csv", nrows=0).columns) >= {"rater", "rater.1", "'@SUM(1)"}
    page = Page((tmp_path / "about" / "describe.html").read_text(encoding="utf-8"))
    assert "img" in page.tags and "onerror" not in page.attributes and visible("\u202eRTL\x1b[2J") in page.words
