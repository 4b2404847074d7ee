"""Figures exist, nothing in them overlaps, and the same results give the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from raterbench.benchmark.store.picture_cases import PictureCase
from raterbench.benchmark.store.results import Results, read_results
from raterbench.reports.analysis import Analysis
from raterbench.reports.figures import pictures as panel
from raterbench.reports.figures.effects import effects
from raterbench.reports.figures.figures import figure_makers, made
from raterbench.reports.figures.files.drawing import forms_of
from raterbench.reports.figures.palette import COLOURS
from raterbench.reports.figures.style import DOUBLE, MM, TALLEST, Plot, house_style, wrapped
from raterbench.reports.figures.views import view

from ..conftest import OVERLAP

MANY = [f"{name} {i}" for i, name in enumerate(["Confusion matrices", "Majority vote", "Soft average", "STAPLE", "TGCE"] * 2)]


@pytest.fixture(scope="module")
def plots(analysis: Analysis) -> list[Plot]:
    return [plot for maker in figure_makers(analysis).values() for plot in made(maker)]


def shown(figure: Figure) -> Iterator[tuple[str, Bbox]]:
    """The words of a figure that are not inside a panel: titles, labels, ticks; and where they stand."""
    with house_style():
        figure.draw_without_rendering()
    texts: list[Text] = list(figure.texts)
    texts += [t for t in (figure._supxlabel, figure._supylabel) if t is not None]  # type: ignore[attr-defined]
    for axes in figure.axes:
        if axes.get_visible():
            texts += [axes.title, axes.xaxis.label, axes.yaxis.label, *ticks(axes)]
    for text in dict.fromkeys(texts):
        if text.get_visible() and text.get_text().strip():
            yield text.get_text(), text.get_window_extent()


def ticks(axes: Axes) -> Iterator[Text]:
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        slack = 1e-6 * (high - low)
        for tick in axis.get_major_ticks():
            if tick.label1.get_visible() and low - slack <= tick.get_loc() <= high + slack:
                yield tick.label1


def misplaced(figure: Figure) -> list[str]:
    """Words that overlap, and words that leave the page."""
    found, words = [], list(shown(figure))
    for (a, one), (b, other) in combinations(words, 2):
        width = min(one.x1, other.x1) - max(one.x0, other.x0)
        height = min(one.y1, other.y1) - max(one.y0, other.y0)
        if width > 1 and height > 1:
            found.append(f"{a} and {b} overlap")
    page = figure.bbox
    outside = [t for t, b in words if b.x0 < -1 or b.y0 < -1 or b.x1 > page.x1 + 1 or b.y1 > page.y1 + 1]
    return found + [f"{text} leaves the page" for text in outside]


def test_all_figures_are_there(plots: list[Plot]) -> None:
    names = [plot.name for plot in plots]
    assert names == [
        "overturn-trainings", "overturn-raters", "overturn-reference",
        "effects", "subjects", "failures", "composite", "reliability", "distribution", "entropy", "threshold",
        "learning", "by-epoch", "costs", "confusion-entries", "rater-curve",
        "critical-difference", "pairs", "pictures", "pictures-2", "confusion", "reliability-maps", "reliability-maps-2",
    ]  # fmt: skip
    assert all(plot.alt and plot.caption.endswith(".") for plot in plots)


def test_no_words_overlap_or_leave_the_page(plots: list[Plot]) -> None:
    for plot in plots:
        assert misplaced(plot.figure) == [], plot.name


def test_no_words_overlap_with_ten_candidates_and_raters(make: Callable[..., Path]) -> None:
    raters = [f"rater {i:02d}" for i in range(10)]
    shape = {"subjects": 4, "folds": 2, "slices": 1, "volume": True}
    folder = make(candidates=MANY, raters=raters, overlap=OVERLAP, identified=MANY[:8], believed=MANY[:3], **shape)
    plots = [plot for maker in figure_makers(Analysis(read_results(folder))).values() for plot in made(maker)]
    assert "identification" in [plot.name for plot in plots]
    for plot in plots:
        assert misplaced(plot.figure) == [], plot.name
        width, height = plot.figure.get_size_inches() / MM
        assert width <= DOUBLE + 0.01 and height <= TALLEST + 0.01, plot.name


def test_letters_are_large_enough_for_print(plots: list[Plot]) -> None:
    for plot in plots:
        sizes = [t.get_fontsize() for t in plot.figure.findobj(Text) if t.get_text().strip()]  # type: ignore[attr-defined]
        assert min(sizes) >= 8, plot.name


def test_the_same_figure_gives_the_same_files(analysis: Analysis) -> None:
    contents = []
    for _ in range(2):
        with house_style():
            plot = effects(analysis)
        assert plot is not None
        contents.append(forms_of(plot.figure)[1])
    assert contents[0] == contents[1]
    assert b"CreationDate" not in contents[0]["pdf"]


def test_the_entropy_figure_shows_the_number_of_the_table(plots: list[Plot], analysis: Analysis) -> None:
    figure = next(plot.figure for plot in plots if plot.name == "entropy")
    shown = {axes.get_title(): axes.texts[0].get_text() for axes in figure.axes if axes.get_visible()}
    means = analysis.rows_for("entropy error")["mean"]
    assert shown == {wrapped(n, 24): f"MAE {analysis.number('entropy error', means[n])}" for n in analysis.candidates}


def test_figures_of_soft_predictions_say_what_is_stored(plots: list[Plot], analysis: Analysis) -> None:
    shown = {plot.name: plot for plot in plots}
    name, results = analysis.candidates[0], analysis.results
    values = results.values[results.values["candidate"] == name]
    zero = 100 * values.loc[values["bin"] == 0, "n"].sum() / values["n"].sum()
    assert f"{name}, exactly 0: {zero:.2f} %" in shown["distribution"].alt
    searches = results.searches[results.searches["candidate"] == name]
    mean = searches.groupby("threshold")["dice"].mean()
    assert f"{name}: best at {searches['chosen'].min():.2f}" in shown["threshold"].alt
    assert f"range {mean.max() - mean.min():.3f};" in shown["threshold"].alt
    assert "epochs 1, 2, 5, 14, 40 and after the best" in shown["by-epoch"].alt


def test_without_soft_predictions_nothing_is_drawn(make: Callable[..., Path]) -> None:
    shape = {"subjects": 4, "folds": 2, "slices": 1}
    makers = figure_makers(Analysis(read_results(make(soft=False, **shape))))
    assert [made(makers[name]) for name in ("threshold", "distribution", "by-epoch")] == [[], [], []]


def test_colours_follow_the_order_of_the_experiment(analysis: Analysis) -> None:
    names = [c.name for c in analysis.results.experiment.candidates]
    assert [analysis.colours[n] for n in names] == list(COLOURS[: len(names)])


def test_names_with_dollars_are_no_formulas() -> None:
    assert wrapped("a $b$ c", 20) == "a $b$ c"


def test_a_volume_shows_the_slice_with_most_disagreement() -> None:
    one = np.zeros((5, 8, 8), np.uint8)
    one[3, 2:6, 2:6] = 1
    other = one.copy()
    other[3] = 0
    one[1, 4, 4] = 1
    case = PictureCase("c", "", np.zeros((5, 8, 8), np.float32), {"a": one, "b": other})
    assert view(case)[0] == 3
    for thin in range(3):
        image = np.zeros(np.insert([40, 50], thin, 1), np.float32)
        labels = np.zeros(image.shape, np.uint8)
        np.moveaxis(labels, thin, 0)[0, 5:20, 5:25] = 1
        where = view(PictureCase("c", "thin", image, {"a": labels, "b": np.zeros_like(labels)}))
        assert where[thin] == 0
        assert min(image[where].shape) > 20


def test_an_unrated_case_says_so(results: Results) -> None:
    case = results.pictures[0]
    fewer = PictureCase(case.id, case.why, case.image, {"Ada": case.ratings["Ada"]}, case.truth, {})
    strips = panel._strips(fewer, ["Ada", "Ben"], ["STAPLE"], 3, {})
    panels = {p.title: p for strip in strips for p in strip.panels}
    assert panels["Ben"].missing == "not rated" and panels["STAPLE"].missing == "no prediction"
