"""The U-Net on a ResNet-34: MONAI's network, its options, and first weights from a file."""

import pytest
import torch
from monai.networks.nets.flexible_unet import FlexibleUNet
from safetensors.torch import save_file

from raterbench.benchmark.checks.backbones import check_backbone
from raterbench.benchmark.checks.examples import make_dataset
from raterbench.benchmark.experiment.factory import build_budget, identity
from raterbench.benchmark.experiment.files import read_values
from raterbench.datasets import RaterbenchError
from raterbench.methods import Budget, NetworkMethod
from raterbench.methods.backbones.base import Backbone
from raterbench.methods.backbones.resnet34_unet import ResNet34UNet
from raterbench.methods.backbones.shallow import Shallow
from raterbench.methods.backbones.unet import UNet
from raterbench.methods.backbones.weights import load_first_weights

WIDTHS = (4, 4, 4, 8, 8, 4)
NORMS = ("instance", "batch", "group")


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return ResNet34UNet(1, 3, WIDTHS)


def test_it_is_monais_network(network):
    torch.manual_seed(0)
    monai = FlexibleUNet(1, 3, "resnet34", decoder_channels=(8, 8, 4, 4, 4), spatial_dims=2)
    images = torch.randn(2, 1, 64, 32)
    assert torch.equal(network.eval()(images), monai.eval()(images))
    assert [network.bottleneck_width, network.decoder_width] == [512, 4]
    assert sum(isinstance(layer, torch.nn.Conv2d) for layer in network.network.encoder.modules()) == 33


def test_it_keeps_the_contract_of_backbones(narrow_resnet):
    assert [result.message for result in check_backbone(narrow_resnet)] == [""] * 4


@pytest.mark.parametrize("spatial_dims", [2, 3])
@pytest.mark.parametrize("kind", ["unet", "resnet"])
@pytest.mark.parametrize("norm", NORMS)
def test_norms_and_dropout_of_the_budget_work_for_shipped_backbones(kind, norm, spatial_dims, narrow_resnet):
    """Statistics of the batch alone change what is predicted of one image beside another; dropout acts in training only."""
    torch.manual_seed(0)
    build = UNet if kind == "unet" else narrow_resnet
    network = build(1, 2, WIDTHS, spatial_dims=spatial_dims, dropout=0.3, normalisation=norm)
    batch = torch.randn(2, 1, 64, *[32] * (spatial_dims - 1))
    assert not torch.equal(network.train()(batch), network(batch))
    without = build(1, 2, WIDTHS, spatial_dims=spatial_dims, normalisation=norm).train()
    alone = torch.allclose(without(batch)[:1], without(torch.cat([batch[:1], 3 + batch[1:]]))[:1], atol=1e-4)
    assert alone == (norm != "batch")
    assert torch.equal(without.eval()(batch), without(batch))


def test_a_norm_that_a_backbone_cannot_take_is_a_clear_error():
    with pytest.raises(RaterbenchError, match="normalisation = 'batch', but the backbone 'shallow' has its own"):
        Budget(backbone="shallow", normalisation="batch").check_parameters()


def test_dropout_sets_whole_channels_of_the_decoder_to_zero(narrow_resnet):
    network = narrow_resnet(1, 2, (4, 4, 4, 4, 4, 64), dropout=0.3).train()
    flat = network.features(torch.rand(1, 1, 64, 64)).decoder[0].flatten(1)
    assert 8 <= (flat == 0).all(dim=1).sum() <= 40


def test_one_voxel_at_the_coarsest_level_is_a_clear_error(network):
    with pytest.raises(RaterbenchError, match=r"makes one voxel of 32 x 32.*preparation\.multiple = 64"):
        network.features(torch.rand(2, 1, 32, 32))


def test_settings_that_came_later_are_in_keys_only_where_they_are_used(tmp_path):
    plain = identity(Budget())[1]
    assert not {"normalisation", "weights"} & plain.keys()
    assert identity(Budget(normalisation="group"))[1] == {**plain, "normalisation": "group"}
    found = []
    for number in (0, 1):
        save_file({"a": torch.full((2,), float(number))}, tmp_path / "w.safetensors")
        found.append(identity(Budget(weights=str(tmp_path / "w.safetensors")))[1]["weights"])
    assert found[0] != found[1] and all(len(one) == 16 for one in found)


def test_first_weights_come_from_a_file_except_those_of_the_last_layer(tmp_path):
    """A file of a network of other classes; the weights of the budget's network are then the file's."""
    torch.manual_seed(1)
    other, path = UNet(1, 5, WIDTHS), tmp_path / "w.safetensors"
    save_file(other.state_dict(), path)
    method = NetworkMethod(budget=Budget(features=WIDTHS, weights=str(path)))
    method.prepare(make_dataset(shapes=[(32, 32)] * 2), seed=0)
    fresh = NetworkMethod(budget=Budget(features=WIDTHS))
    fresh.prepare(make_dataset(shapes=[(32, 32)] * 2), seed=0)
    for name, tensor in method.module_.state_dict().items():
        expected = fresh.module_ if name.startswith("unet.final_conv") else other
        assert torch.equal(tensor, expected.state_dict()[name])


def test_weights_of_the_encoder_alone_fit_too(tmp_path, narrow_resnet):
    torch.manual_seed(1)
    other, network, path = narrow_resnet(1, 2, WIDTHS), narrow_resnet(1, 2, WIDTHS), str(tmp_path / "w.safetensors")
    save_file({**other.network.encoder.state_dict(), "fc.weight": torch.zeros(3, 3)}, path)
    before = network.network.decoder.blocks[0].convs.conv_0.conv.weight.clone()
    load_first_weights(network, path)
    assert torch.equal(network.network.encoder.conv1.weight, other.network.encoder.conv1.weight)
    assert torch.equal(network.network.decoder.blocks[0].convs.conv_0.conv.weight, before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: {"x": torch.zeros(1)}, r"no name in it, such as 'x', is one of the backbone Shallow, such as 'coarse.bias'"),
        (lambda w: {k: v for k, v in w.items() if k != "near.bias"}, r"it lacks 1 of the weights .* such as 'near.bias'"),
        (lambda w: {**w, "more": torch.zeros(1)}, r"the backbone Shallow has no 'more'"),
        (lambda w: {**w, "near.bias": torch.zeros(7)}, r"'near.bias' has the shape \(7,\), but .* needs \(4,\)"),
    ],
)
def test_a_file_that_does_not_fit_is_a_clear_error(change, message, tmp_path):
    network, path = Shallow(1, 2, WIDTHS), str(tmp_path / "w.safetensors")
    save_file(change(network.state_dict()), path)
    with pytest.raises(RaterbenchError, match=message):
        load_first_weights(network, path)


def test_no_file_and_no_safetensors_are_clear_errors(tmp_path):
    with pytest.raises(RaterbenchError, match=r"budget: weights = 'none\.safetensors' is no file"):
        build_budget({"weights": "none.safetensors"})
    (tmp_path / "w.pt").write_bytes(b"no tensors")
    with pytest.raises(RaterbenchError, match="is no file in the format safetensors"):
        load_first_weights(Shallow(1, 2, WIDTHS), str(tmp_path / "w.pt"))


def test_the_file_is_beside_the_experiment_that_names_it(tmp_path):
    (tmp_path / "mine.toml").write_text('extends = "quick"\n[budget]\nweights = "w.safetensors"\n')
    assert read_values(str(tmp_path / "mine.toml"))["budget"]["weights"] == str(tmp_path / "w.safetensors")


def test_every_shipped_backbone_says_which_layer_depends_on_the_classes(narrow_resnet):
    for kind in (UNet, Shallow, narrow_resnet):
        network: Backbone = kind(1, 2, WIDTHS)
        assert any(name.startswith(network.last_layer) for name in network.state_dict())
        assert isinstance(network.pretrained_parts()[0], kind)
