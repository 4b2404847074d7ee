"""Sampled segmentations in the report: which are shown, in which order, and the maps of their variance."""

from __future__ import annotations

from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from raterbench.benchmark.experiment.experiment import Candidate, Experiment, Split, Statistics
from raterbench.benchmark.store.results import read_results
from raterbench.benchmark.store.units import Picture, Pictures, PredictedPicture, PredictedPictures
from raterbench.datasets.base import IGNORE
from raterbench.reports.analysis import Analysis
from raterbench.reports.figures.figures import figure_makers, made
from raterbench.reports.figures.soft.sample_variance import label_variance, sample_variance
from raterbench.reports.figures.soft.samples import class_shares, dice_with_mean, samples
from raterbench.reports.figures.style import Plot, house_style
from raterbench.reports.figures.views import view

from ...made_units import MadeUnit, write_run
from .test_figures import misplaced

CANDIDATES = ("Plain", "Probabilistic U-Net", "A candidate with a very long name indeed")
CASES = ("a1", "a2")


def disc(radius: float, shift: int = 0) -> np.ndarray:
    y, x = np.indices((20, 20))
    return (np.hypot(y - 10, x - 10 - shift) < radius).astype(np.uint8)


DRAWN = np.stack([disc(radius) for radius in (2, 5, 3, 6, 8, 4, 7)])
"""Seven samples; the raters drew discs of 5 and 6."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path, units = tmp_path_factory.mktemp("samples"), []
    for place, name in enumerate(CANDIDATES):
        rows = [[name, case, case[0], "here", "cell", "raters", "dice", 0.8] for case in CASES]
        blank = np.zeros((2, 20, 20), np.uint8)
        shown = [PredictedPicture(case, blank, samples=DRAWN if place else None) for case in CASES]
        units.append(MadeUnit(name, rows=rows, parts={"predicted/0": PredictedPictures(tuple(shown))}))
    ratings = np.stack([disc(5), disc(6)])
    kept = [Picture(case, "why", np.zeros((20, 20), np.uint8), ("Ada", "Ben"), ratings) for case in CASES]
    rows = [[rater, case, case[0], "here", "cell", "raters", "dice", 0.9] for rater in ("Ada", "Ben") for case in CASES]
    units.append(MadeUnit("raters", "raters", rows=rows, parts={"pictures/0": Pictures(tuple(kept))}))
    experiment = Experiment(
        name="made", candidates=tuple(Candidate(name, "fused-labels") for name in CANDIDATES),
        split=Split("holdout", repeats=1), metrics=("dice",), references=("raters",), statistics=Statistics(resamples=20),
    )  # fmt: skip
    write_run(path, experiment, {"classes": ["background", "cell"], "raters": ["Ada", "Ben"], "truth_known": False}, units)
    return path


@pytest.fixture(scope="module")
def analysis(folder: Path) -> Analysis:
    return Analysis(read_results(folder))


def overlaps(figure: Figure) -> list[str]:
    """Words on the panels' page that overlap."""
    with house_style():
        figure.draw_without_rendering()
    words = [(text.get_text(), text.get_window_extent()) for text in figure.axes[0].texts if text.get_text()]
    return [f"{a} and {b}" for (a, one), (b, other) in combinations(words, 2) if one.overlaps(other)]


def test_samples_stand_from_the_nearest_to_the_raters_to_the_farthest(analysis: Analysis) -> None:
    plots = samples(analysis)
    assert [plot.name for plot in plots] == ["samples", "samples-2"]
    page = plots[0].figure.axes[0]
    notes = [text.get_text() for text in page.texts if text.get_text().startswith("0.")]
    mean = (disc(5) + disc(6)) / 2
    dices = sorted((2 * (one * mean).sum() / (one.sum() + mean.sum()) for one in DRAWN), reverse=True)
    shown = [f"{dices[place]:.2f}" for place in (0, 2, 3, 4, 6)]
    assert notes == 2 * shown
    assert "at most 5 of 7" in plots[0].caption and "Case a1, why" in plots[0].caption
    # The image, the raters, and five samples of each of the two candidates; the last is the smallest disc.
    assert len(page.images) == 2 * 7
    where = view(analysis.results.pictures[0])
    farthest = np.asarray(page.images[6].get_array())
    np.testing.assert_array_equal(farthest[..., 0] > 0, DRAWN[0][where] > 0)


def test_maps_of_variance_are_those_of_raters_and_samples_on_one_scale(analysis: Analysis) -> None:
    plot = sample_variance(analysis)
    assert plot is not None
    page, where = plot.figure.axes[0], view(analysis.results.pictures[0])
    maps = page.images[1:4]
    assert {image.get_clim() for image in maps} == {(0, 0.5)}
    expected = 0.5 * (disc(5) != disc(6))
    np.testing.assert_allclose(np.asarray(maps[0].get_array()), expected[where])
    share = DRAWN.mean(axis=0)
    np.testing.assert_allclose(np.asarray(maps[1].get_array()), (2 * share * (1 - share))[where])
    assert [text.get_text() for text in page.texts][:2] == ["Image", "Raters"]
    assert "0.5 where each class has the same share" in plot.caption


def test_no_words_of_them_overlap_or_leave_the_page(analysis: Analysis) -> None:
    plots: list[Plot] = [plot for name in ("samples", "sample-variance") for plot in made(figure_makers(analysis)[name])]
    assert len(plots) == 3
    for plot in plots:
        assert misplaced(plot.figure) == [] and overlaps(plot.figure) == [], plot.name
        assert plot.alt and plot.caption.endswith(".")


def test_without_samples_there_is_no_figure(analysis: Analysis) -> None:
    kept = [dict(case.samples) for case in analysis.results.pictures]
    for case in analysis.results.pictures:
        case.samples.clear()
    try:
        assert samples(analysis) == [] and sample_variance(analysis) is None
    finally:
        for case, drawn in zip(analysis.results.pictures, kept, strict=True):
            case.samples.update(drawn)


def test_variance_is_how_often_two_of_them_differ() -> None:
    labels = np.array([[0, 1, 2, IGNORE], [0, 1, 1, IGNORE], [0, 2, IGNORE, IGNORE]], np.uint8)
    pairs = [np.mean([one != other for one, other in product(column, repeat=2)]) for column in ([0, 0, 0], [1, 1, 2], [2, 1])]
    np.testing.assert_allclose(label_variance(labels, 3), [*pairs, np.nan])
    np.testing.assert_allclose(label_variance(labels, 3)[1], np.eye(3)[[1, 1, 2]].var(axis=0).sum())


def test_the_dice_with_the_mean_is_over_foreground_and_judged_voxels() -> None:
    ratings = np.array([[0, 1, 2, IGNORE], [0, 1, 1, IGNORE]], np.uint8)
    drawn = np.array([[0, 1, 1, 1], [0, 0, 0, 0], [1, 1, 2, 0]], np.uint8)
    found = dice_with_mean(drawn, class_shares(ratings, 3))
    np.testing.assert_allclose(found, [2 * 1.5 / 4, 0, 2 * 1.5 / 5])
