"""Exchanges between feature maps: attention against PyTorch's own and by hand, patches, positions, the whole formula."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from raterbench.methods.backbones.exchange import Exchange, attention, cut_patches, join_patches, patch_side, positions


@pytest.mark.parametrize("heads", [1, 2, 4, 8])
def test_attention_is_that_of_pytorch(heads):
    torch.manual_seed(0)
    q, k, v = torch.randn(2, 5, 64), torch.randn(2, 7, 64), torch.randn(2, 7, 64)
    apart = (part.unflatten(2, (heads, -1)).transpose(1, 2) for part in (q, k, v))
    expected = functional.scaled_dot_product_attention(*apart).transpose(1, 2).flatten(2)
    torch.testing.assert_close(attention(q, k, v, heads), expected, atol=1e-5, rtol=1e-5)


def test_attention_by_hand():
    """One query of two numbers, whose products with two keys are 2 ln 3 and 0 times the root of 2: weights 3/4 and 1/4."""
    query, keys = torch.tensor([[[math.sqrt(2) * math.log(3), 5.0]]]), torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])
    found = attention(query, keys, torch.tensor([[[8.0, 0.0], [0.0, 4.0]]]), heads=1)
    torch.testing.assert_close(found, torch.tensor([[[6.0, 1.0]]]))


@pytest.mark.parametrize(("size", "patch", "expected"), [((8, 12), 4, (2, 3)), ((7, 5), 4, (2, 2)), ((3, 3), 1, (3, 3))])
def test_patches_are_cut_and_joined_again(size, patch, expected):
    maps = torch.arange(2 * 3 * size[0] * size[1], dtype=torch.float32).view(2, 3, *size) + 1
    patches = cut_patches(maps, patch)
    assert patches.shape == (2, *expected, patch**2 * 3)
    for i, j in np.ndindex(*expected):
        there = maps[1, :, i * patch : (i + 1) * patch, j * patch : (j + 1) * patch]
        missing = patch**2 * 3 - there.numel()
        assert sorted(patches[1, i, j].tolist()) == [0.0] * missing + sorted(there.flatten().tolist())
    assert torch.equal(join_patches(patches, patch, maps.shape[2:]), maps)


@pytest.mark.parametrize(
    ("size", "side"), [((32, 32), 4), ((16, 16), 2), ((8, 8), 1), ((4, 4), 1), ((48, 32), 8), ((8, 9), 2), ((128, 128), 16)]
)
def test_patches_are_as_small_as_64_of_them_allow(size, side):
    number = [math.ceil(size[0] / p) * math.ceil(size[1] / p) for p in (side, side / 2)]
    assert patch_side(*size) == side and number[0] <= 64 and (number[1] > 64 or side == 1)


def test_positions_are_sines_and_cosines_of_row_and_column():
    found = positions(3, 4, 16)
    assert found.shape == (12, 16) and len({tuple(row) for row in found.tolist()}) == 12
    for row, column in np.ndindex(3, 4):
        expected = []
        for place in (row, column):
            for wave in (math.sin, math.cos):
                expected += [wave(place / 10_000 ** (2 * i / 8)) for i in range(4)]
        assert found[4 * row + column].tolist() == pytest.approx(expected, abs=1e-6)


def numbers(layer, x):
    return x @ layer.weight.detach().double().numpy().T + layer.bias.detach().double().numpy()


def gelu(x):
    return np.vectorize(lambda one: one * 0.5 * (1 + math.erf(one / math.sqrt(2))))(x)


def test_an_exchange_is_its_formula():
    """Equations 6 to 9 of the paper, patch by patch in double precision, after a projection and added to what is changed."""
    torch.manual_seed(0)
    exchange, asking, changed = Exchange(2, 3, patch=2, heads=2), torch.randn(1, 2, 4, 6), torch.randn(1, 3, 4, 6)
    with torch.no_grad():
        found = exchange(asking, changed)[0].double().numpy()
    corners = [(y, x) for y in (0, 2) for x in (0, 2, 4)]
    # The order of numbers within a patch is one channel after the other.
    ours, theirs = (
        np.stack([maps[0, :, y : y + 2, x : x + 2].double().numpy().ravel() for y, x in corners]) for maps in (asking, changed)
    )
    place = positions(2, 3, 64).double().numpy()
    ours, theirs = numbers(exchange.asking, ours), numbers(exchange.changed, theirs)
    q, k, v = (
        numbers(exchange.query, ours + place),
        numbers(exchange.key, theirs + place),
        numbers(exchange.value, theirs),
    )
    heads = []
    for head in (slice(0, 32), slice(32, 64)):
        affinity = np.exp(q[:, head] @ k[:, head].T / math.sqrt(32))
        heads.append(affinity / affinity.sum(axis=1, keepdims=True) @ v[:, head])
    change = numbers(exchange.last, gelu(numbers(exchange.hidden, np.concatenate(heads, axis=1))))
    expected = changed[0].double().numpy()
    for (y, x), patch in zip(corners, change, strict=True):
        expected[:, y : y + 2, x : x + 2] += patch.reshape(3, 2, 2)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_map_may_be_larger_than_those_of_training_and_needs_no_whole_number_of_patches():
    exchange = Exchange(2, 3, patch=4, heads=1)
    assert exchange(torch.randn(1, 2, 34, 45), torch.randn(1, 3, 34, 45)).shape == (1, 3, 34, 45)
