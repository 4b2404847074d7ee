"""Figures of an earlier report are used again where nothing changed that they depend on, and never else."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from raterbench.benchmark.store.own_files import WrittenFiles
from raterbench.benchmark.store.units import Rows, read_measuring, write_measuring
from raterbench.reports.figures import figures
from raterbench.reports.figures.files import drawing, kept
from raterbench.reports.figures.files.kept import WORDS
from raterbench.reports.figures.style import Plot
from raterbench.reports.page.report import write_report

from ....conftest import unsaved
from ...conftest import Study, write_study

SMALL: dict[str, Any] = {
    "candidates": ("A", "B"), "subjects": 4, "slices": 1, "folds": 2, "raters": ("Ada", "Ben"), "pictures": False,
    "confusions": False, "classes": ("lesion",), "against": ("raters",),
}  # fmt: skip


def two_figures(patch: pytest.MonkeyPatch) -> list[str]:
    """Let reports have two figures, which are not saved; the names of those that are drawn from now on."""
    names: list[str] = []
    usual, makers = figures.drawn_figure, figures.figure_makers

    def counted(plot: Plot) -> Any:
        names.append(plot.name)
        return usual(plot)

    patch.setattr(drawing, "forms_of", unsaved)
    patch.setattr(figures, "drawn_figure", counted)
    patch.setattr(figures, "figure_makers", lambda analysis: dict(list(makers(analysis).items())[3:5]))
    return names


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the figures that were drawn."""
    return two_figures(monkeypatch)


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with its first report, which no test may change."""
    folder = write_study(tmp_path_factory.mktemp("kept") / "study", Study(**SMALL))
    with pytest.MonkeyPatch.context() as patch:
        names = two_figures(patch)
        write_report(folder)
    assert names == ["effects", "subjects"]
    return folder


@pytest.fixture
def folder(reported: Path, tmp_path: Path) -> Path:
    """A copy for one test."""
    return Path(shutil.copytree(reported, tmp_path / "study"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_an_unchanged_experiment_gives_the_same_report_without_drawing(folder: Path, drawn: list[str]) -> None:
    before = contents(folder)
    write_report(folder)
    assert drawn == [] and contents(folder) == before
    words = json.loads(before[WORDS])
    assert [figure["name"] for figure in words["figures"]] == ["effects", "subjects"]
    assert all(figure["caption"].endswith(".") for figure in words["figures"])


def changed_unit(folder: Path) -> None:
    path = sorted((folder / "units").glob("a*.measured.npz"))[0]
    found = read_measuring(path)
    assert found is not None
    rows = {name: replace(part, values=0.99 * part.values) for name, part in found[1].items() if isinstance(part, Rows)}
    write_measuring(path, found[0], found[1] | rows)


def removed_file(folder: Path) -> None:
    (folder / "figures" / "effects.svg").unlink()


def damaged_words(folder: Path) -> None:
    place = folder / WORDS
    stored = WrittenFiles(folder, "report")
    stored.write({WORDS: place.read_bytes()[:-40]})


@pytest.mark.parametrize("change", [changed_unit, removed_file, damaged_words])
def test_what_changed_is_drawn_anew(folder: Path, drawn: list[str], change: Callable[[Path], None]) -> None:
    change(folder)
    write_report(folder)
    assert drawn == ["effects", "subjects"]


def test_the_time_of_a_file_does_not_matter(folder: Path, drawn: list[str]) -> None:
    for path in [*(folder / "units").iterdir(), folder / "experiment.json"]:
        os.utime(path, ns=(0, 0))
    write_report(folder)
    assert drawn == []


def test_other_libraries_and_another_protocol_draw_anew(
    folder: Path, drawn: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "version", lambda name: "0.1")
    write_report(folder)
    assert drawn == ["effects", "subjects"]
    drawn.clear()
    write_report(folder, protocol="as-published")
    assert "subjects" in drawn
