"""Several experiments: what they share is compared, on each data set alone, and every sentence is true of made numbers."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from raterbench.__main__ import main
from raterbench.benchmark.statistics.verdict.power import power_of
from raterbench.benchmark.statistics.verdict.shared_cells import CaseValues
from raterbench.benchmark.store.run_file import write_json
from raterbench.errors import RaterbenchError
from raterbench.reports.figures.figures import draw_figures
from raterbench.reports.figures.files.drawn_figure import DrawnFigure
from raterbench.reports.page.parts import files_of
from raterbench.reports.several import tables
from raterbench.reports.several.figures import several_figures
from raterbench.reports.several.page import page_text
from raterbench.reports.several.sentences import listed, summarise
from raterbench.reports.several.several import ENOUGH_DATASETS, Several, read_several
from raterbench.reports.several.study import Study
from raterbench.reports.several.tables import over_words, several_tables

from .. import conftest
from ..conftest import axe_finds, small_png, write_study

SMALL: dict[str, Any] = {
    "candidates": ("A", "B", "<i>C</i> & $x$"), "subjects": 6, "slices": 1, "folds": 2, "repeats": 2, "raters": ("Ada", "Ben"),
    "classes": ("lesion",), "overlap": ("dice", "recall"), "pictures": False, "confusions": False, "calibration": False,
}  # fmt: skip


def written(folder: Path, dataset: str, options: Mapping[str, Any] | None = None, **study: Any) -> Path:
    """A made-up experiment on a data set of this name; ``options`` are those of the second candidate."""
    write_study(folder, conftest.Study(**{**SMALL, **study}))
    stored = json.loads((folder / "experiment.json").read_text())
    stored["experiment"]["dataset"] = stored["facts"]["dataset"] = stored["facts"]["fingerprint"] = dataset
    stored["experiment"]["candidates"][1]["options"] = dict(options or {})
    write_json(folder / "experiment.json", stored)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two experiments; the second has no truth, another order, a fourth candidate, and other options of B."""
    root = tmp_path_factory.mktemp("several")
    one = written(root / "one", "phantom", failed=(("A", 1, 1),))
    names = ("<i>C</i> & $x$", "B", "A", "only here")
    other = written(root / "other", "folder:/data/our lesions", {"power": 2}, candidates=names, truth=False)
    return [one, other]


@pytest.fixture(scope="module")
def several(folders: list[Path]) -> Several:
    return read_several(folders)


def test_what_is_shared_is_compared_on_each_data_set(several: Several) -> None:
    assert several.shared == ["A", "B", "<i>C</i> & $x$"] and several.baseline == "A"
    assert several.elsewhere == {"only here": ["our lesions"]}
    assert [(study.name, study.reference) for study in several.studies] == [("phantom", "truth"), ("our lesions", "raters")]
    assert several.configurations == {"B": {"phantom": "majority-vote", "our lesions": "majority-vote: power = 2"}}
    for study in several.studies:
        every = study.analysis.case_values("dice")
        assert study.values.candidates == several.shared
        for name in several.shared[1:]:
            test = every.difference(name, "A").test
            assert study.verdicts[name].test == test
        assert sorted(study.ranks["rank"]) == [1, 2, 3]
    # One fold of A failed: the other two are compared on it, A is not, and means are over what all three share.
    phantom = several.studies[0]
    assert phantom.sizes == (6, 3, 2)
    assert phantom.verdicts["B"].test.n_models == 3 and phantom.values.difference("B", "<i>C</i> & $x$").test.n_models == 4


def test_tables_hold_the_same_numbers_as_plain_values(several: Several) -> None:
    made = {table.name: table for table in several_tables(several)}
    assert list(made) == [f"several-{n}" for n in ("means", "ranks", "differences", "separation", "order", "experiments",
                                                     "configurations")]  # fmt: skip
    plain = made["several-differences"].plain.set_index(["candidate", "experiment"])
    for study in several.studies:
        verdict = study.verdicts["B"]
        row = plain.loc[("B", study.name)]
        assert row[["difference", "low", "high", "p_holm"]].tolist() == pytest.approx(
            [verdict.test.mean, verdict.low, verdict.high, verdict.p_holm], nan_ok=True
        )
        assert row["verdict"] == ("" if verdict.test.reason else verdict.words)
    for table in made.values():
        assert table.caption.count(".") and all(line.rstrip().endswith((".", ")")) for line in table.paragraphs)
        assert len({len(row) for row in table.rows} | {len(table.head)}) == 1
    assert "6 subjects" in made["several-means"].caption and "both empty" in made["several-means"].caption
    assert "References differ" in made["several-means"].caption and "2 comparisons" in made["several-differences"].caption


def test_the_page_is_written_and_would_be_the_same_again(
    folders: list[Path], several: Several, tmp_path: Path, figures_unsaved: None, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["report", *map(str, folders), "-o", str(tmp_path / "both")]
    assert main(command) == 1, "a unit of the first failed"
    said = capsys.readouterr().out
    assert "phantom: FAILED: 1 of" in said and "2 experiments on 2 data sets share 3 candidates, compared on Dice." in said
    page = (tmp_path / "both" / "report.html").read_text(encoding="utf-8")
    assert "&lt;i&gt;C&lt;/i&gt; &amp; $x$" in page and "<i>" not in page and "only in our lesions" in page
    made, plots = several_tables(several), several_figures(several)
    figures = draw_figures(plots)
    files = list(files_of(made, figures))
    assert page_text(several, summarise(several), made, figures, files) == page
    for table in made:
        for name, content in table.files.items():
            assert (tmp_path / "both" / name).read_bytes() == content
    assert all((tmp_path / "both" / name).exists() for name in files) and "figures/several-ranks.pdf" in files


@pytest.fixture(scope="module")
def shown_page(several: Several, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page with every table and notice; empty pictures stand for the figures, which take long to draw."""
    made, png = several_tables(several), small_png()
    drawn = [DrawnFigure(p.name, p.title, p.caption, p.alt, p.width, {"png": png}, png) for p in several_figures(several)]
    place = tmp_path_factory.mktemp("several page") / "report.html"
    place.write_text(page_text(several, summarise(several), made, drawn, list(files_of(made, drawn))), encoding="utf-8")
    return place


def test_the_page_in_a_browser_fits_asks_for_nothing_and_axe_finds_nothing(chromium: Any, shown_page: Path) -> None:
    tab, errors, asked = chromium.new_page(viewport={"width": 400, "height": 800}), [], []
    tab.on("console", lambda message: errors.append(message.text))
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(shown_page.as_uri())
    assert tab.evaluate("document.documentElement.scrollWidth") == 400
    assert tab.locator("figure").count() >= 8
    for scheme in ("light", "dark"):
        said = axe_finds(tab, scheme, "tbody tr:nth-child(n + 3), li:nth-child(n + 3)")
        assert said == [], "\n".join(map(str, said))
    tab.close()
    assert errors == []
    assert {url for url in asked if not url.startswith("data:")} == {shown_page.as_uri()}


def test_figures_draw_every_data_set_without_a_warning(several: Several) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plots = several_figures(several)
        for plot in plots:
            plot.figure.draw_without_rendering()
    assert len(plots) == 3 and all("phantom" in plot.alt and "our lesions" in plot.alt for plot in plots)


def test_what_cannot_be_compared_is_an_error_in_words(
    folders: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = map(str, folders)
    stranger = str(written(tmp_path / "stranger", "mnist", candidates=("X", "A"), repeats=1))
    out = ["-o", str(tmp_path / "out")]
    mine = tmp_path / "mine" / "report.html"
    mine.parent.mkdir()
    mine.write_text("mine")
    for arguments, words in (
        ([one, one, *out], "one is named twice: give each folder once"),
        ([one, other], "where should the page of several experiments go?"),
        ([one, *out], "the report of one experiment is written into its own folder"),
        ([one, other, "-o", one], "holds one of the experiments"),
        ([one, other, *out, "--protocol", "as-published"], "by the test over subjects and trained models alone"),
        ([one, other, "-o", str(mine.parent)], "report.html is in the way, and raterbench did not write it"),
        ([one, str(tmp_path), *out], "holds no experiment.json"),
        ([one, stranger, *out], "the experiments share only the candidate 'A', and candidates are matched by name"),
    ):
        assert main(["report", *arguments]) == 2, words
        assert words in capsys.readouterr().err
    assert mine.read_text() == "mine" and not (tmp_path / "out").exists()


# Sentences, on made numbers whose right answer is known ---------------------------------------------------------------


def made(
    name: str, gains: Mapping[str, float], *, noise: float = 0.01, repeats: int = 3, folds: int = 5, n: int = 20, **more: Any
) -> Any:
    """As much of an analysis as sentences need: candidates with known gains on a data set called ``name``."""
    rng = np.random.default_rng(sum(map(ord, name)))
    subject, parts = rng.normal(0, 0.05, n), []
    for repeat in range(repeats):
        fold = rng.permutation(np.arange(n) % folds)
        for candidate, gain in gains.items():
            value = 0.8 + gain + subject + noise / 2 * rng.normal(size=folds)[fold] + noise * rng.normal(size=n)
            parts.append(pd.DataFrame({"candidate": candidate, "repeat": repeat, "fold": fold, "subject": np.arange(n),
                                       "case": 0, "value": value}))  # fmt: skip
    candidates = [{"name": c, "method": "majority-vote", "options": {}, "seed": None} for c in gains]
    settings = {"candidates": candidates, "budget": more.get("budget", {})}
    statistics = SimpleNamespace(smallest_difference=0.01)
    experiment = SimpleNamespace(name=name, dataset=name, statistics=statistics, to_json=lambda: settings)
    facts = {"fingerprint": more.get("data", name)}
    return SimpleNamespace(
        results=SimpleNamespace(experiment=experiment, facts=facts),
        metric="dice", baseline="A", alpha=more.get("alpha", 0.05), notices=[], collapsed=more.get("collapsed", {}),
        case_values=lambda metric: CaseValues.of(pd.concat(parts)),
        reference_of=lambda metric: more.get("reference", "truth"),
        label=lambda metric: more.get("label", "Dice"),
        empty_policy=lambda metric: "", confidence_words="95 %",
    )  # fmt: skip


def together(*analyses: Any, shared: Sequence[str] = "ABC") -> Several:
    return Several([Study(a.results.experiment.name, a, "dice", "higher", list(shared), "A") for a in analyses], {})


def said(several: Several) -> str:
    found = summarise(several)
    return "\n".join([found.headline, *found.findings, *found.warnings])


AHEAD = {"A": 0.0, "B": 0.1, "C": 0.03}
EQUAL = {"A": 0.0, "B": 0.0, "C": 0.0}


def test_one_candidate_ahead_everywhere() -> None:
    text = said(together(made("one", AHEAD), made("two", AHEAD)))
    assert "B is told apart from every other candidate as the best, on each of them." in text
    assert "B against A: better on one and two." in text and "C against A: better on one and two." in text
    assert "one: B has the best mean" in text and "and is told apart from all 2 others." in text
    assert "on the two data sets agree with Kendall’s tau +1.00" in text


def test_another_candidate_ahead_on_each_data_set() -> None:
    text = said(together(made("one", AHEAD), made("two", {"A": 0.0, "B": -0.1, "C": 0.03})))
    assert "No candidate is among the best on each of them." in text
    assert "B against A: better on one; worse on two." in text
    assert "agree with Kendall’s tau −0.33" in text


def test_nothing_told_apart_says_so_and_calls_nobody_best() -> None:
    text = said(together(made("one", EQUAL, noise=0.1), made("two", EQUAL, noise=0.1)))
    assert "On each of them, no candidate can be told from the best." in text
    assert "B and C against A: undecided on every data set." in text
    assert "On one and two no pair of candidates is told apart, so the order there says nothing by itself." in text
    assert "separates the candidates best" not in text


def test_some_are_among_the_best_everywhere() -> None:
    several = together(made("one", {"A": 0.0, "B": 0.1, "C": 0.1}), made("two", EQUAL, noise=0.1))
    text = said(several)
    assert "B and C are among those that cannot be told from the best, on each of them." in text
    assert "one separates the candidates best: 2 of 3 pairs are told apart" in text
    assert "On two no pair of candidates is told apart" in text


def test_equivalent_and_irrelevant_differences() -> None:
    text = said(together(made("one", {"A": 0.0, "B": 0.005, "C": 0.0}, noise=0.001), made("two", AHEAD)))
    assert "B against A: better, by less than is relevant on one; better on two." in text
    assert "C against A: equivalent on one; better on two." in text


def test_a_data_set_without_a_test_is_described_and_not_counted() -> None:
    once = made("once", AHEAD, repeats=1, folds=1)
    several = together(made("one", AHEAD), once)
    text = said(several)
    assert "B is told apart from every other candidate as the best, on 1 of them, which allow a test." in text
    assert "no test is possible: one trained model: what another training would change cannot be known." in text
    assert "once has one repeat" in text
    means = tables.means(several)
    assert not any(row[2].bold for row in means.rows) and means.rows[1][1].bold
    assert [row[-1].text for row in tables.ranks(several).rows] == ["0 of 1", "1 of 1", "0 of 1"]
    separation = tables.separation(several)
    assert separation.rows[1][4].text == "–" and "one trained model" in separation.paragraphs[-1]
    assert "None of them allows a test between candidates." in said(together(once))


def test_warnings_about_what_differs_between_experiments() -> None:
    other = made("two", AHEAD, reference="raters", budget={"epochs": 5}, alpha=0.1, data="one",
                 collapsed={"C": "mean recall 0.1"})  # fmt: skip
    text = said(together(made("one", AHEAD), other))
    for words in (
        "measure against different references: one against the truth; two against the single raters",
        "different training budgets",
        "tested at its own alpha: one 0.05, two 0.1",
        "2 experiments are on 1 data set: the same data count once",
        "two: C collapsed (mean recall 0.1)",
    ):
        assert words in text
    assert "budgets" not in said(together(made("one", AHEAD), made("two", AHEAD)))


def test_a_mean_over_data_sets_needs_six_of_them() -> None:
    names = [f"set {n}" for n in range(ENOUGH_DATASETS)]
    analyses = [made(name, AHEAD, n=8, repeats=2, folds=2) for name in names]
    few = together(*analyses[:-1])
    assert few.over_datasets.empty
    assert "There is no mean over data sets and no test: 5 data sets cannot stand for others (6 are needed)" in over_words(few)
    enough = together(*analyses)
    gaps = [study.verdicts["B"].test.mean for study in enough.studies]
    interval = stats.t.interval(0.95, 5, np.mean(gaps), stats.sem(gaps))
    assert enough.over_datasets.loc["B"].tolist() == pytest.approx([np.mean(gaps), *interval, 6])
    assert "Over data sets: mean and 95 % t interval over 6 data sets, each of which counts the same" in over_words(enough)
    rows = tables.differences(enough).plain
    assert rows.loc[rows["experiment"] == "over data sets", "n_datasets"].tolist() == [6, 6]
    same = together(*analyses[:-1], made("set 9", AHEAD, n=8, repeats=2, folds=2, data="set 0"))
    assert same.over_datasets.empty, "the same data twice are one data set"
    units = together(*analyses[:-1], made("set 9", AHEAD, n=8, repeats=2, folds=2, label="Dice [px]"))
    assert units.over_datasets.empty and "different units" in over_words(units)


def test_separation_counts_pairs_and_takes_the_median_power() -> None:
    study = together(made("one", AHEAD)).studies[0]
    pairs = [("A", "B"), ("A", "C"), ("B", "C")]
    found = [power_of(study.values.difference(*pair).test, repeats=3, alpha=0.05 / 3) for pair in pairs]
    separation = study.separation
    assert (separation.apart, separation.pairs, separation.share) == (3, 3, 1.0)
    assert separation.smallest_found == pytest.approx(np.median([power.smallest_found for power in found]))
    assert separation.variance_ratio == pytest.approx(np.median([power.variance_ratio for power in found]))
    assert separation.gap == pytest.approx(study.means["mean"].max() - study.means["mean"].min())


def test_names_are_listed_in_plain_words() -> None:
    assert listed(["A"]) == "A" and listed(["A", "B"]) == "A and B" and listed(["A", "B", "C"]) == "A, B and C"
    assert listed(list("ABCDEFGH")) == "A, B, C, D, E and 3 more"


def test_metrics_without_direction_are_refused(folders: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raterbench.reports.analysis.Analysis.better", lambda self, metric: "zero")
    with pytest.raises(RaterbenchError, match="neither higher nor lower values of 'dice' are better"):
        read_several(folders)
