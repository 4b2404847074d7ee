"""The whole report: its files, its page, what it needs, and what it does without."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import warnings
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from raterbench.benchmark.store.results import Results, read_results
from raterbench.errors import RaterbenchError
from raterbench.reports.analysis import Analysis
from raterbench.reports.answer.answer import answer
from raterbench.reports.figures.files.kept import WORDS
from raterbench.reports.page.page import SECTIONS
from raterbench.reports.page.parts import belongs
from raterbench.reports.page.report import main_table_text, write_report

SMALL: dict[str, Any] = {"candidates": ("A", "B & C_d"), "subjects": 4, "slices": 1, "folds": 2, "raters": ("Ada", "Ben")}
NOTHING_KEPT: dict[str, Any] = {"pictures": False, "confusions": False, "calibration": False}
LESS: dict[str, dict[str, Any]] = {
    "no truth, nothing kept": {"truth": False, "classes": ("lesion",), **NOTHING_KEPT},
    "one candidate, one subject": {"candidates": ("A",), "subjects": 1, "saturated": False},
    "baseline failed, no distances": {"failed": (("A", 0, 0), ("A", 0, 1)), "empty": True, "confusions": False},
}


class Page(HTMLParser):
    """What a page loads, which pictures have no words, and which heads of tables have no scope."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.silent = self.scopeless = self.pictures = self.tables = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in ("script", "img", "link", "iframe", "source", "video", "object"):
            self.loads += [v for k in ("src", "href", "data", "srcset") if (v := values.get(k))]
        self.pictures += tag == "img"
        self.tables += tag == "table"
        self.silent += tag == "img" and not values.get("alt")
        self.scopeless += tag == "th" and values.get("scope") not in ("row", "col")


@pytest.fixture(scope="module")
def page(study_folder: Path) -> str:
    """Written by another process, which must import nothing that computes or is slow to load."""
    code = (
        "import sys; from raterbench.reports.page.report import write_report; write_report(sys.argv[1]);"
        "heavy = {'torch', 'monai', 'SimpleITK', 'sklearn'} & set(sys.modules); sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(study_folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return (study_folder / "report.html").read_text(encoding="utf-8")


def test_all_files_are_written(page: str, study_folder: Path) -> None:
    assert page
    for name in ("comparison", "differences", "by-reference", "by-class", "by-centre", "calibration", "raters", "units"):
        assert all((study_folder / "tables" / f"{name}.{end}").stat().st_size for end in ("md", "csv", "tex"))
    for name in ("effects", "reliability", "entropy", "pictures", "learning", "confusion"):
        assert all((study_folder / "figures" / f"{name}.{end}").stat().st_size > 1000 for end in ("png", "pdf", "svg"))
    # A foreign file in the way of a part is found before anything is computed only if the part is on the page's list.
    parts = [name for _, _, names in SECTIONS for name in names]
    for file in [*(study_folder / "tables").iterdir(), *(study_folder / "figures").iterdir()]:
        assert file.name == Path(WORDS).name or any(belongs(file.stem, name) for name in parts), file


def test_the_long_table_is_read_in_one_line(page: str, study_folder: Path, results: Results) -> None:
    assert page
    read = pd.read_csv(study_folder / "results.csv.gz")
    words = read.astype({"parameters": object, "threshold": object}).fillna({"parameters": "", "threshold": ""})
    pd.testing.assert_frame_equal(words, results.long_table, check_dtype=False)
    assert len(pd.read_csv(study_folder / "calibration.csv.gz")) == len(results.calibration)
    assert (study_folder / "results.csv.gz").read_bytes()[4:8] == b"\0\0\0\0"


def test_the_page_needs_nothing_from_outside(page: str) -> None:
    parsed = Page(page)
    assert all(url.startswith("data:") for url in parsed.loads)
    assert "@import" not in page and "url(" not in page
    assert parsed.pictures == 23 and parsed.tables == 11
    assert parsed.silent == 0 and parsed.scopeless == 0


def test_the_page_says_how_it_was_run_and_escapes(page: str) -> None:
    for words in (
        "0123456789abcdef",
        "CC-BY-4.0",
        "torch 2.13.0",
        "x86_64, Linux",
        "&lt;Journal&gt;",
        "TGCE_ss 50% &amp; more",
    ):
        assert words in page
    assert "<Journal>" not in page


def test_the_answer_is_made_from_the_numbers(analysis: Analysis) -> None:
    found = answer(analysis)
    best = analysis.rows_for("dice")["mean"].idxmax()
    assert "cannot be told from the best on Dice against the truth: " in found.headline and best in found.headline
    assert analysis.number("dice", analysis.rows_for("dice")["mean"].max()) in found.headline
    assert set(found.overturn) == {"overturn-trainings", "overturn-raters", "overturn-reference"}
    said = " ".join([*found.sentences, *found.background, *found.warnings])
    assert "All of this is exploratory: one repeat." in said
    assert "The 5 raters reach" in said and "Only 1 repeat" in said and "rater Eve is absent" in said.replace("Rater", "rater")


def test_an_oracle_is_no_rival(make: Callable[..., Path]) -> None:
    results = read_results(make(**SMALL))
    told = dataclasses.replace(results, facts={**results.facts, "oracles": ["Known matrices"]})
    assert any(w.startswith("Known matrices learned from the truth") for w in answer(Analysis(told)).warnings)
    assert not any("learned from the truth" in w for w in answer(Analysis(results)).warnings)


@pytest.mark.parametrize("name", LESS)
def test_a_report_does_without(make: Callable[..., Path], name: str, request: pytest.FixtureRequest) -> None:
    folder = make(**{**SMALL, **LESS[name]})
    if not name.startswith("no truth"):
        request.getfixturevalue("figures_unsaved")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text = write_report(folder).read_text(encoding="utf-8")
        printed = main_table_text(read_results(folder))
    assert "nan" not in printed.lower() and "–" in printed
    assert ">nan<" not in text.lower() and "nan ±" not in text.lower()
    assert ("replaces it" in text) == name.startswith("baseline failed")
    if name.startswith("no truth"):
        first = contents(folder)
        write_report(folder)
        assert contents(folder) == first, "the same units must give the same files"


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_published_statistics_say_what_they_are(results: Results) -> None:
    analysis = Analysis(results, "as-published")
    assert "p-values are too small" in " ".join(answer(analysis).warnings)
    assert "confirmatory" not in set(analysis.table["family"])


def test_a_folder_without_results_is_a_plain_error(tmp_path: Path) -> None:
    with pytest.raises(RaterbenchError, match="holds no experiment"):
        write_report(tmp_path)


def test_no_finished_candidate_is_a_plain_error(make: Callable[..., Path]) -> None:
    folder = make(**{**SMALL, **NOTHING_KEPT, "candidates": ("A",), "failed": (("A", 0, 0), ("A", 0, 1))})
    with pytest.raises(RaterbenchError, match="the loss became NaN"):
        write_report(folder)


def test_if_all_candidates_are_skipped_the_error_says_why(make: Callable[..., Path]) -> None:
    folder = make(**{**SMALL, **NOTHING_KEPT, "candidates": ("A",), "skipped": "A"})
    with pytest.raises(RaterbenchError, match=r"no candidate has a finished unit.*SKIPPED: A .*needs the truth"):
        write_report(folder)
