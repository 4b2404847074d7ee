"""Backbones: the registry, the budget that names one, and heads that work in two and three dimensions."""

import numpy as np
import pytest
import torch

from raterbench.benchmark.checks.examples import make_dataset
from raterbench.benchmark.experiment.factory import identity
from raterbench.datasets import Preparation, RaterbenchError
from raterbench.methods import TGCE, Budget, ConfusionNetwork, CRNetwork, CrowdLayer, FusedLabels, NetworkMethod
from raterbench.methods.backbones import BACKBONES, Backbone
from raterbench.methods.backbones.base import Features
from raterbench.methods.backbones.shallow import Shallow
from raterbench.methods.backbones.unet import UNet
from raterbench.methods.learning.batches.slices import Batch

FEATURES = (4, 4, 4, 8, 8, 4)


class Linear(Backbone):
    """One linear map of the channels at every voxel."""

    def __init__(self, n_channels, n_classes, widths, *, spatial_dims):
        super().__init__(spatial_dims=spatial_dims, decoder_width=n_channels, bottleneck_width=n_channels)
        self.last = self.pointwise(n_channels, n_classes)

    def features(self, images):
        return Features(images, images)

    def classify(self, decoder):
        return self.last(decoder)


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_logits_are_the_last_layer_of_the_features(spatial_dims):
    network = UNet(1, 3, FEATURES, spatial_dims=spatial_dims)
    images = torch.randn(2, 1, *[32] * spatial_dims)
    features = network.features(images)
    assert features.decoder.shape[:2] == (2, network.decoder_width) and features.decoder.shape[2:] == images.shape[2:]
    assert features.bottleneck.shape == (2, network.bottleneck_width, *[2] * spatial_dims)
    torch.testing.assert_close(network(images), network.classify(features.decoder))
    assert network(images).shape == (2, 3, *images.shape[2:])


@pytest.mark.parametrize("shape", [(2, 1, 32, 64), (1, 2, 96, 192), (1, 1, 32, 32, 32)])
def test_the_unet_is_monais_network_but_for_rounding(shape):
    """Maps of at most, and of more than, the size up to which a plain matrix product is used, and volumes."""
    torch.manual_seed(0)
    network, images = UNet(shape[1], 3, FEATURES, spatial_dims=len(shape) - 2).double(), torch.randn(shape).double()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    found = []
    for outputs in (network(images), network.unet(images)):
        network.zero_grad()
        outputs.log_softmax(dim=1)[:, 1].mean().backward()
        # The normalisation takes away a constant, so the gradient of the bias before it is rounding error.
        found.append([outputs, *(p.grad.clone() for p in network.parameters())])
    torch.testing.assert_close(found[0], found[1], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("shape", [(2, 1, 32, 64), (1, 1, 32, 32, 32)])
def test_dropout_acts_in_training_only_and_none_changes_no_bit(shape):
    networks, images = [], torch.rand(shape)
    for dropout in (0.0, 0.3):
        torch.manual_seed(0)
        networks.append(UNet(1, 2, FEATURES, spatial_dims=len(shape) - 2, dropout=dropout))
    without, with_some = networks
    expected, state = without.eval()(images), torch.get_rng_state()
    assert torch.equal(without.train()(images), expected) and torch.equal(torch.get_rng_state(), state)
    assert torch.equal(with_some.eval()(images), expected) and not torch.equal(with_some.train()(images), expected)


def test_dropout_sets_whole_channels_to_zero():
    network = UNet(1, 2, (64, 4, 4, 4, 4, 64), dropout=0.3).train()
    flat = network.features(torch.rand(1, 1, 32, 32)).decoder[0].flatten(1)
    zero = (flat == 0).all(dim=1)
    assert ((flat == 0).any(dim=1) == zero).all() and 8 <= zero.sum() <= 32


def test_dropout_comes_from_the_budget_and_a_backbone_without_it_is_a_clear_error():
    method, dataset = NetworkMethod(budget=Budget(dropout=0.3, features=FEATURES)), make_dataset(shapes=[(32, 32)] * 2)
    method.prepare(dataset, seed=0)
    assert method.module_.dropout == 0.3
    with pytest.raises(RaterbenchError, match=r"dropout = 0\.3, but the backbone 'shallow' has none"):
        NetworkMethod(budget=Budget(dropout=0.3, backbone="shallow")).prepare(dataset, seed=0)


@pytest.mark.parametrize("kind", [UNet, Shallow])
@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_what_a_condition_makes_of_the_bottleneck_goes_to_the_decoder(kind, spatial_dims):
    network, images = kind(1, 3, FEATURES, spatial_dims=spatial_dims), torch.randn(2, 1, *[32] * spatial_dims)
    plain, same, other = (network.features(images, condition) for condition in (None, torch.clone, lambda maps: 3 * maps.sin()))
    assert torch.equal(plain.decoder, same.decoder)
    assert other.decoder.shape == plain.decoder.shape and not torch.allclose(plain.decoder, other.decoder, atol=1e-4)


def test_a_backbone_of_ones_own_is_named_in_the_budget(monkeypatch):
    BACKBONES.names()
    monkeypatch.setitem(BACKBONES._found, "linear", Linear)
    dataset = make_dataset(shapes=[(32, 32)] * 3)
    for method in (NetworkMethod, ConfusionNetwork, TGCE):
        fitted = method(budget=Budget(backbone="linear", epochs=1)).fit(dataset, dataset, seed=0)
        assert sum(isinstance(part, Linear) for part in fitted.module_.modules()) == 1
        assert fitted.predict_proba(dataset[0]).shape == (2, 32, 32)


def test_an_unknown_backbone_is_a_clear_error():
    with pytest.raises(RaterbenchError, match="no backbone called 'unet2'; did you mean 'unet'"):
        NetworkMethod(budget=Budget(backbone="unet2")).check_parameters()


HEADS = [
    *(kind(level=level) for kind in (ConfusionNetwork, CRNetwork) for level in ("global", "image", "pixel")),
    *(TGCE(level=level) for level in ("scalar", "features", "pixel")),
    *(CrowdLayer(connection=connection) for connection in ("matrix", "vector with bias")),
]


@pytest.mark.parametrize("method", HEADS, ids=lambda method: " ".join(repr(method).split()))
def test_heads_and_losses_do_not_know_how_many_spatial_axes_there_are(method, monkeypatch):
    """The loss and its gradient on a volume of equal slices are those on one slice of it."""
    ratings = torch.eye(3)[torch.randint(3, (2, 4, 5, 6), generator=torch.Generator().manual_seed(0))].movedim(-1, 2)
    present, images = torch.ones(2, 4, 5, 6, dtype=torch.bool), torch.linspace(-2, 2, 60).view(2, 1, 5, 6)
    losses = []
    for spatial_dims in (2, 3):
        monkeypatch.setattr(
            type(method), "backbone", lambda self, *sizes, n=spatial_dims: Linear(*sizes, FEATURES, spatial_dims=n)
        )
        method.budget_ = Budget()
        method.module_ = method.build(1, 3, 4)
        for i, parameter in enumerate(method.module_.parameters()):
            torch.nn.init.constant_(parameter, 0.1 * (i + 1))
        parts = [images, ratings, present]
        if spatial_dims == 3:
            parts = [part.unsqueeze(-3).repeat_interleave(4, dim=-3) for part in parts]
        loss = method.step_loss(method.module_, Batch(*parts, cases=torch.arange(2)))
        loss.backward()
        losses.append([loss.item(), *(p.grad.sum().item() for p in method.module_.parameters() if p.grad is not None)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("mode", ["slices", "volumes"])
def test_the_memory_format_changes_the_layout_and_nothing_but_rounding(mode):
    dataset = make_dataset(shapes=[(32, 32, 32)] * 2)
    dataset.preparation = Preparation(mode=mode, patch=(32, 32, 32))
    budgets = [Budget(epochs=1, features=(4, 4, 4, 4, 4, 4), memory_format=name) for name in (None, "channels-last")]
    plain, last = (FusedLabels(budget=budget).fit(dataset, dataset, seed=0) for budget in budgets)
    kind = torch.channels_last_3d if mode == "volumes" else torch.channels_last
    weights = [w for w in last.module_.parameters() if w.ndim > 3 and min(w.shape[1:]) > 1]
    assert weights and all(w.is_contiguous(memory_format=kind) for w in weights)
    np.testing.assert_allclose(last.predict_proba(dataset[0]), plain.predict_proba(dataset[0]), atol=2e-3)
    assert identity(budgets[0]) != identity(budgets[1]) and identity(budgets[0]) == identity(Budget(**budgets[0].get_params()))
