"""Volumes are learned in 3-D or slice by slice: by their spacing, or as the user says."""

import re

import numpy as np
import pytest

from raterbench.benchmark.checks.examples import make_dataset
from raterbench.datasets import Case, CaseList, Geometry, Phantom, Preparation, RaterbenchError
from raterbench.methods import METHODS, Budget, NetworkMethod
from raterbench.methods.learning.volumes.choice import chosen_preparation, decided_preparation
from raterbench.methods.networks.own_preparation import OwnPreparation
from raterbench.methods.quality.views import CaseView, Place

SMALL = Budget(backbone="shallow", epochs=1, batch_size=2, features=(2, 2, 2, 2, 2, 2))


def volumes(*spacings, shape=(32, 32, 32), preparation=None):
    """A volume of each spacing in mm, or of unknown spacing for None, with a cube that one rater marked."""
    cases = []
    for i, spacing in enumerate(spacings):
        labels = np.zeros(shape, np.uint8)
        labels[tuple(slice(n // 4, n // 2 + 1) for n in shape)] = 1
        geometry = Geometry.axis_aligned(len(shape), spacing)
        cases.append(Case(f"case {i}", f"case {i}", "", labels[None].astype(np.float32), {"ann": labels}, geometry))
    dataset = CaseList("cubes", cases, ("background", "cube"))
    if preparation is not None:
        dataset.preparation = preparation
    return dataset


@pytest.mark.parametrize(
    ("thickness", "mode", "words"),
    [
        (3.0, "volumes", 'in 3-D, .* of 3 x 1 x 1 mm, the largest side 3 times the smallest, at most 3 times.* = "slices" for'),
        (3.1, "slices", 'slice by slice .* the largest side 3.1 times the smallest, more than 3 times.* = "volumes" for'),
    ],
)
def test_thick_slices_are_learned_as_slices_and_others_as_volumes(thickness, mode, words):
    dataset = volumes((thickness, 1.0, 1.0), (thickness, 1.0, 1.0), (9.0, 1.0, 1.0))
    assert dataset.preparation == Preparation(mode="auto")
    chosen, told = chosen_preparation(dataset)
    assert chosen == decided_preparation(dataset) == Preparation(mode=mode)
    assert told.startswith("Volumes are learned ") and len(told) < 250
    assert re.search(words, told)


@pytest.mark.parametrize(
    ("spacing", "shape", "words"),
    [
        (None, (32, 32, 32), "the size of a voxel is not known"),
        ((1.0, 1.0, 1.0), (15, 32, 32), "they have 15 voxels along an axis, fewer than 16"),
        ((1.0, 1.0, 1.0), (1, 32, 32), "some cases are single slices"),
    ],
)
def test_volumes_of_which_little_is_known_or_that_are_thin_are_slices(spacing, shape, words):
    chosen, told = chosen_preparation(volumes(spacing, shape=shape))
    assert chosen.mode == "slices" and words in told


def test_images_among_volumes_make_all_of_them_slices():
    cases = [*volumes((1.0, 1.0, 1.0)).cases, *volumes((1.0, 1.0), shape=(32, 32)).cases]
    cases[1] = Case("flat", "flat", "", cases[1].image, cases[1].ratings, cases[1].geometry)
    assert chosen_preparation(CaseList("mixed", cases, ("background", "cube")))[0].mode == "slices"


@pytest.mark.parametrize(
    ("options", "mode", "words"),
    [
        ({"size": (64, 64)}, "slices", "preparation.size is given, which is for slices"),
        ({"pixel_size": 1.0}, "slices", "preparation.pixel_size is given, which is for slices"),
        ({"crop": (64, 64)}, "slices", "preparation.crop is given, which is for slices"),
        ({"slice_axis": "x"}, "slices", "preparation.slice_axis is given, which is for slices"),
        ({"patch": (32, 32, 32)}, "volumes", "preparation.patch is given, which is for volumes"),
        ({"voxel_size": (2.0, 2.0, 2.0)}, "volumes", "preparation.voxel_size is given, which is for volumes"),
        ({"mode": "slices"}, "slices", "as preparation.mode says; voxels of the first case: 1 x 1 x 1 mm"),
        ({"mode": "volumes"}, "volumes", "as preparation.mode says; voxels of the first case: 1 x 1 x 1 mm"),
    ],
)
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (9.0, 1.0, 1.0)])
def test_what_the_user_gives_decides_whatever_the_spacing(options, mode, words, spacing):
    chosen, told = chosen_preparation(volumes(spacing, preparation=Preparation(**options)))
    assert chosen == Preparation(**options | {"mode": mode})
    assert words.replace("1 x 1 x 1", " x ".join(f"{step:g}" for step in spacing)) in told


def test_2d_images_are_slices_whatever_is_given():
    dataset = make_dataset(shapes=[(8, 8)])
    assert chosen_preparation(dataset) == (Preparation(mode="slices"), "")
    dataset.preparation = Preparation(patch=(32, 32, 32))
    assert chosen_preparation(dataset)[0].mode == "slices"


def test_no_case_is_opened_to_decide_where_that_is_not_needed(monkeypatch):
    opened = []
    phantom, cubes = Phantom(subjects=4, slices=1), volumes(*[(1.0, 1.0, 1.0)] * 50)
    for kind in (Phantom, CaseList):
        monkeypatch.setattr(kind, "load", lambda self, at, load=kind.load: opened.append(at) or load(self, at))
    assert decided_preparation(phantom.subset([2, 3])).mode == "slices" and opened == []
    cubes.preparation = Preparation(mode="volumes")
    assert decided_preparation(cubes).mode == "volumes" and opened == []
    cubes.preparation = Preparation()
    assert decided_preparation(cubes).mode == "volumes" and len(set(opened)) == 20


def test_a_method_fitted_by_hand_decides_by_the_whole_data_set():
    dataset = volumes((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0), (9.0, 1.0, 1.0))
    thick = dataset.subset([3])
    view = CaseView([Place(thick, 0)], [("ann",)], lambda case: case)
    for part in (thick, thick.subset([0], blind=True), view):
        assert part.preparation.mode == "auto" and decided_preparation(part).mode == "volumes"
    method = NetworkMethod(budget=SMALL).fit(thick, thick, seed=0)
    assert method.preparation_.mode == "volumes" and method.spatial_dims_ == 3
    assert method.predict_proba(dataset[0]).shape == (2, 32, 32, 32)
    own = OwnPreparation(segmenter=NetworkMethod(budget=SMALL), mode="slices").fit(thick, thick, seed=0)
    assert own.segmenter_.spatial_dims_ == 2


@pytest.mark.parametrize("name", ["phiseg", "probabilistic-u-net"])
def test_a_method_for_slices_fitted_by_hand_says_how_to_learn_slices(name):
    dataset, method = volumes((1.0, 1.0, 1.0)), METHODS.get(name)(budget=SMALL)
    message = 'its network is for slices, and volumes are learned in 3-D: set preparation.mode = "slices"'
    assert method.skip_reason(dataset) == message
    with pytest.raises(RaterbenchError) as raised:
        method.fit(dataset, dataset, seed=0)
    assert str(raised.value) == message
