"""The parts of networks beside the backbone: what changes the features of a level, and the plain decoder."""

import pytest
import torch

from raterbench.methods.backbones.encoder import Encoder, PlainDecoder
from raterbench.methods.backbones.unet import UNet

WIDTHS = (4, 6, 8, 10, 12)


@pytest.mark.parametrize("level", range(5))
def test_what_changes_a_level_of_the_encoder_reaches_the_coarser_ones_alone(level):
    torch.manual_seed(0)
    encoder, images, seen = Encoder(1, WIDTHS, 2), torch.randn(2, 1, 32, 48), []

    def change(maps):
        seen.append(tuple(maps.shape))
        return 3 * maps.sin()

    labels = torch.randn(2, 2, 32, 48)
    plain, changed = encoder(images, labels), encoder(images, labels, {level: change})
    assert seen == [(2, WIDTHS[level], 32 >> level, 48 >> level)]
    assert all(torch.equal(plain[i], changed[i]) for i in range(level))
    assert not any(torch.allclose(plain[i], changed[i], atol=1e-4) for i in range(level, 5))


def test_the_plain_decoder_looks_at_all_levels():
    torch.manual_seed(0)
    decoder = PlainDecoder(WIDTHS, 3)
    levels = [torch.randn(2, width, 32 >> i, 48 >> i, requires_grad=True) for i, width in enumerate(WIDTHS)]
    logits = decoder(levels)
    assert logits.shape == (2, 3, 32, 48)
    logits.square().sum().backward()
    assert all(level.grad.abs().max() > 0 for level in levels)


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_what_changes_a_level_of_the_unets_decoder_changes_its_features(level):
    torch.manual_seed(0)
    network, seen = UNet(1, 2, (*WIDTHS, 5)), []

    def change(maps):
        seen.append(tuple(maps.shape))
        return 3 * maps.sin()

    levels = network.encode(torch.randn(1, 1, 32, 48))
    assert [tuple(maps.shape) for maps in levels] == [(1, width, 32 >> i, 48 >> i) for i, width in enumerate(WIDTHS)]
    plain, same, other = (network.decode(levels, {level: made} if made else None) for made in (None, torch.clone, change))
    assert torch.equal(plain, same) and not torch.allclose(plain, other, atol=1e-4)
    assert seen == [(1, WIDTHS[level], 32 >> level, 48 >> level)]
