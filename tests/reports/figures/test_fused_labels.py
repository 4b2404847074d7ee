"""Fused labels on the same cases, and the weights that raters had in them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from raterbench.benchmark.store.results import Results, read_results
from raterbench.reports.analysis import Analysis
from raterbench.reports.figures.diagnosis.fused_labels import fused_labels
from raterbench.reports.figures.diagnosis.weight_maps import mean_weights, weight_maps
from raterbench.reports.figures.figures import figure_makers, made
from raterbench.reports.figures.style import house_style

from ...made_diagnoses import DiagnosedStudy
from .test_figures import misplaced


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    study = DiagnosedStudy(networks=("cat",), folds=2, repeats=1)
    return read_results(study.write(tmp_path_factory.mktemp("pictures") / "study"))


def words(plot: object) -> list[str]:
    return [text.get_text() for axes in plot.figure.axes for text in axes.texts]  # type: ignore[attr-defined]


def test_pictures_are_those_of_the_first_trained_model(results: Results) -> None:
    study = DiagnosedStudy(networks=("cat",), folds=2, repeats=1)
    first = study.diagnoses(1, 0, 0).pictures
    stored = results.fused_pictures["Diagnosis first"]
    assert [picture.case for picture in stored] == [picture.case for picture in first]
    assert all(np.array_equal(one.weights, other.weights) for one, other in zip(stored, first, strict=True))
    assert results.fused_pictures["STAPLE"][0].weights is None


def test_all_fusions_stand_beside_the_truth(results: Results) -> None:
    (plot,) = made(figure_makers(Analysis(results))["fused-labels"])
    said = words(plot)
    assert [said.count(title) for title in ("Image", "Majority vote", "STAPLE", "Truth")] == [2, 2, 2, 2]
    assert sum("as published" in text for text in said) == sum("cross-fitted" in text for text in said) == 2
    well, ill = (picture.case for picture in results.fused_pictures["STAPLE"])
    assert f"{well} (healthy) and {ill} (ill)" in plot.caption
    assert len(plot.figure.axes[0].images) == 2 * 6 and not misplaced(plot.figure)


def test_the_panels_show_the_labels_that_were_stored(results: Results) -> None:
    """The ill case has the smaller labels of the rater whom the fusion believes."""
    with house_style():
        plot = fused_labels(Analysis(results))
    assert plot is not None
    panels = plot.figure.axes[0].images
    coloured = [int((np.ptp(panel.get_array(), axis=2) > 0.01).sum()) for panel in panels]
    stored = results.fused_pictures
    order = [stored["Majority vote"], stored["Diagnosis first"], stored["Diagnosis first"], stored["STAPLE"]]
    for row in (0, 1):
        expected = [0, *(int((pictures[row].labels[0] == 1).sum()) for pictures in order)]
        assert coloured[6 * row : 6 * row + 5] == expected


def test_the_weight_of_each_rater_is_drawn_where_raters_differ(results: Results) -> None:
    with house_style():
        plot = weight_maps(Analysis(results))
    assert plot is not None and not misplaced(plot.figure)
    assert {"Ada", "Ben", "Cleo", "Image"} <= set(words(plot))
    maps = [image.get_array() for image in plot.figure.axes[0].images if np.ma.isMaskedArray(image.get_array())]
    maps = [one for one in maps if np.ma.getmaskarray(one).any()]
    assert [float(one.mean()) for one in maps] == [0, 1, 0, 1, 0, 0]  # Ben of the healthy case, Ada of the ill one.
    ratings = results.fused_pictures["Diagnosis first"][0].ratings
    assert [int(one.count()) for one in maps] == [int((ratings.max(axis=0) != ratings.min(axis=0)).sum())] * 6
    assert "(healthy): Ada 0.00, Ben 1.00, Cleo 0.00" in plot.alt and "(ill): Ada 1.00, Ben 0.00" in plot.alt
    assert "cross-fitted, and was given the diagnosis" in plot.caption and "STAPLE" not in plot.alt
    assert mean_weights(results.fused_pictures["Diagnosis first"][1]) == {"Ada": 1, "Ben": 0, "Cleo": 0}


def test_without_pictures_or_weights_there_is_no_figure(results: Results) -> None:
    assert fused_labels(Analysis(replace(results, fused_pictures={}))) is None
    plain = {"STAPLE": results.fused_pictures["STAPLE"]}
    assert weight_maps(Analysis(replace(results, fused_pictures=plain))) is None
    assert fused_labels(Analysis(replace(results, fused_pictures=plain))) is not None


def test_a_report_is_read_again_from_the_stored_units(tmp_path: Path) -> None:
    folder = DiagnosedStudy(networks=("cat",), folds=2, repeats=1).write(tmp_path / "study")
    assert read_results(folder).fused_pictures.keys() == {"Majority vote", "Diagnosis first", "STAPLE"}
