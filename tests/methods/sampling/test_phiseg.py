"""PHiSeg: levels that add up, weights of their divergences, and a decoder that sees the samples alone."""

import pytest
import torch

from raterbench.methods import PHiSeg
from raterbench.methods.sampling.phiseg import LEVELS, _Hierarchy

WIDTHS = (2, 3, 4, 3, 2)


def hierarchy(first=0, weights=(1.0,) * LEVELS):
    torch.manual_seed(0)
    return _Hierarchy(1, 3, WIDTHS, n_latents=2, first=first, weights=weights)


def drawn(network, labels=None):
    random = torch.Generator().manual_seed(1)
    images = torch.randn(2, 1, 32, 32, generator=random)
    noise = torch.randn(2, network.noise_size((32, 32)), generator=random)
    encoded, raters = network.encode(images), torch.zeros(2).long()
    if labels is None:
        return network.sample(encoded, raters, noise)
    return network.reconstruct(encoded, images, labels, raters, noise)


@pytest.mark.parametrize(("first", "length"), [(0, 2 * (1024 + 256 + 64 + 16 + 4)), (2, 2 * (64 + 16 + 4)), (4, 8)])
def test_the_latent_levels_are_the_coarsest(first, length):
    network = hierarchy(first)
    assert network.noise_size((32, 32)) == length
    assert drawn(network).logits.shape == (2, LEVELS, 3, 32, 32)
    assert drawn(network, torch.zeros(2, 3, 32, 32)).divergence.shape == (2,)


def test_the_logits_of_a_level_are_the_sum_up_to_it_and_none_is_changed_later():
    """A published port adds to a tensor in place, so that each level's logits become those of the last."""
    network, found = hierarchy(), []
    for head in network.heads:
        head.register_forward_hook(lambda _layer, _given, made: found.append((made, made.clone())))
    logits = drawn(network).logits
    total = torch.zeros(2, 3, 32, 32)
    assert len(found) == LEVELS
    for level, (made, then) in enumerate(found):
        torch.testing.assert_close(made, then, rtol=0, atol=0)
        assert made.shape[-1] == 2 << level, "the coarsest first"
        total = total + torch.nn.functional.interpolate(made, size=(32, 32), mode="bilinear")
        torch.testing.assert_close(logits[:, level], total)
    assert (logits[:, 1:] - logits[:, :-1]).abs().amax(dim=(0, 2, 3, 4)).min() > 0


def test_each_level_has_its_weight_in_the_divergence():
    labels = torch.nn.functional.one_hot(torch.arange(2048).view(2, 32, 32) % 3, 3).movedim(-1, 1) - 0.5
    single = [
        drawn(hierarchy(weights=[float(i == level) for i in range(LEVELS)]), labels).divergence for level in range(LEVELS)
    ]
    assert all((one > 0).all() for one in single)
    for base in (1.0, 4.0):
        whole = drawn(hierarchy(weights=[base**level for level in range(LEVELS)]), labels).divergence
        torch.testing.assert_close(whole, sum(base**level * one for level, one in enumerate(single)))


def test_weights_grow_from_the_finest_latent_level(discs, tiny):
    for options, expected in (({}, [1, 1, 1]), ({"level_weight": 4.0}, [1, 4, 16]), ({"latent_levels": 1}, [1])):
        method = PHiSeg(budget=tiny(), **options)
        method.prepare(discs(1), seed=0)
        assert list(method.module_.weights[method.module_.first :]) == expected


def test_the_first_voxel_of_the_coarsest_level_reaches_all_finer_levels():
    network = hierarchy()
    encoded, noise = network.encode(torch.zeros(1, 1, 32, 32)), torch.zeros(1, network.noise_size((32, 32)))
    changed = noise.clone()
    changed[:, 0] = 3
    one, other = (network.sample(encoded, torch.zeros(1).long(), each).logits for each in (noise, changed))
    assert (one - other).abs().amax(dim=(0, 2, 3, 4)).min() > 0


def test_a_backbone_that_is_not_used_is_a_warning(discs, tiny):
    train = discs(3)
    assert "backbone" in PHiSeg(budget=tiny()).fit(train, train, seed=0).report_.warnings[0]
    assert PHiSeg(budget=tiny(backbone="unet")).fit(train, train, seed=0).report_.warnings == []
