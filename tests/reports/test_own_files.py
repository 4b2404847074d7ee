"""A report deletes, overwrites and runs nothing that is not ours."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raterbench.benchmark.metrics import METRICS, RaterMetric
from raterbench.benchmark.store import results as benchmark_results
from raterbench.benchmark.store.metric_facts import metric_facts
from raterbench.benchmark.store.results import read_results
from raterbench.benchmark.store.run_file import write_json
from raterbench.errors import RaterbenchError
from raterbench.reports.analysis import Analysis
from raterbench.reports.describe import page as describe
from raterbench.reports.figures import figures
from raterbench.reports.page import report
from raterbench.reports.page.report import check_report_places, write_report

SMALL: dict[str, Any] = {
    "candidates": ("A", "B"), "subjects": 4, "slices": 1, "folds": 2, "raters": ("Ada", "Ben"),
    "pictures": False, "confusions": False, "calibration": False,
    "against": ("raters",),
}  # fmt: skip
EVIL = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\n"


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def changed(folder: Path, part: str, **changes: Any) -> Path:
    """The folder with some values of ``experiment.json`` changed."""
    stored = json.loads((folder / "experiment.json").read_text())
    stored[part] |= changes
    write_json(folder / "experiment.json", stored)
    return folder


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures take most of the time of a report."""
    monkeypatch.setattr(figures, "figure_makers", lambda analysis: {})


def test_files_of_the_user_stay_and_stale_files_of_a_report_go(make: Callable[..., Path], no_figures: None) -> None:
    folder = make(**SMALL)
    mine = {"figures/fig1.pdf", "figures/photo.png", "tables/demographics.csv", "tables/notes.md", "notes.html", ".mail.tmp"}
    for name in mine:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("mine")
    before = contents(folder)
    write_report(folder)
    first = contents(folder)
    assert before.items() <= first.items() and {"report.html", "tables/differences.csv"} <= set(first)
    stored = json.loads((folder / "experiment.json").read_text())
    stored["units"] = [unit for unit in stored["units"] if unit["name"] != "B"]
    write_json(folder / "experiment.json", stored)
    write_report(folder)
    second = contents(folder)
    assert "tables/differences.csv" not in second and "tables/comparison.csv" in second
    assert all(second[name] == b"mine" for name in mine)


@pytest.mark.parametrize("kind", ["file", "link", "pipe", "folder"])
@pytest.mark.parametrize(
    "name",
    [
        "report.html",
        "results.csv.gz",
        "calibration.csv.gz",
        "tables/comparison.md",
        "figures/pictures-2.pdf",
        "tables",
        "figures",
    ],
)
def test_what_is_in_the_way_is_refused_before_anything_is_computed(tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / "mine").write_text("mine")
    place = tmp_path / "out" / name
    place.parent.mkdir(parents=True)
    makers: dict[str, Callable[[Path], object]] = {
        "pipe": os.mkfifo,
        "folder": os.mkdir,
        "link": lambda path: path.symlink_to(tmp_path / "mine"),
        "file": lambda path: path.write_text("mine"),
    }
    makers[kind](place)
    if kind == "folder" and name in ("tables", "figures"):
        check_report_places(tmp_path / "out")
        return
    with pytest.raises(RaterbenchError, match=rf"out/{name} is .*: move it elsewhere, or give another folder"):
        check_report_places(tmp_path / "out")
    assert (tmp_path / "mine").read_text() == "mine"
    assert os.path.lexists(place) and (kind != "file" or place.read_text() == "mine")


def test_a_report_that_is_refused_computes_and_writes_nothing(
    make: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(**SMALL)
    monkeypatch.setattr(report, "Analysis", None)
    (folder / "tables").symlink_to(tmp_path)
    before = contents(folder)
    with pytest.raises(RaterbenchError, match="tables is a link, and nothing is written through links or over them"):
        write_report(folder)
    assert contents(folder) == before


def test_a_description_is_not_written_over_results(make: Callable[..., Path]) -> None:
    with pytest.raises(RaterbenchError, match="holds the results of an experiment: give another folder"):
        describe.check_description_places(make(**SMALL))


def test_no_code_that_a_results_folder_names_is_run(make: Callable[..., Path], tmp_path: Path, no_figures: None) -> None:
    (tmp_path / "evil.py").write_text(EVIL)
    folder = changed(make(**SMALL), "experiment", plugins=[str(tmp_path / "evil.py")])
    write_report(folder)
    assert not (tmp_path / "ran").exists()
    assert not hasattr(benchmark_results, "load_plugin")


def test_what_is_stored_of_a_metric_is_what_tables_say(make: Callable[..., Path]) -> None:
    mine = {"label": "My Dice", "unit": "px", "better": "lower", "empty": "Never.", "references": "any", "of_raters": False}
    analysis = Analysis(read_results(changed(make(**SMALL), "facts", metrics={"mine": mine, "dice": mine})))
    for name in ("mine", "dice"):
        assert (analysis.label(name), analysis.better(name), analysis.empty_policy(name)) == ("My Dice", "lower", "Never.")
    assert analysis.head("mine") == "My Dice ↓"
    assert analysis.rows_for("dice").loc[analysis.rows_for("dice")["mean"].idxmin(), "best"]
    # What nothing is stored of is as it is now.
    assert (analysis.better("hd95"), analysis.label("nobody's"), analysis.better("nobody's")) == ("lower", "Nobody's", "none")


def test_every_metric_of_the_package_says_the_same_stored_as_now(make: Callable[..., Path]) -> None:
    folder = make(**SMALL)
    metrics = [METRICS.get(name)() for name in METRICS.names()]
    stored = read_results(changed(folder, "facts", metrics=metric_facts(metrics, "mm", 2)))
    for metric in metrics:
        facts = stored.metric(metric.name)
        assert facts is not None
        assert (facts.label, facts.unit) == (metric.label_in("mm", 2), metric.unit_in("mm", 2))
        assert (facts.better, facts.empty, facts.references) == (metric.better, metric.empty, metric.references)
        assert facts.of_raters == isinstance(metric, RaterMetric)


@pytest.mark.parametrize("metrics", [{"dice": {}}, {"dice": 1}, [], {"dice": {"label": "x", "code": "y"}}])
def test_facts_of_metrics_of_another_form_are_a_sentence(make: Callable[..., Path], metrics: Any) -> None:
    with pytest.raises(RaterbenchError, match=r"experiment\.json: facts.*metrics.*run the experiment again"):
        read_results(changed(make(**SMALL), "facts", metrics=metrics))
