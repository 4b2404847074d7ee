"""Models of volumes in 3-D: from training to a folder and to predictions on each image's own grid."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from raterbench import RaterbenchError, load_model, read_results
from raterbench.benchmark import run, train_model
from raterbench.benchmark.experiment.experiment import Candidate
from raterbench.benchmark.models.predicting import plan_predictions, predict_files
from raterbench.benchmark.models.readme import about_volumes
from raterbench.datasets import Geometry, Preparation
from raterbench.datasets.folder import Folder

from .conftest import BUDGET, TOML, experiment_on, write_volume

SPACING = (0.9, 1.2, 2.0)
"""Of SimpleITK's axes x, y, z; so is all that is a place here."""
ANGLE = np.pi / 5
TURNED = np.array([[np.cos(ANGLE), -np.sin(ANGLE), 0], [np.sin(ANGLE), np.cos(ANGLE), 0], [0, 0, 1]])
RESAMPLED = {"mode": "volumes", "voxel_size": [2.0, 1.2, 1.2], "patch": [32, 32, 32]}
VOTE = Candidate("Vote", "fused-labels")
APART = Candidate("Apart", "own-preparation", RESAMPLED)


def ball(seed: int, size=(36, 32, 18), spacing=SPACING, radius=9.0):
    """An image [z, y, x] of a bright ball in noise, where the ball is, and its middle in mm from the first voxel."""
    random = np.random.default_rng(seed)
    middle = (np.array(size) - 1) * spacing / 2 + random.uniform(-3, 3, 3)
    axes = [np.arange(n) * step - at for n, step, at in zip(size, spacing, middle, strict=True)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    inside = (x**2 + y**2 + z**2 < radius**2).transpose(2, 1, 0)
    return (inside + random.normal(0, 0.2, inside.shape)).astype(np.float32), inside, middle


@pytest.fixture(scope="module")
def solid(tmp_path_factory) -> Path:
    """The folder of a data set of four volumes."""
    folder = tmp_path_factory.mktemp("data") / "solid"
    for number in range(4):
        pixels, inside, _ = ball(number)
        write_volume(folder / "images" / f"c{number}.nii.gz", pixels, SPACING)
        for rater in ("ann", "ben"):
            write_volume(folder / "ratings" / rater / f"c{number}.nii.gz", (100 * inside).astype(np.uint8), SPACING)
    (folder / "dataset.toml").write_text(TOML)
    return folder


def experiment_in_3d(folder: Path, **changes):
    return experiment_on(folder, **{"candidates": (VOTE,), "budget": {**BUDGET, "epochs": 6}} | changes)


@pytest.fixture(scope="module")
def trained(solid, tmp_path_factory) -> Path:
    """A model that resamples volumes."""
    folder = tmp_path_factory.mktemp("models") / "solid"
    train_model(experiment_in_3d(solid, preparation=RESAMPLED), folder)
    return folder


def test_a_turned_volume_of_other_voxels_is_predicted_on_its_own_grid(trained, tmp_path):
    model = load_model(trained)
    assert model.methods[0].spatial_dims_ == 3 and model.methods[0].preparation_.voxel_size == (2.0, 1.2, 1.2)
    spacing = (0.7, 1.5, 1.6)
    pixels, inside, middle = ball(9, size=(52, 27, 24), spacing=spacing)
    file = write_volume(tmp_path / "turned.nii.gz", pixels, spacing, TURNED.ravel())
    (found,) = predict_files(model, plan_predictions(model, [file], tmp_path / "out"), tmp_path / "out")
    given = sitk.ReadImage(str(file))
    for place in (found.places.labels, found.places.probability):
        written = sitk.ReadImage(str(place))
        assert written.GetSize() == given.GetSize() == (52, 27, 24)
        for name in ("GetSpacing", "GetOrigin", "GetDirection"):
            np.testing.assert_allclose(getattr(written, name)(), getattr(given, name)(), rtol=0, atol=1e-5)
    # Where it lies in the body is worked out here: the origin, and the turned place of the middle of the ball.
    labels = sitk.ReadImage(str(found.places.labels)) == 100
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.Execute(sitk.Cast(labels, sitk.sitkUInt8))
    np.testing.assert_allclose(shape.GetCentroid(1), np.array((-7.5, 12.25, 100.0)) + TURNED @ middle, rtol=0, atol=0.5)
    predicted = sitk.GetArrayFromImage(labels) > 0
    assert 2 * (predicted & inside).sum() / (predicted.sum() + inside.sum()) > 0.85
    assert found.sizes["ball"] == pytest.approx(predicted.sum() * np.prod(spacing))
    assert [warning.split()[1] for warning in found.warnings] == ["spacing"]


def test_a_volume_without_mm_is_refused_where_voxels_are_resampled_to_a_size(trained, solid, tmp_path):
    model, file = load_model(trained), tmp_path / "it.tif"
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((18, 32, 36), np.uint8)), str(file))
    with pytest.raises(RaterbenchError, match=r"case 'it' says nothing .* to voxel_size = \[2.0, 1.2, 1.2\] mm: give a file"):
        model.predict_image(file)
    case = Folder(solid)[0]
    unknown = dataclasses.replace(case, geometry=Geometry.axis_aligned(3))
    with pytest.raises(RaterbenchError, match=r"case 'c0' says nothing of the size of its voxels"):
        model.predict_proba(unknown)
    seen = dataclasses.replace(model.card.seen, unit="pixel")
    other = dataclasses.replace(model, card=dataclasses.replace(model.card, seen=seen))
    with pytest.raises(RaterbenchError, match=r"images that 'Vote' learned from say nothing .* case 'c0' are in mm: give"):
        other.predict_proba(case)
    assert other.doubts(unknown) == ()


@pytest.fixture(scope="module")
def both_ways(solid, tmp_path_factory) -> Path:
    """Results of slices beside volumes in 3-D, whose weights were kept."""
    folder = tmp_path_factory.mktemp("results") / "both"
    changes = {"candidates": (VOTE, APART), "preparation": {"mode": "slices"}, "budget": {**BUDGET, "epochs": 1}}
    run(experiment_on(solid, **changes), folder, jobs=1)
    return folder


def test_the_card_tells_the_preparation_of_the_method_and_not_of_the_data_set(both_ways, solid, tmp_path):
    results = read_results(both_ways)
    train_model(results.experiment, tmp_path / "model", candidate="Apart", results=results)
    for model in (load_model(both_ways, candidate="Apart"), load_model(tmp_path / "model")):
        expected = Preparation(**RESAMPLED)
        assert model.card.preparation == model.methods[0].segmenter_.preparation_ == expected
        assert about_volumes(model.card) == "Volumes are learned in 3-D, in patches of at most 32 x 32 x 32 voxels."
        unknown = dataclasses.replace(Folder(solid)[0], geometry=Geometry.axis_aligned(3))
        with pytest.raises(RaterbenchError, match="says nothing of the size of its voxels"):
            model.predict_proba(unknown)
    assert "voxel_size = [2.0, 1.2, 1.2]" in (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert load_model(both_ways, candidate="Vote").card.preparation.mode == "slices"


def test_a_model_of_results_learns_volumes_as_they_were_measured(both_ways, tmp_path):
    """Today these volumes would be learned in 3-D; results without a mode are from before that was possible."""
    results = read_results(both_ways)
    undecided = results.experiment.replace(preparation={})
    stored = {name: value for name, value in results.facts["preparation"].items() if name != "mode"}
    measured = dataclasses.replace(results, facts={**results.facts, "preparation": stored})
    card = train_model(undecided, tmp_path / "as-measured", candidate="Vote", results=measured)
    assert card.preparation.mode == "slices"
    assert train_model(undecided, tmp_path / "today", candidate="Vote").preparation.mode == "volumes"
