"""A folder of small volumes with two raters, and the results of two candidates on it, whose weights were kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from raterbench.benchmark import Experiment, Split, run
from raterbench.benchmark.experiment.experiment import Candidate
from raterbench.datasets.folder import Folder

SPACING = (0.5, 0.75, 3.0)
"""Of SimpleITK's axes x, y, z."""
BUDGET = {"epochs": 12, "batch_size": 4, "learning_rate": 0.05, "features": [4, 4, 4, 4, 4, 4], "backbone": "shallow"}
TOML = """
name = "balls"

[classes]
background = 0
ball = 100
"""


def write_volume(file: Path, pixels: np.ndarray, spacing=SPACING, direction=(1, 0, 0, 0, 1, 0, 0, 0, 1)) -> Path:
    image = sitk.GetImageFromArray(pixels)
    image.SetSpacing(spacing)
    image.SetOrigin((-7.5, 12.25, 100.0))
    image.SetDirection([float(v) for v in direction])
    file.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(file))
    return file


def ball(seed: int, shape=(3, 32, 40)) -> tuple[np.ndarray, np.ndarray]:
    """A bright ball in noise, and where it is."""
    random = np.random.default_rng(seed)
    _, y, x = np.indices(shape)
    inside = (y - random.integers(12, 20)) ** 2 + (x - random.integers(14, 26)) ** 2 < 50
    return (inside + random.normal(0, 0.2, shape)).astype(np.float32), inside


@pytest.fixture(scope="session")
def balls(tmp_path_factory) -> Path:
    """The folder of the data set: six cases."""
    folder = tmp_path_factory.mktemp("data") / "balls"
    for number in range(6):
        pixels, inside = ball(number)
        write_volume(folder / "images" / f"c{number}.nii.gz", pixels)
        for shift, rater in enumerate(("ann", "ben")):
            labels = (100 * np.roll(inside, shift, axis=2)).astype(np.uint8)
            write_volume(folder / "ratings" / rater / f"c{number}.nii.gz", labels)
    (folder / "dataset.toml").write_text(TOML)
    return folder


def experiment_on(folder: Path, **changes) -> Experiment:
    fields = {
        "name": "tools",
        "dataset": f"folder:{folder}",
        "candidates": (Candidate("Vote", "fused-labels"), Candidate("Heads", "multi-head")),
        "split": Split(folds=2),
        "budget": BUDGET,
        "metrics": ("dice", "brier"),
        "references": ("raters", "majority"),
        "fused_rows": (),
        "keep_cases": 0,
        "keep_weights": True,
    }
    return Experiment(**fields | changes)


@pytest.fixture(scope="session")
def experiment(balls) -> Experiment:
    return experiment_on(balls)


@pytest.fixture(scope="session")
def results(experiment, tmp_path_factory) -> Path:
    """The results folder, whose weights were kept."""
    folder = tmp_path_factory.mktemp("results") / "tools"
    run(experiment, folder, jobs=1)
    return folder


@pytest.fixture(scope="session")
def dataset(balls) -> Folder:
    return Folder(balls)
