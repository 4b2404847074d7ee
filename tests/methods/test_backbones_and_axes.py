"""Every method that trains a network, on every backbone, on slices and in 3-D."""

import numpy as np
import pytest

from raterbench.benchmark.checks.examples import make_dataset
from raterbench.datasets import Preparation
from raterbench.methods import METHODS, Budget, NetworkMethod
from raterbench.methods.backbones import BACKBONES
from raterbench.methods.base import NestingMethod

from .narrow_resnet import NarrowResNetUNet

NETWORKS = [
    name
    for name in METHODS.names()
    if issubclass(METHODS.get(name), NetworkMethod | NestingMethod) and name not in ("diagnosed", "tuned", "upgrade")
]
"""Without those that fit another method several times, whose time is a multiple: they never see a backbone."""
OF_SLICES = {"phiseg", "pionono", "probabilistic-u-net", "take-and-give"}
TWO_QUALITIES = {"partial-labelling", "confident-learning", "annotation-budget", "chosen-raters"}
REFUSED = ' slices, and volumes are learned in 3-D: set preparation.mode = "slices"'
OWN_NETWORK = {"phiseg", "take-and-give"}
"""Methods that take no backbone: one of these is enough."""
SHIPPED = {"unet": "unet", "resnet34-unet": "narrow-resnet-unet", "shallow": "shallow"}
"""What stands for each backbone: the residual one with few layers and channels, as only its width and depth differ."""


@pytest.fixture(autouse=True)
def narrow_is_known(monkeypatch):
    BACKBONES.names()
    monkeypatch.setitem(BACKBONES._found, "narrow-resnet-unet", NarrowResNetUNet)


def example(axes):
    shape = (64, 32) if axes == 2 else (10, 64, 32)
    dataset = make_dataset(shapes=[shape] * 2, n_raters=2)
    for case in dataset.cases:  # Both rate both cases, so that no method lacks a rater.
        case.ratings.update({name: next(iter(case.ratings.values())) for name in dataset.raters if name not in case.ratings})
    dataset.index["raters"] = [dataset.raters] * len(dataset)
    dataset.preparation = Preparation(mode="volumes", patch=(32, 64, 32)) if axes == 3 else Preparation()
    return dataset


def built(name, backbone):
    budget = Budget(
        backbone=backbone, epochs=1, batch_size=2, features=(2, 2, 2, 4, 4, 2), rotation=0, translation=0, scaling=0
    )
    options = {}
    if name in TWO_QUALITIES:
        options = {"raters": ("rater 0",)} if name == "chosen-raters" else {"hq": ("rater 0",), "lq": ("rater 1",)}
    if name == "annotation-budget":
        options |= {"careful": 1, "cheap": 1}
    if name in ("phiseg", "pionono", "probabilistic-u-net"):
        options["draws"] = 2
    return METHODS.get(name)(budget=budget, **options)


def test_every_shipped_backbone_is_tried():
    assert set(SHIPPED) == set(BACKBONES.names()) - {"narrow-resnet-unet"}
    assert set(NETWORKS) >= OF_SLICES | TWO_QUALITIES | {"fused-labels", "mrnet", "own-preparation", "tgce"}


@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("backbone", SHIPPED)
@pytest.mark.parametrize("name", NETWORKS)
def test_it_fits_and_predicts_probabilities_of_the_size_of_the_case(name, backbone, axes):
    if name in OWN_NETWORK and backbone != "unet":
        pytest.skip("it has a network of its own")
    dataset, method = example(axes), built(name, SHIPPED[backbone])
    if axes == 3 and name in OF_SLICES:
        assert method.skip_reason(dataset).endswith(REFUSED)
        return
    assert method.skip_reason(dataset) is None
    method.fit(dataset, dataset, seed=0)
    p = method.predict(dataset[0].unlabelled()).probability
    assert p.shape == (2, *dataset[0].shape) and p.dtype == np.float32
    np.testing.assert_allclose(p.sum(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize("name", ["upgrade", "diagnosed", "take-and-give"])
def test_methods_for_slices_refuse_volumes_in_one_sentence(name):
    options = {"hq": ("rater 0",), "lq": ("rater 1",)} if name == "upgrade" else {}
    assert METHODS.get(name)(**options).skip_reason(example(3)).endswith(REFUSED)
